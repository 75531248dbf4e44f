/** A record's lines are found in its object: exactly where the list of runs is short, within bounds where it isn't. */

import { describe, expect, test } from 'bun:test'
import { findLines, LineRuns, linesOf, RUNS_MAX } from '../../src/delivery/line-runs.ts'
import { seeded } from '../seeded.ts'

describe('records of one length', () => {
  test('are one run, however many', () => {
    const runs = new LineRuns()
    for (let place = 5; place < 100_005; place++) runs.add(place, 3)
    expect(runs.list()).toEqual([[5, 100_000, 3]])
    expect(findLines(runs.list(), 5)).toEqual({ first: 1, last: 3, exact: true })
    expect(findLines(runs.list(), 100_004)).toEqual({ first: 299_998, last: 300_000, exact: true })
    for (const place of [4, 100_005]) expect(findLines(runs.list(), place)).toBeUndefined()
  })
})

test('records of any length and place are found where their lines are, in a bounded list', () => {
  const random = seeded(11)
  for (const count of [1, 10, RUNS_MAX, RUNS_MAX + 1, 5000]) {
    const runs = new LineRuns()
    const where = new Map<number, { first: number; last: number }>()
    let place = 0
    let lines = 0
    for (let i = 0; i < count; i++) {
      // Places in between belong to records of other sources, or to none.
      place += random.chance(0.2) ? 1 + random.below(5) : 1
      const length = random.chance(0.5) ? 1 : 1 + random.below(20)
      runs.add(place, length)
      where.set(place, { first: lines + 1, last: lines + length })
      lines += length
    }
    const list = runs.list()
    expect(list.length).toBeLessThanOrEqual(RUNS_MAX)
    expect(list.reduce((sum, run) => sum + linesOf(run), 0)).toBe(lines)
    for (const [place, { first, last }] of where) {
      const found = findLines(list, place)
      if (count <= RUNS_MAX) expect(found).toEqual({ first, last, exact: true })
      else if (!found || found.first > first || found.last < last)
        throw new Error(`${place} of ${count} isn't in its range`)
      else if (found.last - found.first > lines / (RUNS_MAX / 16)) throw new Error(`${place}: ${JSON.stringify(found)}`)
    }
  }
})
