/** A request sent again with its Idempotency-Key gets the first answer and stores nothing, also after `kill -9`. */

import { describe, expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { Idempotency } from '../../src/intake/idempotency.ts'
import { opened } from '../journal/opened.ts'
import { FakeClock, memoryPlatform } from '../memory-platform.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn, readObjectsIn } from '../objects.ts'

const JSON_TYPE = 'application/json'
const DAY_MS = 86_400_000

async function post(millrace: Millrace, key: string, body: string, query = '', type = JSON_TYPE) {
  const response = await millrace.post(`/payloads${query}`, type, body, { 'idempotency-key': key })
  const isRepeat = response.headers.get('idempotency-replayed') === 'true'
  return { status: response.status, isRepeat, body: await response.text() }
}

const payloads = (scratch: Scratch) => readObjectsIn(scratch.at('data/objects')).map(({ payload }) => payload)

test('a repeat gets the first answer, word for word, and nothing is stored twice', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h'])
  const first = await post(millrace, 'k1', '[1,2]')
  expect(first).toMatchObject({ status: 202, isRepeat: false })
  for (let i = 0; i < 3; i++) expect(await post(millrace, 'k1', '[1,2]')).toEqual({ ...first, isRepeat: true })
  // In quotes it is the same key: that is how the draft writes it.
  expect(await post(millrace, '"k1"', '[1,2]')).toEqual({ ...first, isRepeat: true })
  expect((await post(millrace, 'k2', '[1,2]')).body).not.toBe(first.body)
  const lines = await post(millrace, 'k3', '1\nx\n2', '', 'application/x-ndjson')
  expect(await post(millrace, 'k3', '1\nx\n2', '', 'application/x-ndjson')).toEqual({ ...lines, isRepeat: true })
  await millrace.stop()
  expect(payloads(scratch)).toEqual(['1', '2', '1', '2', '1', '2'])
})

test('the window survives kill -9: in an open segment, in a sealed one, and when the segment is gone', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h']
  const answers: { body: string }[] = []
  const again = async (millrace: Millrace) => {
    for (const [i, answer] of answers.entries()) {
      const repeat = await post(millrace, `key ${i}`, `${i}`)
      expect(repeat).toMatchObject({ status: 202, isRepeat: true, body: answer.body })
    }
  }
  await using first = await Millrace.start(args)
  for (let i = 0; i < 3; i++) answers.push(await post(first, `key ${i}`, `${i}`))
  await first.kill()
  // Found in the open segment, which is sealed now, and delivered.
  await using second = await Millrace.start(args)
  await again(second)
  answers.push(await post(second, 'key 3', '3'))
  expect((await second.post('/payloads?ack=stored', JSON_TYPE, '"sealed"')).status).toBe(201)
  await second.kill()
  await using third = await Millrace.start(args)
  await again(third)
  await third.stop()
  await using fourth = await Millrace.start(args)
  await again(fourth)
  await fourth.stop()
  expect(payloads(scratch).sort()).toEqual(['"sealed"', '0', '1', '2', '3'])
})

test('a repeat while the first is under way waits for it, and is told the same', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h'])
  const posts = Array.from({ length: 20 }, () => post(millrace, 'same', '{"a":1}', '?ack=stored'))
  const answers = await Promise.all(posts)
  expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
  expect(answers.filter(({ isRepeat }) => !isRepeat)).toHaveLength(1)
  expect(answers[0]?.status).toBe(201)
  expect(payloads(scratch)).toEqual(['{"a":1}'])
})

test('a repeat that wants it stored, after a kill -9 that left the first one without an answer, waits for that', async () => {
  using scratch = new Scratch()
  writeFileSync(scratch.at('objects'), 'a file where the directory should be')
  const args = ['--data', scratch.at('data'), '--to', scratch.at('objects'), '--linger', '1h']
  await using first = await Millrace.start(args)
  const cutOff = post(first, 'k', '[1,2]', '?ack=stored').catch(() => 'no answer')
  await first.pending(2)
  await first.kill()
  expect(await cutOff).toBe('no answer')
  await using second = await Millrace.start([...args, '--ack-stored-timeout', '100ms'])
  const disk = await post(second, 'k', '[1,2]')
  expect(disk).toMatchObject({ status: 202, isRepeat: true })
  expect(disk.body).toContain('"ack":"disk"')
  expect(await post(second, 'k', '[1,2]', '?ack=stored')).toEqual(disk)
  await second.kill()
  rmSync(scratch.at('objects'))
  await using third = await Millrace.start(args)
  const waited = await post(third, 'k', '[1,2]', '?ack=stored')
  expect(waited).toMatchObject({ status: 201, isRepeat: true })
  const { receipt } = JSON.parse(disk.body) as { receipt: string }
  const objects = objectNamesIn(scratch.at('objects'))
  expect(JSON.parse(waited.body)).toEqual({ receipt, accepted: 2, ack: 'stored', objects })
  // By now it is the ledger that knows.
  await third.pending(0)
  expect(await post(third, 'k', '[1,2]', '?ack=stored')).toEqual(waited)
  await third.stop()
  expect(readObjectsIn(scratch.at('objects'))).toHaveLength(2)
})

