/** The limit of puts under way: what each answer does to it, step by step, and where it settles in the end. */

import { describe, expect, test } from 'bun:test'
import {
  FLOOR_PAUSE_MS,
  LIMIT_AT_START,
  type PutCounts,
  PutLimit,
  type PutResult,
  type PutTicket,
  QUICK_MS,
  RETRY_AFTER_MS_MAX,
  ROUNDS_BEFORE_TRIAL,
} from '../../src/delivery/put-limit.ts'
import { FakeClock, SeededRandom } from '../memory-platform.ts'

const THROTTLED: PutResult = { kind: 'throttled', retryAfterMs: undefined }
const FAILED: PutResult = { kind: 'failed' }
const stored = (bytes = 1000): PutResult => ({ kind: 'stored', bytes })

/** A limit, and puts that a test ends as it likes. */
class Bench {
  readonly clock = new FakeClock()
  readonly limit: PutLimit
  readonly underWay: PutTicket[] = []
  counts: PutCounts = { inFlight: 0, limit: 0, throttled: 0 }

  constructor(max: number) {
    this.limit = new PutLimit(this.clock, max, (counts) => {
      this.counts = counts
    })
  }

  /** So many want to put; as many begin as may. */
  async want(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      void Promise.resolve(this.limit.take()).then((ticket) => this.underWay.push(ticket))
    }
    await this.clock.advance(0)
  }

  /** The oldest so many end so. */
  async end(result: PutResult, count = this.underWay.length): Promise<void> {
    for (const ticket of this.underWay.splice(0, count)) this.limit.done(ticket, result)
    await this.clock.advance(0)
  }

  /** Whole rounds that take `ms` each, with more wanting than may. */
  async rounds(count: number, ms: number, result = stored()): Promise<number[]> {
    const limits: number[] = []
    for (let i = 0; i < count; i++) {
      await this.clock.advance(ms)
      await this.end(result)
      limits.push(this.counts.limit)
    }
    return limits
  }
}

test('as many as may be are under way, and the next begins when one is over', async () => {
  const bench = new Bench(3)
  await bench.want(5)
  expect(bench.counts).toEqual({ inFlight: 3, limit: 3, throttled: 0 })
  await bench.end(stored(), 1)
  expect([bench.underWay.length, bench.counts.inFlight]).toEqual([3, 3])
  await bench.end(FAILED)
  await bench.end(FAILED)
  expect(bench.counts).toEqual({ inFlight: 0, limit: 3, throttled: 0 })
})

describe('a throttled answer', () => {
  test('halves the limit, once for all puts that were under way; those begun after it may halve it again', async () => {
    const bench = new Bench(32)
    await bench.want(1000)
    await bench.end(THROTTLED, 24)
    expect(bench.counts).toEqual({ inFlight: 8 + 8, limit: 16, throttled: 24 })
    await bench.end(THROTTLED, 8)
    expect(bench.counts).toMatchObject({ limit: 16, throttled: 32 })
    await bench.end(THROTTLED, 1)
    expect(bench.counts).toMatchObject({ limit: 8, throttled: 33 })
  })

  test('never leaves less than one; and from there it grows again, more carefully than at first', async () => {
    const bench = new Bench(32)
    await bench.want(10_000)
    await bench.rounds(20, 20, THROTTLED)
    expect(bench.counts.limit).toBe(1)
    await bench.clock.advance(FLOOR_PAUSE_MS.max)
    expect(await bench.rounds(9, 20)).toEqual([1, 1, 1, 2, 2, 2, 2, 3, 3])
    expect((await bench.rounds(200, 20)).at(-1)).toBe(32)
  })

  test('to the only put under way keeps all of them waiting, twice as long each time until one is stored', async () => {
    const bench = new Bench(1)
    await bench.want(100)
    const pauses: number[] = []
    for (const result of [...Array(9).fill(THROTTLED), FAILED, stored(), THROTTLED]) {
      await bench.end(result)
      let pauseMs = 0
      for (; bench.counts.inFlight === 0; pauseMs += 10) await bench.clock.advance(10)
      pauses.push(pauseMs)
    }
    expect(pauses).toEqual([50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 0, 0, 50])
  })

  test('that asks for time gets it: nobody begins before, and then they do by themselves', async () => {
    const bench = new Bench(4)
    await bench.want(100)
    await bench.end({ kind: 'throttled', retryAfterMs: 5000 }, 1)
    await bench.end(stored())
    expect(bench.counts).toMatchObject({ inFlight: 0, limit: 2 })
    await bench.clock.advance(4999)
    expect(bench.counts.inFlight).toBe(0)
    await bench.clock.advance(1)
    expect(bench.counts.inFlight).toBe(2)
    await bench.end({ kind: 'throttled', retryAfterMs: 1e12 })
    await bench.clock.advance(RETRY_AFTER_MS_MAX)
    expect(bench.counts.inFlight).toBe(1)
  })

  test('that asks for time gets it from those, too, who come when nothing else is under way', async () => {
    const bench = new Bench(4)
    await bench.want(1)
    await bench.end({ kind: 'throttled', retryAfterMs: 5000.3 })
    await bench.clock.advance(1000)
    await bench.want(1)
    expect(bench.counts.inFlight).toBe(0)
    await bench.clock.advance(4001)
    expect(bench.counts.inFlight).toBe(1)
  })
})

