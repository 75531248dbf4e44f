/** Medians: the middle of an odd number of values, the mean of the two middle ones of an even number. */

import { expect, test } from 'bun:test'
import { median, mediansOf, valuesOf } from '../../bench/statistics.ts'

const run = (round: number, contender: string, figures: Record<string, number>) => ({ round, contender, figures })

test('the median doesn’t depend on the order, and isn’t moved by one wild value', () => {
  expect(median([3, 1_000_000, 1])).toBe(3)
  expect(median([10, 9])).toBe(9.5)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([7])).toBe(7)
  expect(median([])).toBeUndefined()
})

test('a contender’s figure has its own median, and none where it was never measured', () => {
  const runs = [run(0, 'a', { rate: 1 }), run(0, 'b', { rate: 50 }), run(1, 'a', { rate: 3, other: 9 })]
  expect(valuesOf(runs, 'a', 'rate')).toEqual([1, 3])
  const of = mediansOf(runs)
  expect(of('a', 'rate')).toBe(2)
  expect(of('a', 'other')).toBe(9)
  expect(of('b', 'other')).toBeUndefined()
  expect(of('c', 'rate')).toBeUndefined()
})