test('a repeat of what was acked from memory gets that answer, also after kill -9', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h', '--ack-allow', 'memory,disk,stored']
  await using millrace = await Millrace.start(args)
  const first = await post(millrace, 'k', '[1]', '?ack=memory')
  expect(first).toEqual({ status: 202, isRepeat: false, body: '{"accepted":1,"ack":"memory"}' })
  expect(await post(millrace, 'k', '[1]', '?ack=disk')).toEqual({ ...first, isRepeat: true })
  await millrace.pending(1)
  await millrace.kill()
  await using second = await Millrace.start(args)
  expect(await post(second, 'k', '[1]', '?ack=memory')).toEqual({ ...first, isRepeat: true })
  await second.stop()
  expect(payloads(scratch)).toEqual(['1'])
})

test('a first that was refused leaves its key free', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--max-queue', '2', '--linger', '1h'])
  expect((await post(millrace, 'k', '[1,2,3]')).status).toBe(413)
  expect((await post(millrace, 'k', '[1,2')).status).toBe(400)
  expect(await post(millrace, 'k', '[1,2]')).toMatchObject({ status: 202, isRepeat: false })
})

describe('the window', () => {
  const options = { windowMs: 1000, keysMax: 2 }
  const body = new Uint8Array([0x31])

  test('ends: after it the key is a new one, and makes room for others', async () => {
    const clock = new FakeClock()
    const keys = new Idempotency(options, clock)
    const begin = (key: string) => keys.begin(key, '/payloads', body, '')
    for (const key of ['a', 'b']) {
      const turn = begin(key)
      if (turn.kind !== 'first') throw new Error(turn.kind)
      turn.ended({ kind: 'answer', answer: { status: 202, body: '{}' } })
    }
    expect(begin('c')).toMatchObject({ kind: 'refused', refusal: { code: 'idempotency_full', retryAfterSeconds: 1 } })
    await clock.advance(999)
    expect(begin('a').kind).toBe('repeat')
    await clock.advance(1)
    expect(begin('a').kind).toBe('first')
    expect(begin('c').kind).toBe('first')
  })

  const answered = (keys: Idempotency, key: string) => {
    const turn = keys.begin(key, '/payloads', body, '')
    if (turn.kind === 'first') turn.ended({ kind: 'answer', answer: { status: 202, body: '{}' } })
    return turn.kind
  }

  test.each([DAY_MS, -DAY_MS])('is as long as it is when the wall clock jumps by %i ms', async (jumpMs) => {
    const clock = new FakeClock()
    const keys = new Idempotency(options, clock)
    answered(keys, 'a')
    clock.jump(jumpMs)
    answered(keys, 'b')
    expect([answered(keys, 'a'), answered(keys, 'b')]).toEqual(['repeat', 'repeat'])
    clock.jump(-jumpMs)
    await clock.advance(999)
    expect([answered(keys, 'a'), answered(keys, 'b')]).toEqual(['repeat', 'repeat'])
    await clock.advance(1)
    expect([answered(keys, 'a'), answered(keys, 'b')]).toEqual(['first', 'first'])
  })

  test('of keys that came while the clock was ahead ends with a window from the next start on, their files as well', async () => {
    const platform = memoryPlatform()
    const { clock, files } = platform
    clock.jump(DAY_MS)
    const note = (key: string) => Buffer.from(JSON.stringify({ key, print: '', more: '' }))
    const before = await opened(platform, { noteWindowMs: options.windowMs })
    before.append('1', { note: note('a'), receivedAtMs: clock.nowMs() })
    await before.journal.close()
    clock.jump(-DAY_MS)
    const again = await opened(memoryPlatform(2, files), { noteWindowMs: options.windowMs })
    const now = again.platform.clock
    const keys = new Idempotency(options, now)
    keys.remember(again.journal.notes)
    expect(again.journal.notes).toHaveLength(1)
    await now.advance(999)
    expect(keys.begin('a', '/payloads', body, '').kind).toBe('refused')
    await now.advance(1)
    expect(answered(keys, 'a')).toBe('first')
    const notesFiles = () => [...files.all().keys()].filter((path) => path.endsWith('.notes'))
    expect(notesFiles()).toHaveLength(1)
    again.append('2', { note: note('b'), receivedAtMs: now.nowMs() })
    await again.journal.close()
    expect(notesFiles()).toEqual([expect.stringContaining('0003.notes')])
  })

  test('does not end for a request that is still under way', async () => {
    const clock = new FakeClock()
    const keys = new Idempotency(options, clock)
    expect(keys.begin('a', '/payloads', body, '').kind).toBe('first')
    await clock.advance(5000)
    expect(keys.begin('a', '/payloads', body, '').kind).toBe('repeat')
  })

  test('tells bodies and paths apart', () => {
    const keys = new Idempotency(options, new FakeClock())
    keys.begin('a', '/payloads', body, '')
    expect(keys.begin('a', '/payload', body, '').kind).toBe('refused')
    expect(keys.begin('a', '/payloads', new Uint8Array([0x32]), '').kind).toBe('refused')
  })
})
