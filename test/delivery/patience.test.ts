/** Patience: an object is put for as long as it takes, with pauses that grow, differ, have a bound and end when told to. */

import { describe, expect, test } from 'bun:test'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { Parking } from '../../src/delivery/parking.ts'
import { putUntilStored, type Trouble } from '../../src/delivery/patience.ts'
import { PutLimit } from '../../src/delivery/put-limit.ts'
import { Body } from '../../src/destination/body.ts'
import type { Found, OutgoingObject, PutOutcome } from '../../src/destination/destination.ts'
import { FakeClock, quiet, SeededRandom } from '../memory-platform.ts'

const OBJECT: OutgoingObject = {
  name: 'default/x.ndjson',
  body: new Body([new Uint8Array([1])]),
  sha256: new Uint8Array(32),
  contentType: 'application/x-ndjson',
  contentEncoding: undefined,
}

const STORED: PutOutcome = { kind: 'stored', already: false }

/** What looking at a taken name needs, which nobody does in these tests. */
const LOOK = { decompress: createDecompressor, format: 'lines' as const }
const MISSING: Found = { kind: 'missing' }
const read = async () => MISSING

/** Puts until `outcomes` run out, then stores; notes when each attempt was made. */
function putting(
  outcomes: readonly PutOutcome[],
  seed = 1,
  clock = new FakeClock(),
  parking = new Parking(clock),
  found = MISSING,
) {
  const stop = new AbortController()
  const attempts: number[] = []
  const troubles: Trouble[] = []
  const destination = {
    url: 'test:',
    read: async () => found,
    put: async (_: OutgoingObject, signal: AbortSignal) => {
      expect(signal).toBe(stop.signal)
      attempts.push(clock.monotonicMs())
      return outcomes[attempts.length - 1] ?? STORED
    },
  }
  const it = { clock, parking, stop, attempts, troubles, result: undefined as boolean | undefined }
  const onTrouble = (trouble: Trouble) => troubles.push(trouble)
  const random = new SeededRandom(seed)
  const limit = new PutLimit(clock, 4)
  const context = { ...LOOK, clock, random, destination, parking, limit, onTrouble, signal: stop.signal }
  void putUntilStored(OBJECT, context).then((result) => {
    it.result = result !== undefined
  })
  return it
}

const times = (count: number, kind: 'retry' | 'park'): PutOutcome[] =>
  Array.from({ length: count }, (_, i) => ({ kind, reason: `trouble ${i}` }))

/** The pauses after each of `count` faults, for many seeds: `pauses[attempt][seed]`. */
async function pausesOf(kind: 'retry' | 'park', count: number): Promise<number[][]> {
  const pauses: number[][] = Array.from({ length: count }, () => [])
  for (let seed = 0; seed < 100; seed++) {
    const it = putting(times(count, kind), seed)
    await it.clock.advance(3_600_000)
    expect(it.result).toBe(true)
    for (const [i, { pauseMs }] of it.troubles.entries()) pauses[i]?.push(pauseMs)
    const gaps = it.attempts.slice(1).map((at, i) => at - (it.attempts[i] as number))
    for (const [i, gap] of gaps.entries()) expect(gap).toBeCloseTo(it.troubles[i]?.pauseMs ?? -1, 6)
  }
  return pauses
}

test('a destination that asks to be left alone for a while is, and nobody else puts meanwhile; but not for ever', async () => {
  for (const [askedMs, waitedMs] of [
    [5000, 5000],
    [3_600_000, 60_000],
  ] as const) {
    const it = putting([{ kind: 'retry', reason: 'slow down', throttled: { retryAfterMs: askedMs } }])
    await it.clock.advance(waitedMs - 1)
    expect(it.attempts).toEqual([0])
    await it.clock.advance(1)
    expect([it.attempts, it.result]).toEqual([[0, waitedMs], true])
  }
})

test('an object that is stored at once is put once', async () => {
  const it = putting([])
  await quiet()
  expect([it.result, it.attempts.length, it.troubles]).toEqual([true, 1, []])
})

describe('pauses after a passing fault', () => {
  test('double from 0.1 s to 15 s at most, anywhere between nothing and that', async () => {
    const bounds = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 15_000, 15_000]
    for (const [i, pauses] of (await pausesOf('retry', bounds.length)).entries()) {
      const bound = bounds[i] as number
      expect(pauses).toHaveLength(100)
      expect(Math.max(...pauses)).toBeLessThan(bound)
      expect(Math.max(...pauses)).toBeGreaterThan(bound * 0.9)
      expect(Math.min(...pauses)).toBeLessThan(bound * 0.1)
    }
  })

  test('stay at their bound for as long as it takes', async () => {
    const it = putting(times(3000, 'retry'))
    await it.clock.advance(12 * 3_600_000)
    expect([it.result, it.attempts.length]).toEqual([true, 3001])
    expect(Math.max(...it.troubles.map(({ pauseMs }) => pauseMs))).toBeLessThan(15_000)
  })
})

