/** A delivery thread that dies is replaced, and its jobs are run again: nothing is lost, and nothing stored twice. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { existsSync, writeFileSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { loadOptions } from '../../src/config/load.ts'
import type { ThreadStart } from '../../src/delivery/messages.ts'
import { DeliveryThreads } from '../../src/delivery/threads.ts'
import { parsePlace } from '../../src/destination/place.ts'
import type { Event } from '../../src/observe/events.ts'
import { systemPlatform } from '../../src/platform/platform.ts'
import { startServer } from '../../src/server.ts'
import { FaultProxy } from '../fault-proxy.ts'
import { HEADER, segmentOf, valueRecord } from '../journal/segment-files.ts'
import { Ledger } from '../ledger.ts'
import { FakeClock } from '../memory-platform.ts'
import { Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { BUCKET, S3Store, s3Env } from '../s3-store.ts'
import { seeded } from '../seeded.ts'

/** Every thread that was started since a test began. */
const workers: Worker[] = []
const started = (worker: Worker) => workers.push(worker)

beforeAll(() => void process.on('worker', started))
beforeEach(() => void workers.splice(0))
afterAll(() => void process.off('worker', started))

test('threads that die while objects are put: the jobs are run again by new ones, and each object is stored once', async () => {
  using scratch = new Scratch()
  await using store = new S3Store()
  await using proxy = await FaultProxy.start(store.endpoint, seeded(1))
  proxy.heal()
  // The worst moment: stored, and the thread that would hear of it is gone.
  const stored = Promise.withResolvers<void>()
  const dead = Promise.withResolvers<void>()
  proxy.onPut = (moment) => {
    if (moment !== 'stored') return
    stored.resolve()
    return dead.promise
  }
  const env = s3Env(proxy.endpoint)
  using _ = new Environment(env)
  const args = ['--port', '0', '--data', scratch.at('data'), '--to', `s3://${BUCKET}/threads`, '--linger', '20ms']
  const loaded = loadOptions([...args, '--threads', '2'], {})
  if (loaded.kind !== 'options') throw new Error('these options are fine')
  const events: Event[] = []
  const server = await startServer(loaded.options, env, systemPlatform, (event) => events.push(event))
  const ledger = new Ledger(seeded(2))
  try {
    await ledger.post(server.url)
    await stored.promise
    await Promise.all(workers.map(crash))
    dead.resolve()
    // Intake never notices.
    await ledger.run(server.url, 4, () => ledger.kept.size >= 100)
  } finally {
    await server.stop(60_000)
  }
  expect(workers.length).toBeGreaterThan(2)
  const crashes = events.filter(({ kind }) => kind === 'delivery-crash')
  expect(crashes).toEqual([{ kind: 'delivery-crash', reason: expect.stringContaining('a delivery thread died') }])
  expect(server.backlog()).toEqual({ segments: 0, payloads: 0, dead: 0 })
  expect(ledger.unkept).toEqual([])
  // The repeat met what the first attempt had stored.
  expect(store.answers.get('PreconditionFailed')).toBe(1)
  expect(store.wrongs).toEqual([])
  ledger.expectKept(store.lines())
})

test('a thread that cannot start is started again at each try, after a pause, until it can', async () => {
  using scratch = new Scratch()
  const path = scratch.at('0000000000000001.sealed')
  writeFileSync(path, segmentOf(HEADER, [[valueRecord('{"a":1}')]]).sealed)
  const start: ThreadStart = { place: UNUSABLE, bodyBytesMax: 1 << 20, workersMax: 8, putsMax: 8 }
  const events: Event[] = []
  const pauses: number[] = []
  const sleep = async (ms: number) => void pauses.push(ms)
  const threads = new DeliveryThreads(1, start, { ...systemPlatform.clock, sleep }, (event) => {
    events.push(event)
    if (events.length === 2) start.place = { kind: 'directory', root: scratch.at('objects') }
  })
  try {
    const delivered = await threads.deliver({
      path,
      number: 1,
      tag: '0badcafe',
      records: 1,
      payloads: 1,
      recordBytes: 1,
      bytes: 1,
    })
    expect(delivered).toMatchObject({ kind: 'stored', payloads: 1 })
  } finally {
    await threads.stop()
  }
  const crash = { kind: 'delivery-crash', reason: expect.stringContaining('a delivery thread died: TypeError') }
  expect(events).toEqual([crash, crash] as never)
  expect(pauses).toEqual([1000, 1000])
  expect(workers.length).toBe(3)
  expect(readObjectsIn(scratch.at('objects')).map(({ payload }) => payload)).toEqual(['{"a":1}'])
})

