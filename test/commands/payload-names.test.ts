/** Names of a set of objects: each belongs or doesn't, and what is missing is known as far as the ledger can tell. */

import { expect, test } from 'bun:test'
import { PayloadNames } from '../../src/commands/payload-names.ts'
import type { LedgerEntry, LedgerObject, Run } from '../../src/observe/ledger-entry.ts'

const RUNS: Run[] = [
  [0, 2, 1],
  [3, 2, 4],
  // Drawn together: 7 objects of the records at 5 to 7.
  [5, 3, 0, 7],
]

function names(...there: string[]): PayloadNames {
  const found = new PayloadNames({ records: 8 } as LedgerEntry, { runs: RUNS } as LedgerObject)
  for (const rest of there) found.note(rest)
  return found
}

const upTo = (place: number, count: number) => Array.from({ length: count }, (_, index) => `${place}-${index}`)
const EXACT = [...upTo(0, 1), ...upTo(1, 1), ...upTo(3, 4), ...upTo(4, 4)]
const whole = (...together: string[]) => names(...EXACT, ...together)
const gaps = (found: PayloadNames) => [...found.gaps()]

test('a name is the set’s where the ledger has room for it, written as names are written', () => {
  const none = names()
  for (const own of ['0-0', '3-3', '5-6', '7-0']) expect(none.parse(own)).toBeDefined()
  for (const foreign of ['0-1', '2-0', '3-4', '5-7', '8-0', '00-0', '3-01', '3-', '-1', '3-1-1', '3-1.partial', '']) {
    expect([foreign, none.note(foreign)]).toEqual([foreign, false])
  }
})

test('whole is what has as many as there are, however records that were drawn together share them', () => {
  for (const counts of [
    [7, 0, 0],
    [1, 5, 1],
    [0, 0, 7],
  ] as const) {
    const found = whole(...counts.flatMap((count, i) => upTo(5 + i, count)))
    expect([found.missing, found.excess, gaps(found)]).toEqual([0, 0, []])
  }
})

test('what is missing is counted, and where it is known of which record', () => {
  const two = names(...EXACT.filter((name) => name !== '1-0' && name !== '3-2'), ...upTo(5, 7))
  expect([two.missing, gaps(two)]).toEqual([
    2,
    [
      { place: 1, least: 1 },
      { place: 3, least: 4 },
    ],
  ])
  const inside = whole('5-0', '5-2', ...upTo(6, 4))
  expect([inside.missing, gaps(inside)]).toEqual([1, [{ place: 5, least: 3 }]])
  const atEnd = whole(...upTo(5, 2), ...upTo(6, 4))
  expect([atEnd.missing, gaps(atEnd), atEnd.shortRun]).toEqual([1, [], RUNS[2]])
})

test('of records that were drawn together, one of another’s in the place of one that is missing is not taken for it', () => {
  const found = whole(...upTo(5, 6), '6-5')
  expect([found.missing, found.excess, gaps(found)]).toEqual([1, 0, [{ place: 6, least: 6 }]])
  expect(whole(...upTo(5, 6), ...upTo(6, 2)).excess).toBe(1)
})
