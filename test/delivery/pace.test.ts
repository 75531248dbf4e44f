/** The pace of deliveries: short stretches and rests while nobody waits, no rest from when somebody does. */

import { describe, expect, test } from 'bun:test'
import { HURRY_MS, Hurry } from '../../src/delivery/hurry.ts'
import { Pace, STRETCH_MS } from '../../src/delivery/pace.ts'
import { FakeClock, quiet } from '../memory-platform.ts'
import { array, contextOf, filesWith } from './memory-thread.ts'

const RESTS = { ratio: 4, msMax: 30 }

/** A pace whose work has begun. */
async function working() {
  const clock = new FakeClock()
  const pace = new Pace(clock)
  await clock.advance(1000)
  pace.begin()
  return { clock, pace }
}

const never = () => new AbortController().signal

/** For how long it rests now; 0 when it doesn't. */
async function restMs(pace: Pace, clock: FakeClock, hurry = never()) {
  let isOver = false
  const rest = pace.rest(RESTS, hurry)
  if (!rest) return 0
  void rest.then(() => {
    isOver = true
  })
  let ms = 0
  for (await quiet(); !isOver && ms < 1000; ms++) await clock.advance(1)
  return ms
}

describe('a rest', () => {
  test('is in a proportion to the work before it, which begins anew after it', async () => {
    const { pace, clock } = await working()
    for (const workMs of [2, 5, 1]) {
      await clock.advance(workMs)
      expect(await restMs(pace, clock)).toBe(workMs * RESTS.ratio)
    }
  })

  test('is none after less than a stretch, and what was worked counts later', async () => {
    const { pace, clock } = await working()
    await clock.advance(STRETCH_MS / 2)
    expect(await restMs(pace, clock)).toBe(0)
    await clock.advance(STRETCH_MS / 2)
    expect(await restMs(pace, clock)).toBe(STRETCH_MS * RESTS.ratio)
  })

  test('has a bound', async () => {
    const { pace, clock } = await working()
    await clock.advance(5000)
    expect(await restMs(pace, clock)).toBe(RESTS.msMax)
  })

  test('is over at once when it is hurried, and there is none from then on', async () => {
    const { pace, clock } = await working()
    const hurry = new AbortController()
    await clock.advance(5)
    clock.after(3, () => hurry.abort())
    expect(await restMs(pace, clock, hurry.signal)).toBe(3)
    await clock.advance(5)
    expect(await restMs(pace, clock, hurry.signal)).toBe(0)
    expect(await restMs(pace, clock)).toBe(5 * RESTS.ratio)
  })
})

test('a hurry is for all that have begun, and for those that begin soon', async () => {
  const clock = new FakeClock()
  const hurry = new Hurry(clock)
  const signals = [hurry.signal, hurry.signal]
  const begin = () => signals.push(hurry.signal)
  const hurried = () => signals.map(({ aborted }) => aborted)
  expect(hurried()).toEqual([false, false])
  hurry.now()
  begin()
  expect(hurried()).toEqual([true, true, true])
  await clock.advance(HURRY_MS - 1)
  hurry.now()
  await clock.advance(HURRY_MS - 1)
  begin()
  await clock.advance(1)
  begin()
  expect(hurried().slice(3)).toEqual([true, false])
  hurry.now()
  expect(hurried().slice(3)).toEqual([true, true])
})

describe('a delivery', () => {
  /** A delivery on a clock that is a stretch further at every look, hurried in its rest number `restsMax`; how often it rested. */
  async function restsOf(format: 'lines' | 'payload', restsMax: number) {
    const frames = Array.from({ length: 10 }, (_, nth) => [array(nth, 1)])
    const { context, runResting, store } = contextOf(filesWith([{ header: { format }, frames }]))
    let nowMs = 0
    let rests = 0
    const hurry = new AbortController()
    const { clock } = context.platform
    clock.monotonicMs = () => nowMs++ * STRETCH_MS
    clock.sleep = async () => {
      if (++rests === restsMax) hurry.abort()
    }
    if (restsMax === 0) hurry.abort()
    await runResting(1, hurry.signal)
    expect(store.objects.size).toBe(format === 'lines' ? 1 : 10)
    return rests
  }

  test.each(['lines', 'payload'] as const)('in format %s rests in every frame, until it is hurried', async (format) => {
    expect(await restsOf(format, Number.POSITIVE_INFINITY)).toBeGreaterThanOrEqual(10)
    expect(await restsOf(format, 4)).toBe(4)
    expect(await restsOf(format, 0)).toBe(0)
  })
})
