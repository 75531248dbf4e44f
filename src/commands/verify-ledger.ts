/** Verify's look at the ledger: whole lines, no gaps, sums that add up. */

import { linesOf } from '../delivery/line-runs.ts'
import type { LedgerEntry, LedgerTotals } from '../observe/ledger-entry.ts'
import { fileKey, type OnBadLine, readLedger } from '../observe/ledger-files.ts'
import { placeFromLedger } from '../observe/ledger-place.ts'
import type { Platform } from '../platform/platform.ts'
import type { FoundData } from './data.ts'
import { LedgerChain, type Stretch } from './ledger-chain.ts'
import type { Problems } from './problems.ts'
import { firstKnown } from './verify-numbers.ts'

const DAY_MS = 86_400_000
const NOTHING: LedgerTotals = { stored: { payloads: 0, bytes: 0 }, dead: { payloads: 0, bytes: 0 } }

/** The ledger, as it was at one moment. */
export interface LedgerLook {
  entries: number
  /** By lane the number of its newest line; everything later is left alone. */
  lastEntries: Map<number, number>
  /** Of all lanes together. */
  totals: LedgerTotals
}

/**
 * Every entry of the ledger, one for each segment: a line whose sync failed may stand there twice, and the later one
 * counts. Lines of one segment are in files of one key, and those are neighbours.
 */
export async function* entriesOf(
  { files }: Platform,
  data: FoundData,
  onBadLine?: OnBadLine,
): AsyncGenerator<LedgerEntry> {
  let key = ''
  let held = new Map<string, LedgerEntry>()
  for await (const entry of readLedger(files, data.ledger, '', onBadLine)) {
    const itsKey = fileKey(entry.lane, entry.segment)
    if (itsKey !== key) {
      yield* held.values()
      held = new Map()
      key = itsKey
    }
    const segment = `${entry.segment}-${entry.tag}`
    const other = held.get(segment)
    if (!other || other.entry <= entry.entry) held.set(segment, placeFromLedger(entry, data.directory))
  }
  yield* held.values()
}

/** Reads the whole ledger. `see` hears of every entry, perhaps more than once. */
export async function checkLedger(
  platform: Platform,
  data: FoundData,
  keepDays: number,
  problems: Problems,
  see: (entry: LedgerEntry) => void,
): Promise<LedgerLook> {
  let { chains, bad } = await readChains(platform, data, see)
  // A running server writes on while files are read one after another. What it wrote before a reading began is in that one,
  // so that a gap below an entry seen before is none of its making.
  const seenBefore = new Map([...chains].map(([lane, chain]) => [lane, chain.stretches.at(-1)?.last ?? 0]))
  const hasGaps = [...chains.values()].some(({ stretches }) => stretches.length > 1)
  if (hasGaps || bad.size > 0) ({ chains, bad } = await readChains(platform, data, see, bad))
  for (const [what, detail] of bad) problems.add({ kind: 'ledger_line', what, detail })
  const firstSegments = await firstKnown(platform.files, data)
  const look: LedgerLook = { entries: 0, lastEntries: new Map(), totals: NOTHING }
  for (const [lane, chain] of [...chains].sort(([a], [b]) => a - b)) {
    const known = chain.stretches.filter(({ first }) => first <= (seenBefore.get(lane) ?? 0))
    const [first, ...others] = known
    if (!first) continue
    for (const { entry, detail } of chain.misfits) {
      problems.add({ kind: 'ledger_totals', what: `entry ${entry} of lane ${lane}`, detail })
    }
    // Files may have been removed for their age: the first ones.
    const pruned = (firstSegments.get(lane) ?? 1) > 1
    if (first.first > 1 && !pruned) addGap(problems, lane, 1, first.first - 1)
    let left: Stretch = first
    for (const right of others) {
      const isOldGap = Date.parse(left.lastAt) < platform.clock.nowMs() - keepDays * DAY_MS
      if (!(pruned && isOldGap)) addGap(problems, lane, left.last + 1, right.first - 1)
      left = right
    }
    look.entries += known.reduce((total, stretch) => total + stretch.last - stretch.first + 1, 0)
    look.lastEntries.set(lane, left.last)
    look.totals = both(look.totals, left.totals)
  }
  return look
}

/** What is wrong with an entry by itself. */
export function entryFaults({ format, objects, letters, stored, dead }: LedgerEntry): string[] {
  const faults: string[] = []
  const lines = sum(objects.map((object) => object.lines))
  // What a function has taken is in no object.
  if (format !== 'handled' && lines !== stored.payloads)
    faults.push(`its objects have ${lines} lines, and it says ${stored.payloads} are stored`)
  for (const { name, lines, runs } of objects) {
    const inRuns = sum(runs.map(linesOf))
    if (inRuns !== lines) faults.push(`${name} has ${lines} lines, and its runs come to ${inRuns}`)
  }
  for (const { reason } of letters.filter(({ place }) => place === undefined)) {
    faults.push(`${reason}: what was there may have been acknowledged; what is left of it is in corrupt/`)
  }
  const named = sum(letters.map(({ payloads }) => payloads))
  const isDamaged = letters.some(({ place }) => place === undefined)
  if (named > dead.payloads || (named < dead.payloads && !isDamaged)) {
    faults.push(`its dead records hold ${named} payloads, and it says ${dead.payloads} are dead`)
  }
  return faults
}

/** Each lane's chain. `bad` are lines that are no entries; with `before`, only those that were none then either. */
async function readChains(
  platform: Platform,
  data: FoundData,
  see: (entry: LedgerEntry) => void,
  before?: ReadonlyMap<string, string>,
): Promise<{ chains: Map<number, LedgerChain>; bad: Map<string, string> }> {
  const chains = new Map<number, LedgerChain>()
  const bad = new Map<string, string>()
  const onBadLine: OnBadLine = (path, line, detail) => {
    const what = `${path}, line ${line}`
    if (before?.has(what) ?? true) bad.set(what, detail)
  }
  for await (const entry of entriesOf(platform, data, onBadLine)) {
    const chain = chains.get(entry.lane) ?? new LedgerChain()
    chains.set(entry.lane, chain)
    chain.add(entry)
    see(entry)
  }
  return { chains, bad }
}

function addGap(problems: Problems, lane: number, from: number, to: number): void {
  const what = `${from === to ? `entry ${from}` : `entries ${from} to ${to}`} of lane ${lane}`
  const detail = 'missing from the ledger: what became of their segments is unknown'
  problems.add({ kind: 'ledger_gap', what, detail })
}

function both(a: LedgerTotals, b: LedgerTotals): LedgerTotals {
  const sum = (kind: keyof LedgerTotals) => ({
    payloads: a[kind].payloads + b[kind].payloads,
    bytes: a[kind].bytes + b[kind].bytes,
  })
  return { stored: sum('stored'), dead: sum('dead') }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
