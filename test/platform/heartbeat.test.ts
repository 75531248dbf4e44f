/** A thread that doesn't answer is found to hang; one that does, or that was asleep with everybody else, is not. */

import { expect, test } from 'bun:test'
import { ASK_EVERY_MS, Heartbeat, UNANSWERED_MAX } from '../../src/platform/heartbeat.ts'
import { FakeClock } from '../memory-platform.ts'

function watched() {
  const clock = new FakeClock()
  const seen = { asked: 0, hung: 0 }
  const heartbeat = new Heartbeat(
    clock,
    () => (seen.asked += 1),
    () => (seen.hung += 1),
  )
  return { clock, seen, heartbeat }
}

test('one that answers is asked for ever', async () => {
  const { clock, seen, heartbeat } = watched()
  for (let i = 0; i < 100; i++) {
    await clock.advance(ASK_EVERY_MS)
    heartbeat.answered()
  }
  expect(seen).toEqual({ asked: 100, hung: 0 })
})

test('one that never answers hangs, once', async () => {
  const { clock, seen } = watched()
  for (let i = 0; i < UNANSWERED_MAX; i++) await clock.advance(ASK_EVERY_MS)
  expect(seen).toEqual({ asked: UNANSWERED_MAX, hung: 0 })
  await clock.advance(10 * ASK_EVERY_MS)
  expect(seen).toEqual({ asked: UNANSWERED_MAX, hung: 1 })
})

test('a late answer counts', async () => {
  const { clock, seen, heartbeat } = watched()
  for (let i = 0; i < UNANSWERED_MAX; i++) await clock.advance(ASK_EVERY_MS)
  heartbeat.answered()
  await clock.advance(ASK_EVERY_MS)
  expect(seen.hung).toBe(0)
})

test('nobody is asked after a stop', async () => {
  const { clock, seen, heartbeat } = watched()
  heartbeat.stop()
  await clock.advance(100 * ASK_EVERY_MS)
  expect(seen).toEqual({ asked: 0, hung: 0 })
})
