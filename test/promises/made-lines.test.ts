/** Lines that another Millrace has made come out as they went in, once, also after `kill -9`; and verify finds them right. */

import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { Idempotency } from '../../src/intake/idempotency.ts'
import { MADE_NOTES_WINDOW_MS } from '../../src/journal/journal.ts'
import { LINES_TYPE } from '../../src/observe/forwarding.ts'
import { millrace } from '../commands/run-command.ts'
import { freePorts } from '../free-ports.ts'
import { opened } from '../journal/opened.ts'
import { FakeClock, memoryPlatform } from '../memory-platform.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn } from '../objects.ts'

const JSON_TYPE = 'application/json'

/** A body as an edge sends it. */
function bodyOf(from: number, count: number): string {
  const lines = Array.from({ length: count }, (_, i) => {
    const at = '2026-11-21T01:30:00.000Z'
    return `{"receipt":"edge-0-1-0badcafe-${from + i}","index":0,"received_at":"${at}","version":"1","source":"default","payload":{"n" : ${from + i}}}\n`
  })
  return lines.join('')
}

async function send(server: Millrace, key: string, body: string, more: Record<string, string> = {}) {
  const headers = { 'idempotency-key': key, 'content-encoding': 'zstd', ...more }
  const response = await server.post('/lines?ack=disk', LINES_TYPE, new Uint8Array(zstdCompressSync(body)), headers)
  const isRepeat = response.headers.get('idempotency-replayed') === 'true'
  return { status: response.status, isRepeat, ...((await response.json()) as { accepted?: number; code?: string }) }
}

/** All lines of the objects, as they stand there. */
function linesIn(directory: string): string[] {
  const texts = objectNamesIn(directory).map((name) =>
    zstdDecompressSync(readFileSync(join(directory, name))).toString(),
  )
  return texts.join('').split('\n').slice(0, -1)
}

test.each(['1', '2'])(
  'made lines beside payloads, with %s lanes: unchanged, once, and verify is content',
  async (lanes) => {
    using scratch = new Scratch()
    const args = ['--data', scratch.at('data'), '--linger', '50ms', '--lanes', lanes]
    const bodies = Array.from({ length: 20 }, (_, i) => bodyOf(i * 100, 100))
    {
      await using server = await Millrace.start(args)
      await Promise.all([
        ...bodies.map(async (body, i) => {
          expect(await send(server, `object ${i}`, body)).toMatchObject({ status: 202, accepted: 100, isRepeat: false })
        }),
        ...bodies.map(async () => expect((await server.post('/payloads', JSON_TYPE, '[1,2]')).status).toBe(202)),
      ])
      expect(await send(server, 'object 0', bodies[0] as string)).toMatchObject({ status: 202, isRepeat: true })
      await server.kill()
    }
    await using again = await Millrace.start([...args, '--idempotency-window', '1s'])
    for (const [i, body] of bodies.entries()) {
      expect(await send(again, `object ${i}`, body, { 'millrace-doubt-seconds': '60' })).toMatchObject({
        isRepeat: true,
      })
    }
    expect(await send(again, 'never seen', bodyOf(9000, 1), { 'millrace-doubt-seconds': '60' })).toMatchObject({
      status: 202,
    })
    expect(await send(again, 'from long ago', bodyOf(0, 1), { 'millrace-doubt-seconds': '90000' })).toMatchObject({
      status: 409,
      code: 'doubt_too_old',
    })
    expect(await again.stop()).toEqual({ code: 0, signal: null })
    const lines = linesIn(scratch.at('data/objects'))
    const made = lines.filter((line) => line.startsWith('{"receipt":"edge-'))
    expect(made.sort()).toEqual([...bodies, bodyOf(9000, 1)].join('').split('\n').slice(0, -1).sort())
    expect(lines).toHaveLength(2001 + 40)
    const { out } = await millrace(['verify', '--deep', '--data', scratch.at('data')], {})
    expect(out).toContain('All that was accepted is there.')
  },
)

