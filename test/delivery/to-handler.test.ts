/** Delivery to a function: what it is given, that it is given until it is taken, how much at once, and what a stop does. */

import { describe, expect, test } from 'bun:test'
import { DeadLetter } from '../../src/delivery/handler.ts'
import { DEAF_CALLS_MAX } from '../../src/delivery/handler-calls.ts'
import { HELD_BYTES_MAX } from '../../src/delivery/to-handler.ts'
import { whereIs } from '../../src/delivery/whereabouts.ts'
import { HEADER, valueRecord } from '../journal/segment-files.ts'
import { quiet } from '../memory-platform.ts'
import { HandlerBench } from './handler-bench.ts'
import { array, filesWith, LANE } from './memory-thread.ts'

const RECEIPT = `${HEADER.node}-0-1-${HEADER.tag}`
const AT_MS = Date.UTC(2026, 10, 21, 1, 30, 15, 7)
const COLLECTION = '{"token":"t","data":[{"id":9007199254740993},"ü"],"vers\\u0069on":"7\\n"}'
const collection = (text = COLLECTION) => valueRecord(text, { kind: 'collection', payloads: 2, source: 'shop' })
/** So many records of one payload each, their numbers. */
const singles = (count: number, first = 0) => Array.from({ length: count }, (_, i) => valueRecord(`${first + i}`))
const dead = () => new DeadLetter('no such customer')

describe('a function is given', () => {
  const frames = [
    [collection(), valueRecord('[]', { kind: 'array', payloads: 0 })],
    [valueRecord('{"a": 1}\r\n\n[2]', { kind: 'lines', payloads: 2 }), valueRecord(' -0.0 ')],
  ]

  test('all payloads of a record, parsed, with what is known of it; one without payloads is no call', async () => {
    const bench = new HandlerBench(filesWith([{ frames }]))
    bench.answer = (made) => made.take()
    const { outcome } = await bench.deliver()
    expect(bench.made.map(({ payloads, receipt, version, source }) => [payloads, receipt, version, source])).toEqual([
      [[{ id: Number('9007199254740993') }, 'ü'], `${RECEIPT}-0`, '7\n', 'shop'],
      [[{ a: 1 }, [2]], `${RECEIPT}-2`, null, 'default'],
      [[-0], `${RECEIPT}-3`, null, 'default'],
    ])
    expect(bench.made[0]).toMatchObject({ index: 0, attempt: 1, receivedAtMs: AT_MS })
    expect(outcome()).toMatchObject({ kind: 'stored', format: 'handled', objects: [], payloads: 5, letters: [] })
  })

  test('with `raw` the texts that were posted, every digit of them', async () => {
    const bench = new HandlerBench(filesWith([{ frames }]), { raw: true })
    bench.answer = (made) => made.take()
    await bench.deliver()
    expect(bench.made.map(({ payloads }) => payloads)).toEqual([
      ['{"id":9007199254740993}', '"ü"'],
      ['{"a": 1}', '[2]'],
      ['-0.0'],
    ])
  })

  test('with `batch: payload` one at a time, each with its index', async () => {
    const bench = new HandlerBench(filesWith([{ frames }]), { batch: 'payload', raw: true })
    bench.answer = (made) => made.take()
    const { outcome } = await bench.deliver()
    expect(bench.made.map(({ name, payloads }) => [name, payloads])).toEqual([
      ['0.0', ['{"id":9007199254740993}']],
      ['0.1', ['"ü"']],
      ['2.0', ['{"a": 1}']],
      ['2.1', ['[2]']],
      ['3.0', ['-0.0']],
    ])
    expect(outcome()).toMatchObject({ kind: 'stored', payloads: 5 })
  })

  test('the version of a collection that is too deep for the quick look', async () => {
    const deep = `{"x":${'['.repeat(100)}${']'.repeat(100)},"version":"8","token":"t","data":[1,2]}`
    const bench = new HandlerBench(filesWith([{ frames: [[collection(deep)]] }]))
    await bench.deliver()
    expect(bench.made[0]).toMatchObject({ version: '8', payloads: [1, 2] })
  })

  test('values of its own at each attempt, whatever it did to the last ones', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [[array(1, 3)]] }]))
    bench.answer = (made) => {
      expect(made.payloads).toEqual([1, 2, 3])
      made.payloads.length = 0
      if (made.attempt === 3) made.take()
      else made.fail(new Error('not yet'))
    }
    const { outcome } = await bench.deliver()
    await bench.platform.clock.advance(1000)
    expect(bench.made).toHaveLength(3)
    expect(outcome()).toMatchObject({ kind: 'stored', payloads: 3 })
  })
})

