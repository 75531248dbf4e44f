/** The pace of deliveries: short stretches and rests while nobody waits, no rest as soon as somebody does. */

import { describe, expect, test } from 'bun:test'
import { Pace, STRETCH_MS } from '../../src/delivery/pace.ts'
import { Turn } from '../../src/delivery/turn.ts'
import { FakeClock, quiet } from '../memory-platform.ts'
import { array, contextOf, filesWith } from './memory-thread.ts'

const RESTS = { ratio: 4, msMax: 30 }

/** A pace whose work has begun. */
async function working() {
  const clock = new FakeClock()
  const turn = new Turn()
  const leave = await turn.take()
  const pace = new Pace(clock, turn)
  await clock.advance(1000)
  pace.begin()
  return { clock, turn, pace, leave }
}

/** For how long it rests now; 0 when it doesn't. */
async function restMs(pace: Pace, clock: FakeClock) {
  let isOver = false
  const rest = pace.rest(RESTS)
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

  test('is none while another waits for the turn, and is again when that one has it', async () => {
    const { pace, clock, turn, leave } = await working()
    const other = turn.take()
    await clock.advance(5)
    expect(await restMs(pace, clock)).toBe(0)
    leave()
    await other
    pace.begin()
    await clock.advance(5)
    expect(await restMs(pace, clock)).toBe(5 * RESTS.ratio)
  })
})

describe('a delivery', () => {
  /** Deliveries on a clock that is a stretch further at every look; how often they rested. */
  async function restsOf(segments: number[], mayRest = true) {
    const frames = Array.from({ length: 10 }, (_, nth) => [array(nth, 1)])
    const { context, run, runResting, store } = contextOf(filesWith([{ frames }, { frames }]))
    let nowMs = 0
    let rests = 0
    const { clock } = context.platform
    clock.monotonicMs = () => nowMs++ * STRETCH_MS
    clock.sleep = async () => {
      rests += 1
    }
    await Promise.all(segments.map((number) => (mayRest ? runResting : run)(number)))
    expect(store.objects.size).toBe(segments.length)
    return rests
  }

  test('alone rests in every frame, two that wait for each other in none', async () => {
    expect(await restsOf([1])).toBeGreaterThanOrEqual(10)
    expect(await restsOf([1, 2])).toBe(0)
  })

  test('that may not rest does not', async () => {
    expect(await restsOf([1], false)).toBe(0)
  })
})
