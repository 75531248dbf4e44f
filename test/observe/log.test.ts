/** The log says what a person needs to know, once, and nothing that isn't true. */

import { expect, test } from 'bun:test'
import type { Event } from '../../src/observe/events.ts'
import { createLog } from '../../src/observe/log.ts'
import { FakeClock } from '../memory-platform.ts'

function logOf() {
  const clock = new FakeClock()
  const lines: string[] = []
  const log = createLog(clock, (line) => lines.push(line.replace(/^\S+ /, '')))
  return { clock, lines, ...log }
}

const parked = (object: string, reason = 'no such bucket'): Event => ({
  kind: 'destination-parked',
  object,
  reason,
  pauseMs: 1000,
})

test('a destination that stays parked is a line a minute, however many segments wait', async () => {
  const { clock, lines, observe } = logOf()
  for (let second = 0; second < 120; second++) {
    for (let segment = 0; segment < 32; segment++) observe(parked(`o${segment}`))
    await clock.advance(1000)
  }
  expect(lines).toHaveLength(2)
  observe(parked('o1', 'access denied'))
  expect(lines.at(-1)).toContain('access denied')
  observe({ kind: 'destination-resumed' })
  observe(parked('o1', 'access denied'))
  expect(lines).toHaveLength(5)
})

test('what was stored within a second is a line: payloads, objects, and the last of them', async () => {
  const { clock, lines, observe } = logOf()
  const stored = (payloads: number, objects: number, last: string): Event => {
    return { kind: 'segment-stored', segment: 1, bytes: 1, payloads, objects, last }
  }
  observe(stored(100, 1, 'a-0.ndjson.zst'))
  await clock.advance(1000)
  observe(stored(100, 2, 'b-1.ndjson.zst'))
  observe(stored(7, 7, 'c-*'))
  observe(stored(0, 0, ''))
  await clock.advance(1000)
  expect(lines).toEqual(['stored 100 payloads in a-0.ndjson.zst', 'stored 107 payloads in 9 objects, the last c-*'])
})

test('the last word tells what is not stored, also when it never became a segment to deliver', () => {
  const { lines, observe } = logOf()
  observe({ kind: 'stopped', segments: 0, payloads: 0, dead: 0 })
  observe({ kind: 'stopped', segments: 2, payloads: 1, dead: 0 })
  observe({ kind: 'stopped', segments: 0, payloads: 1, dead: 0 })
  observe({ kind: 'stopped', segments: 0, payloads: 0, dead: 0, silentLanes: 1 })
  observe({ kind: 'stopped', segments: 0, payloads: 0, dead: 3 })
  expect(lines).toEqual([
    'stopped; everything accepted is stored',
    'stopped; 1 payload in 2 segments will be delivered after the next start',
    'stopped; 1 payload in the journal will be delivered after the next start',
    'stopped; everything else is stored; 1 lane did not come to a stop: what is left there is delivered after the next start',
    'stopped; everything else is stored; 3 payloads could not be stored: see dead/ and corrupt/ in the journal',
  ])
})

test('retries of an object are told at doubling steps', () => {
  const { lines, observe } = logOf()
  for (let attempt = 1; attempt <= 1000; attempt++) {
    observe({ kind: 'delivery-retry', object: 'o', reason: 'HTTP 503', attempt, pauseMs: 15_000 })
  }
  expect(lines.map((line) => Number(/attempt (\d+)/.exec(line)?.[1]) - 1)).toEqual([
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512,
  ])
})

test('of several lanes each line names its own, and a supervisor says what it does about them', () => {
  const lines: string[] = []
  const clock = new FakeClock()
  createLog(clock, (line) => lines.push(line.replace(/^\S+ /, '')), 3).observe({ kind: 'journal-well' })
  const { lines: own, observe } = logOf()
  observe({ kind: 'lane-ended', lane: 1, reason: 'SIGKILL', pauseMs: 200 })
  observe({ kind: 'lane-up', lane: 1, process: 4711 })
  observe({ kind: 'lane-cut-off', lane: 1, reason: 'SIGKILL' })
  observe({ kind: 'lanes-awaited' })
  expect([...lines, ...own]).toEqual([
    'lane 3: the journal can be written again',
    'error: lane 1 ended (SIGKILL) and is started again in 0.2 s; the others go on',
    'lane 1 is back, as process 4711',
    'error: lane 1 ended before it had stopped (SIGKILL); what it had acknowledged is in its journal',
    'waiting for lanes of an earlier run to end: their supervisor is gone',
  ])
})