describe('what it does not take', () => {
  test('is given again for as long as that lasts, with pauses that grow to 15 s, and told of', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(1)] }]), { callsMax: 1 })
    bench.answer = (made) => (made.attempt <= 500 ? made.fail(new Error('the database\n is down')) : made.take())
    const { outcome } = await bench.deliver()
    expect(bench.deliveries.parked).toBe(
      `all of 1 calls at once have failed and are tried again, ${RECEIPT}-0: Error: the database is down`,
    )
    await bench.platform.clock.advance(3_600_000 * 3)
    expect(outcome()).toMatchObject({ kind: 'stored', payloads: 1 })
    expect(bench.made.map(({ attempt }) => attempt)).toEqual(Array.from({ length: 501 }, (_, i) => i + 1))
    const pauses = bench.events.flatMap((event) => (event.kind === 'delivery-retry' ? event.pauseMs : []))
    for (const [i, pauseMs] of pauses.entries()) expect(pauseMs).toBeLessThanOrEqual(Math.min(15_000, 100 * 2 ** i))
    expect(Math.max(...pauses)).toBeGreaterThan(14_000)
    expect(Math.min(...pauses.slice(20))).toBeLessThan(1000)
    expect(bench.deliveries).toMatchObject({ parked: undefined, calls: { running: 0, failing: 0, retried: 500 } })
  })

  test('what it throws at once, without a promise, is a failure as well', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(1)] }]))
    bench.answer = (made) => {
      if (made.attempt === 1) throw new TypeError('oops')
      made.take()
    }
    const { outcome } = await bench.deliver()
    await bench.platform.clock.advance(100)
    expect(outcome()).toMatchObject({ kind: 'stored' })
  })

  test('keeps one call of those at once, and nobody else: its segment waits, the next ones go on', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(5)] }, { frames: [singles(5, 10)] }]), { callsMax: 2 })
    bench.answer = (made) => (made.payloads[0] === 1 ? made.fail(new Error('poison')) : made.take())
    const first = await bench.deliver(1)
    const second = await bench.deliver(2)
    await bench.platform.clock.advance(60_000)
    expect([first.outcome(), second.outcome()]).toMatchObject([undefined, { kind: 'stored', payloads: 5 }])
    expect(bench.deliveries.parked).toBeUndefined()
    expect(bench.deliveries.calls).toMatchObject({ running: 1, failing: 1 })
    bench.answer = (made) => made.take()
    await bench.platform.clock.advance(15_000)
    expect(first.outcome()).toMatchObject({ kind: 'stored', payloads: 5 })
  })

  test('for too long: the signal aborts, it has failed, and is given again', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(1)] }]), { timeoutMs: 5000 })
    const { outcome } = await bench.deliver()
    await bench.platform.clock.advance(4999)
    expect(bench.made[0]?.signal.aborted).toBe(false)
    await bench.platform.clock.advance(1)
    expect(bench.made[0]?.signal.aborted).toBe(true)
    await bench.platform.clock.advance(100)
    expect(bench.made.map(({ attempt }) => attempt)).toEqual([1, 2])
    // Nobody hears the first any more: it has failed.
    bench.made[0]?.take()
    await quiet()
    expect(outcome()).toBeUndefined()
    bench.made[1]?.take()
    await quiet()
    expect(outcome()).toMatchObject({ kind: 'stored' })
  })

  test('calls that go on after their time have a bound as well', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(1)] }]), { callsMax: 1, timeoutMs: 10 })
    const { outcome } = await bench.deliver()
    await bench.platform.clock.advance(15_010 * (DEAF_CALLS_MAX + 100))
    expect(bench.open).toHaveLength(DEAF_CALLS_MAX + 1)
    bench.answer = (made) => made.take()
    bench.made[0]?.take()
    await bench.platform.clock.advance(15_010)
    expect(outcome()).toMatchObject({ kind: 'stored' })
  })
})

