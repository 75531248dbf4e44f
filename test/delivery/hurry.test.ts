/** Who has deliveries hurry, and that it gets to them: a delivery that rests goes on as soon as somebody waits. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { loadOptions } from '../../src/config/load.ts'
import type { JobMessage } from '../../src/delivery/messages.ts'
import { DeliveryThreads } from '../../src/delivery/threads.ts'
import type { Event } from '../../src/observe/events.ts'
import { systemPlatform } from '../../src/platform/platform.ts'
import { startServer } from '../../src/server.ts'
import { HEADER, segmentOf, valueRecord } from '../journal/segment-files.ts'
import { Scratch } from '../millrace.ts'

test('a thread’s delivery that rests goes on when it is hurried, and hears nothing that is meant for others', async () => {
  using scratch = new Scratch()
  const path = scratch.at('0000000000000001.sealed')
  writeFileSync(path, segmentOf(HEADER, [[valueRecord('1')], [valueRecord('2')], [valueRecord('3')]]).sealed)
  const segment = { path, number: 1, tag: '0badcafe', records: 3, payloads: 3, recordBytes: 3, bytes: 3 }
  const rests = Promise.withResolvers<Event>()
  const events: Event[] = []
  const observe = (event: Event) => {
    events.push(event)
    rests.resolve(event)
  }
  const entry = new URL('resting-thread.ts', import.meta.url)
  const place = { kind: 'directory', root: scratch.at('objects') } as const
  const start = { place, bodyBytesMax: 1 << 20, workersMax: 8, putsMax: 8 }
  const threads = new DeliveryThreads(1, start, systemPlatform.clock, observe, entry)
  try {
    // Over before it begins to rest.
    const other = new AbortController()
    other.abort()
    await threads.deliver(segment, other.signal)
    expect(events).toEqual([])
    const hurry = new AbortController()
    const delivered = threads.deliver(segment, hurry.signal)
    await rests.promise
    hurry.abort()
    expect(await delivered).toMatchObject({ kind: 'stored', payloads: 3 })
    expect(events.length).toBe(1)
  } finally {
    await threads.stop()
  }
})

/** What a lane says to its delivery threads: a job gets to them when it is let go, so that it is under way until then. */
class Held {
  readonly said: JobMessage[] = []
  readonly #held: (() => void)[] = []
  #isHeld = true
  #heard = () => {}

  listen = (worker: Worker): void => {
    const post = worker.postMessage.bind(worker)
    worker.postMessage = (message: JobMessage) => {
      this.said.push(message)
      if (message.kind === 'deliver' && this.#isHeld) this.#held.push(() => post(message))
      else post(message)
      this.#heard()
    }
  }

  /** Resolves with the first of this kind, once it was said. */
  async heard(kind: JobMessage['kind']): Promise<JobMessage> {
    for (;;) {
      const message = this.said.find((message) => message.kind === kind)
      if (message) return message
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }

  letGo(): void {
    this.#isHeld = false
    for (const post of this.#held.splice(0)) post()
  }
}

describe('a lane', () => {
  let held = new Held()
  const started = (worker: Worker) => held.listen(worker)
  beforeAll(() => void process.on('worker', started))
  afterAll(() => void process.off('worker', started))
  beforeEach(() => {
    held = new Held()
  })

  const headers = { 'content-type': 'application/json' }
  const post = (url: string, body: string, query = '') =>
    fetch(`${url}/payloads${query}`, { method: 'POST', headers, body })
  /** Of these no two fit one segment: the second seals that of the first. What is shorter changes nothing until the stop. */
  const LONG = JSON.stringify('x'.repeat(40 * 1024))

  async function start(scratch: Scratch, more: string[] = []) {
    const small = ['--linger', '1h', '--ack-stored-linger', '1h', '--object-bytes-max', '64KiB', '--max-queue', '3']
    const usual = ['--port', '0', '--threads', '1', '--data', scratch.at('data'), ...small]
    const loaded = loadOptions([...usual, ...more], {})
    if (loaded.kind !== 'options') throw new Error('these options are fine')
    const server = await startServer(loaded.options, {}, systemPlatform, () => {})
    let stopped: Promise<void> | undefined
    const stop = () => {
      stopped ??= server.stop(60_000)
      return stopped
    }
    const end = async () => {
      held.letGo()
      await stop()
    }
    return { url: server.url, stop, [Symbol.asyncDispose]: end }
  }

  test.each<[string, (url: string, stop: () => Promise<void>) => Promise<unknown>]>([
    ['a client waits until its payload is stored', (url) => post(url, '2', '?ack=stored')],
    ['one is refused for want of room', (url) => post(url, '[2,3]')],
    ['a second segment is there', (url) => post(url, LONG)],
    ['it stops', (_, stop) => stop()],
  ])('has the delivery under way hurry when %s', async (_, come) => {
    using scratch = new Scratch()
    await using server = await start(scratch)
    for (let i = 0; i < 2; i++) expect((await post(server.url, LONG)).status).toBe(202)
    expect(await held.heard('deliver')).toMatchObject({ job: 1, isHurried: false })
    const comes = come(server.url, server.stop)
    expect(await held.heard('hurry')).toEqual({ kind: 'hurry', job: 1 })
    held.letGo()
    await server.stop()
    await comes
  })

  test('has one hurry from the start for which a client waits', async () => {
    using scratch = new Scratch()
    await using server = await start(scratch, ['--ack-stored-linger', '1ms'])
    const answer = post(server.url, '1', '?ack=stored')
    expect(await held.heard('deliver')).toMatchObject({ job: 1, isHurried: true })
    held.letGo()
    expect((await answer).status).toBe(201)
  })
})