describe('pauses while the destination is parked', () => {
  test('double from 1 s to 60 s at most, and are at least half of that', async () => {
    const bounds = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
    for (const [i, pauses] of (await pausesOf('park', bounds.length)).entries()) {
      const bound = bounds[i] as number
      expect(Math.max(...pauses)).toBeLessThan(bound)
      expect(Math.max(...pauses)).toBeGreaterThan(bound * 0.9)
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(bound * 0.5)
      expect(Math.min(...pauses)).toBeLessThan(bound * 0.6)
    }
  })

  test('end early, all of them, when something else is stored', async () => {
    const clock = new FakeClock()
    const parking = new Parking(clock)
    const parked = [1, 2, 3].map((seed) => putting(times(1, 'park'), seed, clock, parking))
    await quiet()
    const other = putting([], 4, clock, parking)
    await quiet()
    expect([...parked, other].map(({ result }) => result)).toEqual([true, true, true, true])
    expect(clock.monotonicMs()).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('do not end early for an object whose own trouble it is', async () => {
    const clock = new FakeClock()
    const parking = new Parking(clock)
    const alone = putting([{ kind: 'park', reason: 'its own', isAlone: true }], 1, clock, parking)
    await quiet()
    const other = putting([], 4, clock, parking)
    await quiet()
    expect([alone.result, other.result]).toEqual([undefined, true])
    await clock.advance(alone.troubles[0]?.pauseMs ?? 0)
    expect(alone.result).toBe(true)
  })

  test('begin anew after such an end: those still refused wait again', async () => {
    const clock = new FakeClock()
    const parking = new Parking(clock)
    const it = putting(times(2, 'park'), 1, clock, parking)
    await quiet()
    putting([], 4, clock, parking)
    await quiet()
    expect([it.attempts.length, it.result]).toEqual([2, undefined])
    await clock.advance(2000)
    expect(it.result).toBe(true)
  })

  test('of a name that is taken do not end early: others that are stored say nothing of it', async () => {
    const clock = new FakeClock()
    const other = { kind: 'failed', passing: false, reason: 'no GET' } as const
    const it = putting([{ kind: 'stored', already: true }], 1, clock, new Parking(clock), other)
    await quiet()
    for (let seed = 2; seed < 9; seed++) putting([], seed, clock, it.parking)
    await quiet()
    expect([it.attempts, it.troubles.map(({ kind }) => kind)]).toEqual([[0], ['taken']])
    await clock.advance(1000)
    expect([it.attempts.length, it.result]).toEqual([2, true])
  })

  test('a pause after a passing fault does not end early: all trying again at once would be the next fault', async () => {
    const clock = new FakeClock()
    const parking = new Parking(clock)
    const it = putting(times(1, 'retry'), 1, clock, parking)
    putting(times(1, 'park'), 2, clock, parking)
    await quiet()
    putting([], 3, clock, parking)
    await quiet()
    expect(it.attempts).toHaveLength(1)
  })
})

test('each trouble is told with its object, reason, attempt and pause', async () => {
  const it = putting([
    { kind: 'retry', reason: 'slow down' },
    { kind: 'park', reason: 'no such bucket' },
  ])
  await it.clock.advance(10_000)
  expect(it.troubles).toMatchObject([
    { kind: 'retry', object: OBJECT.name, reason: 'slow down', attempt: 1 },
    { kind: 'park', object: OBJECT.name, reason: 'no such bucket', attempt: 2 },
  ])
})

describe('a stop', () => {
  test.each(['retry', 'park'] as const)('ends the pause after a %s at once, without another put', async (kind) => {
    const it = putting(times(5, kind))
    await quiet()
    it.stop.abort()
    await quiet()
    expect([it.result, it.attempts.length, it.clock.pending]).toEqual([false, 1, 0])
  })

  /** Puts by `put` until `signal` aborts; what is there in the end, and the trouble that was told. */
  async function putBy(put: () => Promise<PutOutcome>, signal: AbortSignal) {
    const clock = new FakeClock()
    const troubles: Trouble[] = []
    const there = await putUntilStored(OBJECT, {
      ...LOOK,
      clock,
      parking: new Parking(clock),
      limit: new PutLimit(clock, 1),
      random: new SeededRandom(1),
      destination: { url: '', put, read },
      signal,
      onTrouble: (trouble) => troubles.push(trouble),
    })
    return { there, troubles }
  }

  test('before the first put puts nothing', async () => {
    const put = () => Promise.reject(new Error('it was put'))
    expect((await putBy(put, AbortSignal.abort())).there).toBeUndefined()
  })

  test('during a put that fails tells no trouble, and puts no more', async () => {
    const stop = new AbortController()
    const it = putting([], 1)
    await quiet()
    expect(it.result).toBe(true)
    const put = async (): Promise<PutOutcome> => {
      stop.abort()
      return { kind: 'retry', reason: 'the signal' }
    }
    expect(await putBy(put, stop.signal)).toEqual({ there: undefined, troubles: [] })
  })

  test('during a put that stores says that it is stored', async () => {
    const stop = new AbortController()
    const put = async () => {
      stop.abort()
      return STORED
    }
    expect((await putBy(put, stop.signal)).there).toBeDefined()
  })
})