describe('calls at once', () => {
  test('are as many as may be, of all segments together, begun in the order of arrival', async () => {
    const frames = [singles(40), singles(40, 40)]
    const bench = new HandlerBench(filesWith([{ frames }, { frames }]), { callsMax: 7 })
    const both = [await bench.deliver(1), await bench.deliver(2)]
    expect(bench.open).toHaveLength(7)
    for (let next = 0; next < bench.made.length; next++) {
      bench.made[next]?.take()
      await quiet()
    }
    expect(bench.mostAtOnce).toBe(7)
    const order = Array.from({ length: 80 }, (_, i) => i)
    expect(bench.made.map(({ payloads }) => payloads[0])).toEqual([...order, ...order])
    expect(both.map(({ outcome }) => outcome()?.kind)).toEqual(['stored', 'stored'])
  })
})

test('the bodies in hand have a bound: a record waits until there is room for it', async () => {
  const long = valueRecord(`"${'x'.repeat(0.45 * HELD_BYTES_MAX)}"`)
  const misfit = { ...long, kind: 'array' as const }
  const frames = [[misfit], [long], [misfit], [long], [long], singles(1)]
  const bench = new HandlerBench(filesWith([{ frames }]), { raw: true })
  const { outcome } = await bench.deliver()
  expect(bench.names).toEqual(['1.0', '3.0'])
  bench.made[1]?.take()
  await quiet()
  expect(bench.names).toEqual(['1.0', '3.0', '4.0', '5.0'])
  for (const made of bench.open) made.take()
  await quiet()
  expect(outcome()).toMatchObject({ kind: 'stored', payloads: 4 })
})

test('a record that isn’t what intake saw is buried, and not given', async () => {
  const miscounted = valueRecord('[1,2]', { kind: 'array', payloads: 99 })
  const bench = new HandlerBench(filesWith([{ frames: [[...singles(1), miscounted, ...singles(1)]] }]))
  bench.answer = (made) => made.take()
  const { outcome } = await bench.deliver()
  expect(bench.names).toEqual(['0.0', '2.0'])
  const reason = 'the array holds 2 payloads where intake counted 99'
  expect(outcome()).toMatchObject({ payloads: 2, letters: [{ place: 1, payloads: 99, reason }] })
})

describe('what it says that it never will take', () => {
  const deadFile = (bench: HandlerBench, place: number) =>
    Buffer.from(bench.platform.files.get(`${LANE}/dead/${RECEIPT}-${place}.dead`) ?? '').toString()

  test('goes to dead/ with reason and attempts, is not given again, and counts as dead; an error’s code will do', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [[array(1, 3), collection(), array(4, 1)]] }]))
    bench.answer = (made) => {
      if (made.name === '2.0') return made.take()
      if (made.attempt < 3) return made.fail(new Error('not yet'))
      made.fail(made.name === '0.0' ? dead() : Object.assign(new Error('nor\nthat'), { code: 'dead_letter' }))
    }
    const { outcome } = await bench.deliver()
    await bench.platform.clock.advance(1000)
    const delivered = outcome()
    if (delivered?.kind !== 'stored') throw new Error('it is not over')
    const letters = delivered.letters.toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0))
    expect(letters).toMatchObject([
      { place: 0, payloads: 3, reason: 'no such customer' },
      { place: 1, payloads: 2, reason: 'nor that' },
    ])
    expect(delivered.payloads).toBe(1)
    const [line = '', body] = deadFile(bench, 1).split('\n')
    expect(JSON.parse(line)).toMatchObject({
      receipt: `${RECEIPT}-1`,
      kind: 'collection',
      payloads: 2,
      source: 'shop',
      received_at: '2026-11-21T01:30:15.007Z',
      attempts: 3,
      reason: 'nor that',
    })
    expect(body).toBe(COLLECTION)
    expect(bench.events.filter(({ kind }) => kind === 'dead-letter')).toHaveLength(2)
  })

  test('of a record’s payloads one by one: those that die are kept as a record of their own, the others are taken', async () => {
    const text = '{"version":"7","data":[ 0, 1 ,2,3 ],"token":"t"}'
    const four = valueRecord(text, { kind: 'collection', payloads: 4 })
    const lines = valueRecord('1\n2\n3', { kind: 'lines', payloads: 3 })
    const bench = new HandlerBench(filesWith([{ frames: [[four, lines, array(1, 1)]] }]), { batch: 'payload' })
    bench.answer = (made) => (Number(made.payloads[0]) % 2 === 1 ? made.fail(dead()) : made.take())
    const { outcome } = await bench.deliver()
    const delivered = outcome()
    if (delivered?.kind !== 'stored') throw new Error('it is not over')
    expect(delivered.letters.toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0))).toEqual([
      { place: 0, payloads: 2, bytes: 2, reason: 'no such customer', indexes: [1, 3] },
      { place: 1, payloads: 2, bytes: 2, reason: 'no such customer', indexes: [0, 2] },
      { place: 2, payloads: 1, bytes: expect.any(Number), reason: 'no such customer' },
    ])
    expect(delivered.payloads).toBe(3)
    expect([0, 1, 2].map((place) => deadFile(bench, place).split('\n').slice(1).join('\n'))).toEqual([
      '{"version":"7","data":[ 1,3 ],"token":"t"}',
      '1\n3',
      '[1]',
    ])
  })
})