test('a segment is of the newest layout only where such lines came', async () => {
  using scratch = new Scratch()
  await using server = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h'])
  const versions = () =>
    readdirSync(scratch.at('data/lane-0'))
      .filter((name) => name.endsWith('.open'))
      .map((name) => readFileSync(scratch.at('data/lane-0', name)).readUInt16LE(8))
  expect(versions()).toEqual([1])
  await server.post('/payloads', JSON_TYPE, '1')
  expect(versions()).toEqual([1])
  await send(server, 'k', bodyOf(0, 1))
  expect(versions()).toContain(3)
  await server.post('/payloads', JSON_TYPE, '2')
  await server.stop()
  expect(linesIn(scratch.at('data/objects'))).toHaveLength(3)
})

test('they have no place where each payload is an object, and a body of them may be twice as long as others', async () => {
  using scratch = new Scratch()
  await using server = await Millrace.start(['--data', scratch.at('data'), '--format', 'payload'])
  expect(await send(server, 'k', bodyOf(0, 1))).toMatchObject({ status: 404, code: 'not_found' })
  await server.stop()
  await using other = await Millrace.start(['--data', scratch.at('other'), '--body-bytes-max', '64KiB'])
  const line = bodyOf(0, 1)
  expect(await send(other, 'a', line.repeat(Math.floor((120 * 1024) / line.length)))).toMatchObject({ status: 202 })
  expect(await send(other, 'b', line.repeat(Math.ceil((128 * 1024) / line.length)))).toMatchObject({ status: 413 })
})

test('their keys are remembered for a day, whatever the window of others is, also in their files', async () => {
  const platform = memoryPlatform()
  const { clock, files } = platform
  const note = Buffer.from(JSON.stringify({ key: 'k', print: '', more: '' }))
  const before = await opened(platform, { noteWindowMs: 1000 })
  before.append('1', { note, receivedAtMs: clock.nowMs() })
  before.append(bodyOf(0, 1), { kind: 'made', note, receivedAtMs: clock.nowMs() })
  await before.journal.close()
  await clock.advance(MADE_NOTES_WINDOW_MS - 1000)
  const later = memoryPlatform(2, files)
  later.clock.jump(clock.nowMs() - later.clock.nowMs())
  const again = await opened(later, { noteWindowMs: 1000 })
  expect(again.journal.notes).toMatchObject([{ isMade: true }])
  expect([...files.all().keys()].filter((path) => path.includes('notes'))).toEqual([
    expect.stringContaining('.made-notes'),
  ])
})

test('at their bound the oldest key makes room, and who asks after one from before that is told so', async () => {
  const clock = new FakeClock()
  const keys = new Idempotency({ windowMs: MADE_NOTES_WINDOW_MS, keysMax: 2, forgets: true }, clock)
  const begin = (key: string, doubtMs = 0) => {
    const turn = keys.begin(key, '/lines', new Uint8Array(), '', 'disk', doubtMs)
    if (turn.kind === 'first') turn.ended({ kind: 'answer', answer: { status: 202, body: '{}' } })
    return turn.kind
  }
  const hour = 3_600_000
  await clock.advance(2 * MADE_NOTES_WINDOW_MS)
  for (const key of ['a', 'b', 'c']) {
    expect(begin(key, hour)).toBe('first')
    await clock.advance(hour)
  }
  // It came three hours ago, when one came that has made room since.
  expect([begin('a', 3 * hour), begin('x', 3 * hour), begin('b', 2 * hour), begin('c', hour)]).toEqual([
    'refused',
    'refused',
    'repeat',
    'repeat',
  ])
  expect(begin('x', hour)).toBe('first')
})

test('a server that is to forward to itself keeps what it has, and says what is wrong', async () => {
  using scratch = new Scratch()
  const [port = 0] = await freePorts(1)
  const to = `http://127.0.0.1:${port}`
  const args = ['--data', scratch.at('data'), '--linger', '10ms', '--port', `${port}`, '--to', to]
  await using server = await Millrace.start(args)
  expect((await server.post('/payloads', 'application/json', '[1,2,3]')).status).toBe(202)
  await server.printed(/forward_loop/)
  const status = (await (await fetch(`${server.url}/status`)).json()) as Record<string, unknown>
  expect(status).toMatchObject({ accepted: { payloads: 3 }, stored: { payloads: 0 }, pending: { payloads: 3 } })
  expect(await (await fetch(`${server.url}/readyz`)).json()).toMatchObject({ code: 'destination_parked' })
})