describe('a destination that is away or refuses', () => {
  test('changes nothing, however long', async () => {
    const bench = new Bench(32)
    await bench.want(10_000)
    await bench.rounds(100, 60_000, FAILED)
    expect(bench.counts).toEqual({ inFlight: 32, limit: 32, throttled: 0 })
  })
})

describe('growth', () => {
  test('begins where the limit is felt, and ends at the most there may be', async () => {
    const bench = new Bench(120)
    expect(bench.counts.limit).toBe(LIMIT_AT_START)
    for (let i = 0; i < 10; i++) {
      await bench.want(LIMIT_AT_START)
      await bench.rounds(1, 20)
    }
    expect(bench.counts.limit).toBe(LIMIT_AT_START)
    await bench.want(10_000)
    expect(await bench.rounds(5, 20)).toEqual([80, 100, 120, 120, 120])
  })

  test('that gains nothing is taken back: each put took longer by as much', async () => {
    const bench = new Bench(1000)
    await bench.want(10_000)
    await bench.rounds(1, 16)
    expect(bench.counts.limit).toBe(80)
    expect(await bench.rounds(3, 20)).toEqual([64, 64, 64])
  })

  test('has no use where answers are quick: more at once would only wait here', async () => {
    const bench = new Bench(1000)
    await bench.want(10_000)
    expect((await bench.rounds(20, QUICK_MS - 1)).at(-1)).toBe(LIMIT_AT_START)
    expect((await bench.rounds(20, QUICK_MS)).at(-1)).toBeGreaterThan(LIMIT_AT_START)
  })
})

describe('latency', () => {
  test('that becomes more than twice what is usual lowers the limit, round by round', async () => {
    const bench = new Bench(50)
    await bench.want(10_000)
    await bench.rounds(10, 30)
    // Those under way when it was lowered say nothing more.
    expect(await bench.rounds(6, 300)).toEqual([40, 40, 32, 32, 25, 25])
  })

  test('that stays is usual in the end: the limit grows again', async () => {
    const bench = new Bench(50)
    await bench.want(30_000)
    await bench.rounds(10, 30)
    const limits = await bench.rounds(300, 300)
    expect(Math.min(...limits)).toBeGreaterThan(5)
    expect(limits.at(-1)).toBe(50)
  })

  test('that varies as it always does lowers nothing', async () => {
    const random = new SeededRandom(3)
    const bench = new Bench(32)
    await bench.want(30_000)
    for (let i = 0; i < 20_000; i++) {
      // Most within 20 to 60 ms, one of a hundred takes a second.
      await bench.clock.advance(1 + random.unit())
      const at = random.below(bench.underWay.length)
      const [ticket] = bench.underWay.splice(at, 1)
      if (ticket) bench.limit.done(ticket, stored())
    }
    expect(bench.counts.limit).toBe(32)
  })

  test('is compared with that of objects about as large: large ones after small ones are not slow', async () => {
    const bench = new Bench(32)
    await bench.want(30_000)
    await bench.rounds(20, 20, stored(200))
    expect(await bench.rounds(3, 5000, stored(64 << 20))).toEqual([32, 32, 32])
    expect(await bench.rounds(3, 20, stored(200))).toEqual([32, 32, 32])
    expect((await bench.rounds(1, 50_000, stored(64 << 20)))[0]).toBeLessThan(32)
  })

  test('of a few ms is never slow', async () => {
    const bench = new Bench(32)
    await bench.want(10_000)
    await bench.rounds(10, 0.1)
    expect(await bench.rounds(3, QUICK_MS - 1)).toEqual([32, 32, 32])
  })
})

