/** A destination that throttles is given what it can take: nearly no put is in vain any more, and everything is stored once. */

import { expect, test } from 'bun:test'
import { array, contextOf, filesWith } from '../delivery/memory-thread.ts'

/** How many puts it takes at once, and how long each of them is. */
const ABLE = 6
const PUT_MS = 30

test.each([
  ['lines', 32],
  ['payload', 1],
] as const)('objects of %s', async (format, segments) => {
  const header = { format, objectBytesMax: 200 }
  const frames = Array.from({ length: 5120 / segments / 16 }, (_, i) => [array(i * 16, 16)])
  const all = Array.from({ length: segments }, () => ({ header, frames }))
  const { run, store, platform, gauges } = contextOf(filesWith(all), { putsMax: 32 })
  const { clock } = platform
  const answers: ('stored' | 'throttled')[] = []
  let taken = 0
  store.answer = async () => {
    if (taken === ABLE) {
      answers.push('throttled')
      return { kind: 'retry', reason: 'SlowDown', throttled: { retryAfterMs: undefined } }
    }
    taken += 1
    await clock.sleep(PUT_MS)
    taken -= 1
    answers.push('stored')
    return { kind: 'stored', already: false }
  }
  const startedMs = clock.monotonicMs()
  let overMs = Number.NaN
  const deliveries = Promise.all(all.map((_, i) => run(i + 1))).then((delivered) => {
    overMs = clock.monotonicMs()
    return delivered
  })
  while (Number.isNaN(overMs) && clock.monotonicMs() < 600_000) await clock.advance(100)
  const payloads = (await deliveries).map((delivered) => (delivered.kind === 'stored' ? delivered.payloads : 0))
  expect(payloads.reduce((sum, count) => sum + count)).toBe(5120)
  const stored = answers.filter((answer) => answer === 'stored').length
  expect(stored).toBe(store.objects.size)

  const later = answers.slice(answers.length / 4)
  expect(later.filter((answer) => answer === 'throttled').length / later.length).toBeLessThan(0.03)
  expect((stored * PUT_MS) / ABLE / (overMs - startedMs)).toBeGreaterThan(0.6)
  const { inFlight, limit, throttled } = gauges.get(format)
  expect([inFlight, throttled]).toEqual([0, answers.length - stored])
  expect(limit).toBeWithin(1, ABLE + 2)
})
