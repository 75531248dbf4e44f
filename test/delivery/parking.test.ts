/** After an outage nobody waits out a long pause while others are stored; and nobody hurries because of it who shouldn't. */

import { expect, test } from 'bun:test'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { AWAY_MS, BACK_SPREAD_MS, Parking } from '../../src/delivery/parking.ts'
import { putUntilStored } from '../../src/delivery/patience.ts'
import { PutLimit } from '../../src/delivery/put-limit.ts'
import { Body } from '../../src/destination/body.ts'
import type { OutgoingObject, PutOutcome } from '../../src/destination/destination.ts'
import { FakeClock, SeededRandom } from '../memory-platform.ts'

const AWAY: PutOutcome = { kind: 'retry', reason: 'connection refused' }
const STORED: PutOutcome = { kind: 'stored', already: false }
const PUT_MS = 5

/** A thread's puts to a destination that answers so; when each was tried, and when it was stored. */
class Thread {
  readonly clock = new FakeClock()
  readonly stop = new AbortController()
  readonly tries = new Map<string, number[]>()
  readonly storedMs = new Map<string, number>()
  underWayMost = 0
  #underWay = 0
  readonly #context

  constructor(answer: (name: string, nowMs: number) => PutOutcome, putsMax = 1000) {
    const { clock } = this
    const put = async ({ name }: OutgoingObject) => {
      this.#underWay += 1
      this.underWayMost = Math.max(this.underWayMost, this.#underWay)
      this.tries.set(name, [...(this.tries.get(name) ?? []), clock.monotonicMs()])
      await clock.sleep(PUT_MS)
      this.#underWay -= 1
      return answer(name, clock.monotonicMs())
    }
    this.#context = {
      clock,
      random: new SeededRandom(1),
      destination: { url: 'test:', put, read: async () => ({ kind: 'missing' as const }) },
      decompress: createDecompressor,
      format: 'lines' as const,
      parking: new Parking(clock),
      limit: new PutLimit(clock, putsMax),
      onTrouble: () => {},
      signal: this.stop.signal,
    }
  }

  begin(name: string): void {
    const object = {
      name,
      body: new Body([new Uint8Array(1)]),
      sha256: new Uint8Array(32),
      contentType: '',
      contentEncoding: undefined,
    }
    void putUntilStored(object, this.#context).then((there) => {
      if (there) this.storedMs.set(name, this.clock.monotonicMs())
    })
  }

  /** The last try of each. */
  get lastTries(): number[] {
    return [...this.tries.values()].map((times) => times.at(-1) as number)
  }
}

const OUTAGE_MS = 120_000
const until = (endMs: number, nowMs: number) => (nowMs < endMs ? AWAY : STORED)

test('after an outage all are tried again soon after the first was stored, spread, and within the limit of puts', async () => {
  for (const putsMax of [1000, 3]) {
    const thread = new Thread((_, nowMs) => until(OUTAGE_MS, nowMs), putsMax)
    for (let i = 0; i < 100; i++) thread.begin(`${i}`)
    await thread.clock.advance(OUTAGE_MS + 20_000)
    const times = [...thread.storedMs.values()]
    expect(times).toHaveLength(100)
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(BACK_SPREAD_MS + 4 * PUT_MS)
    // Not all at once: no tenth of that time has a third of them.
    const tenths = Array.from({ length: 11 }, () => 0)
    for (const ms of thread.lastTries) {
      const tenth = Math.floor((10 * (ms - Math.min(...times))) / BACK_SPREAD_MS)
      tenths[Math.max(0, Math.min(10, tenth))]! += 1
    }
    expect(Math.max(...tenths)).toBeLessThan(33)
    expect(thread.underWayMost).toBeLessThanOrEqual(putsMax)
  }
})

test('one that is refused while others are stored all the time waits as long as ever', async () => {
  const thread = new Thread((name) => (name === 'bad' ? AWAY : STORED))
  thread.begin('bad')
  for (let i = 0; i < 1200; i++) {
    thread.begin(`${i}`)
    await thread.clock.advance(AWAY_MS / 4)
  }
  // 0.1 s doubled up to 15 s, half of that on average: 40 in 300 s.
  expect(thread.tries.get('bad')?.length).toBeWithin(30, 60)
})

test('time that a destination asked for is waited out, whatever becomes of others', async () => {
  const throttled: PutOutcome = { kind: 'retry', reason: 'slow down', throttled: { retryAfterMs: 30_000 } }
  let asked = 0
  const thread = new Thread((name, nowMs) => (name === 'asked' && asked++ === 0 ? throttled : until(10_000, nowMs)))
  thread.begin('asked')
  await thread.clock.advance(PUT_MS)
  for (let i = 0; i < 20; i++) thread.begin(`${i}`)
  await thread.clock.advance(60_000)
  expect(thread.storedMs.size).toBe(21)
  expect(thread.tries.get('asked')?.[1]).toBeGreaterThanOrEqual(30_000 + PUT_MS)
})

test('a stop ends these waits, too', async () => {
  const thread = new Thread((_, nowMs) => until(OUTAGE_MS, nowMs), 1)
  for (let i = 0; i < 50; i++) thread.begin(`${i}`)
  while (thread.storedMs.size === 0) await thread.clock.advance(PUT_MS)
  thread.stop.abort()
  await thread.clock.advance(PUT_MS)
  expect(thread.clock.pending).toBe(0)
})