test('a stop ends what is under way, in a pause, or waits to begin; what comes of it later is not heard', async () => {
  const bench = new HandlerBench(filesWith([{ frames: [singles(10)] }, { frames: [singles(10)] }]), { callsMax: 3 })
  const both = [await bench.deliver(1), await bench.deliver(2)]
  bench.made[0]?.take()
  bench.made[1]?.fail(new Error('in a pause'))
  await quiet()
  expect(both.map(({ outcome }) => outcome())).toEqual([undefined, undefined])
  const stopped = bench.deliveries.stop()
  await quiet()
  expect(both.map(({ outcome }) => outcome())).toEqual([{ kind: 'stopped' }, { kind: 'stopped' }])
  expect(bench.open.every(({ signal }) => signal.aborted)).toBe(true)
  for (const made of bench.open) made.take()
  await stopped
  await bench.platform.clock.advance(60_000)
  expect(bench.made).toHaveLength(4)
  expect(bench.platform.clock.pending).toBe(0)

  // What was taken is not given again.
  const next = new HandlerBench(bench.platform.files.killed(), { callsMax: 3 })
  next.answer = (made) => made.take()
  const again = await next.deliver(1)
  expect(again.outcome()).toMatchObject({ kind: 'stored', payloads: 10 })
  expect(next.names).toEqual(['1.0', '2.0', '3.0', '4.0', '5.0', '6.0', '7.0', '8.0', '9.0'])
})

test('what is damaged is set aside, the rest is given, and a receipt’s fate can be told', async () => {
  const files = filesWith([{ frames: [singles(2), singles(3), singles(2)] }])
  const [path = '', bytes = new Uint8Array()] = [...files.all()][0] ?? []
  const secondFrame = Buffer.from(bytes).indexOf('MRF1'.split('').reverse().join(''), 70 + 60)
  const damaged = Buffer.from(bytes)
  damaged[secondFrame + 40] = (damaged[secondFrame + 40] as number) ^ 1
  files.put(path, damaged)
  const bench = new HandlerBench(files)
  bench.answer = (made) => made.take()
  const { outcome } = await bench.deliver()
  const delivered = outcome()
  expect(bench.names).toEqual(['0.0', '1.0', '5.0', '6.0'])
  expect(delivered).toMatchObject({
    payloads: 4,
    letters: [{ place: undefined }],
    read: [
      [0, 2],
      [5, 2],
    ],
  })
  const entry = { ...delivered, at: '2026-11-21T01:30:20.000Z', destination: 'handler', records: 7 }
  const sources = { node: HEADER.node, holds: () => false, find: async () => entry as never }
  const states = [0, 1, 2, 4, 5, 6, 7].map(async (place) => (await whereIs(`${RECEIPT}-${place}`, sources))?.state)
  expect(await Promise.all(states)).toEqual(['stored', 'stored', 'dead', 'dead', 'stored', 'stored', undefined])
})