test('a thread that dies while the destination is parked: it stays parked until something is stored', async () => {
  using scratch = new Scratch()
  const path = scratch.at('0000000000000001.sealed')
  writeFileSync(path, segmentOf(HEADER, [[valueRecord('{"a":1}')]]).sealed)
  await using store = new S3Store()
  store.isAllowed = false
  const env = s3Env(store.endpoint)
  using _ = new Environment(env)
  const place = parsePlace(`s3://${BUCKET}/parked`, env)
  if (typeof place === 'string') throw new Error(place)
  const kinds: Event['kind'][] = []
  const reasons: (string | undefined)[] = []
  const sleep = async () => void reasons.push(threads.parked)
  const threads = new DeliveryThreads(
    1,
    { place, bodyBytesMax: 1 << 20, workersMax: 8, putsMax: 8 },
    { ...systemPlatform.clock, sleep },
    (event) => {
      kinds.push(event.kind)
      if (event.kind !== 'destination-parked') return
      if (kinds.length === 1) void crash(workers[0] as Worker)
      else store.isAllowed = true
    },
  )
  try {
    await threads.deliver({ path, number: 1, tag: '0badcafe', records: 1, payloads: 1, recordBytes: 1, bytes: 1 })
    expect(threads.parked).toBeUndefined()
  } finally {
    await threads.stop()
  }
  expect(reasons).toEqual([expect.stringContaining('403 AccessDenied')])
  expect(kinds).toEqual(['destination-parked', 'delivery-crash', 'destination-parked', 'destination-resumed'])
  expect(store.lines().map(({ payload }) => payload)).toEqual(['{"a":1}'])
})

/** A place that no destination can be opened for: the thread throws as it starts. */
const UNUSABLE = { kind: 's3' } as ThreadStart['place']

/** Makes a thread throw where nobody catches it, whatever it is doing; resolves when it is gone. */
async function crash(worker: Worker): Promise<void> {
  const gone = new Promise((resolve) => worker.on('exit', resolve))
  // No message is ever like this one.
  worker.postMessage(undefined)
  await gone
}

/** Sets variables of this process's environment, which its threads get a copy of; puts back what was there. */
class Environment implements Disposable {
  readonly #before: [string, string | undefined][]

  constructor(env: Readonly<Record<string, string>>) {
    this.#before = Object.keys(env).map((name) => [name, process.env[name]])
    Object.assign(process.env, env)
  }

  [Symbol.dispose](): void {
    for (const [name, value] of this.#before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

test('a thread that hangs is ended and replaced, and its job is run again', async () => {
  using scratch = new Scratch()
  const path = scratch.at('0000000000000001.sealed')
  writeFileSync(path, segmentOf(HEADER, [[valueRecord('"kept"')]]).sealed)
  const start: ThreadStart = {
    place: { kind: 'directory', root: scratch.at('objects') },
    bodyBytesMax: 1 << 20,
    workersMax: 8,
    putsMax: 8,
  }
  const clock = new FakeClock()
  const events: Event[] = []
  const entry = new URL('../delivery/hanging-thread.ts', import.meta.url)
  const threads = new DeliveryThreads(1, start, clock, (event) => events.push(event), entry)
  try {
    const segment = { path, number: 1, tag: '0badcafe', records: 1, payloads: 1, recordBytes: 1, bytes: 1 }
    const delivered = threads.deliver(segment)
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    // Time goes on once it hangs, until that is noticed; what comes after needs only the pause before the next try.
    while (!existsSync(scratch.at('objects.hung'))) await turn()
    while (events.length === 0) {
      await clock.advance(1000)
      await turn()
    }
    await clock.advance(1000)
    expect(await delivered).toMatchObject({ kind: 'stored', payloads: 1 })
  } finally {
    await threads.stop()
  }
  expect(events).toEqual([{ kind: 'delivery-crash', reason: 'a delivery thread died: it hung, and was ended' }])
  expect(readObjectsIn(scratch.at('objects')).map(({ payload }) => payload)).toEqual(['"kept"'])
})