test.each([1, 3, 8, 20])(
  'with a destination that throttles above %d at once it settles, and throttling is rare',
  async (able) => {
    const bench = new Bench(32)
    await bench.want(30_000)
    const ends: { atMs: number; ticket: PutTicket; result: PutResult }[] = []
    let taken = 0
    const after = { stored: 0, throttled: 0 }
    for (let ms = 0; ms < 12_000; ms++) {
      for (const ticket of bench.underWay.splice(0)) {
        const isTooMany = taken >= able
        if (!isTooMany) taken += 1
        ends.push({ atMs: ms + (isTooMany ? 5 : 30), ticket, result: isTooMany ? THROTTLED : stored() })
      }
      await bench.clock.advance(1)
      for (const { ticket, result } of ends.filter(({ atMs }) => atMs === ms)) {
        if (result.kind === 'stored') taken -= 1
        if (ms > 4000) after[result.kind as 'stored' | 'throttled'] += 1
        bench.limit.done(ticket, result)
      }
      await bench.clock.advance(0)
    }
    const possible = (8000 / 30) * able
    expect(after.stored / possible).toBeGreaterThan(0.6)
    expect(after.throttled / after.stored).toBeLessThan(able === 1 ? 0.25 : 0.05)
  },
)

describe('a limit above its start', () => {
  /** Rounds at a store that takes `msFor` so many puts at once. */
  async function settle(bench: Bench, rounds: number, msFor: (puts: number) => number): Promise<number[]> {
    const limits: number[] = []
    for (let i = 0; i < rounds; i++) limits.push(...(await bench.rounds(1, msFor(bench.underWay.length))))
    return limits
  }

  test('is given up where the start stores as much, and the growth was deceived by something else', async () => {
    const bench = new Bench(256)
    await bench.want(1_000_000)
    // While the machine warms up, each round is better than the one before, for another reason.
    let ms = 100
    await settle(bench, 8, () => (ms *= 0.85))
    expect(bench.counts.limit).toBe(256)
    // And then a put takes as long as there are others beside it.
    const limits = await settle(bench, ROUNDS_BEFORE_TRIAL + 20, (puts) => puts / 8)
    expect(limits.at(-1)).toBe(LIMIT_AT_START)
    expect(limits.filter((limit) => limit > LIMIT_AT_START).length).toBeLessThan(ROUNDS_BEFORE_TRIAL + 5)
  })

  test('is kept where answers take their time however many are under way', async () => {
    const bench = new Bench(256)
    await bench.want(1_000_000)
    const limits = await settle(bench, 10 * ROUNDS_BEFORE_TRIAL, () => 40)
    expect(limits.at(-1)).toBe(256)
    // The start is tried again and again, for as short as it takes to see.
    const low = limits.slice(20).filter((limit) => limit < 256).length
    expect(low).toBeGreaterThan(5)
    expect(low).toBeLessThan(limits.length * 0.15)
  })
})

test('a lasting rise of latency costs some rounds, not minutes: what has become usual is grown with as at the start', async () => {
  const bench = new Bench(256)
  await bench.want(1_000_000)
  await bench.rounds(30, 20)
  expect(bench.counts.limit).toBeGreaterThan(200)
  const limits = await bench.rounds(40, 300)
  expect(Math.min(...limits)).toBeLessThan(100)
  expect(limits.at(-1)).toBeGreaterThan(200)
})
