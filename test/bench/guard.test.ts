/** The guard warns of what costs more by the measure of the echo server, so that a slower machine is no regression. */

import { expect, test } from 'bun:test'
import { guard } from '../../bench/questions/guard.ts'

const runsOf = (echo: number, single: number, batch: number) =>
  Object.entries({ echo, '1 a POST': single, '100 a POST': batch }).map(([contender, cpuPerMillion]) => ({
    round: 0,
    contender,
    figures: { cpuPerMillion },
  }))
const before = runsOf(10, 20, 1)
const warnings = (now: ReturnType<typeof runsOf>) =>
  guard.compare?.(now, before).filter((line) => line.startsWith('WARNING'))

test('more than 15 % worse is worth a warning, less is not', () => {
  expect(warnings(runsOf(10, 24, 1.14))).toEqual([expect.stringContaining('1 a POST costs more')])
  expect(warnings(runsOf(10, 20, 1.16))).toEqual([expect.stringContaining('100 a POST costs more')])
  expect(warnings(runsOf(10, 22, 1.14))).toEqual([])
})

test('a machine that is slower at everything is no regression, and a faster one hides none', () => {
  expect(warnings(runsOf(20, 40, 2))).toEqual([])
  expect(warnings(runsOf(5, 13, 0.5))).toEqual([expect.stringContaining('1 a POST')])
})

test('another’s noise in one round is not held against it', () => {
  expect(warnings([...runsOf(10, 60, 3), ...runsOf(15, 20, 1)])).toEqual([])
})
