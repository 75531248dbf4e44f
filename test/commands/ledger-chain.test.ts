/** The ledger's chain: in whatever order lines come, what is whole is one stretch, and each gap and misfit is found. */

import { expect, test } from 'bun:test'
import { LedgerChain } from '../../src/commands/ledger-chain.ts'
import type { LedgerEntry } from '../../src/observe/ledger-entry.ts'
import { SeededRandom } from '../memory-platform.ts'

/** Entries 1 to `count`, each with its number of payloads. */
function entries(count: number): LedgerEntry[] {
  let payloads = 0
  return Array.from({ length: count }, (_, i) => {
    payloads += i + 1
    const nothing = { payloads: 0, bytes: 0 }
    return {
      entry: i + 1,
      at: new Date(i).toISOString(),
      lane: 0,
      segment: i + 1,
      tag: 'tag',
      destination: 'test:',
      records: 1,
      stored: { payloads: i + 1, bytes: (i + 1) * 10 },
      dead: nothing,
      letters: [],
      objects: [],
      totals: { stored: { payloads, bytes: payloads * 10 }, dead: nothing },
    }
  })
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = new SeededRandom(seed)
  const left = [...items]
  return Array.from(items, () => left.splice(random.below(left.length), 1)[0] as T)
}

function chainOf(lines: readonly LedgerEntry[]): LedgerChain {
  const chain = new LedgerChain()
  for (const line of lines) chain.add(line)
  return chain
}

test('whatever their order, lines without a gap are one stretch with the totals of the last', () => {
  for (let seed = 0; seed < 50; seed++) {
    const { stretches, misfits } = chainOf(shuffled(entries(30), seed))
    expect([seed, misfits, stretches.length]).toEqual([seed, [], 1])
    expect(stretches[0]).toMatchObject({ first: 1, last: 30, before: { stored: { payloads: 0 } } })
    expect(stretches[0]?.totals.stored).toEqual({ payloads: 465, bytes: 4650 })
  }
})

test('a gap is between two stretches, and its neighbours say what they stand on', () => {
  for (let seed = 0; seed < 20; seed++) {
    const lines = entries(30).filter(({ entry }) => entry !== 7 && entry !== 8 && entry !== 20)
    const { stretches, misfits } = chainOf(shuffled(lines, seed))
    expect(misfits).toEqual([])
    expect(stretches.map(({ first, last }) => [first, last])).toEqual([
      [1, 6],
      [9, 19],
      [21, 30],
    ])
    expect(stretches[1]?.before.stored.payloads).toBe(36)
  }
})

test('a line whose sums do not fit is named, and so is a number that two segments have', () => {
  for (let seed = 0; seed < 20; seed++) {
    const lines = entries(10)
    const fifth = lines[4] as LedgerEntry
    lines[4] = { ...fifth, stored: { ...fifth.stored, bytes: 1 } }
    expect(chainOf(shuffled(lines, seed)).misfits.map(({ entry }) => entry)).toEqual([5])
    const twice = chainOf(shuffled([...entries(10), { ...fifth, segment: 99 }], seed))
    expect(twice.misfits).toEqual([{ entry: 5, detail: 'two segments have this entry' }])
  }
})
