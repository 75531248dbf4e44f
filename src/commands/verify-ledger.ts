/** Verify's look at the ledger: whole lines, no gaps, sums that add up. */

import { linesOf } from '../delivery/line-runs.ts'
import type { LedgerEntry, LedgerTotals } from '../observe/ledger-entry.ts'
import { fileKey, type OnBadLine, readLedger } from '../observe/ledger-files.ts'
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
  /** Of its newest line; everything later is left alone. */
  lastEntry: number
  /** Before the oldest line that is there. */
  before: LedgerTotals
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
    if (!other || other.entry <= entry.entry) held.set(segment, entry)
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
  let { chain, bad } = await readChain(platform, data, see)
  // A running server writes on while files are read one after another. What it wrote before a reading began is in that one,
  // so that a gap below an entry seen before is none of its making.
  const seenBefore = chain.stretches.at(-1)?.last ?? 0
  if (chain.stretches.length > 1 || bad.size > 0) ({ chain, bad } = await readChain(platform, data, see, bad))
  for (const what of bad) {
    const detail = 'damaged: what it said of its segment cannot be read'
    problems.add({ kind: 'ledger_line', what, detail })
  }
  const isOld = ({ first }: { first: number }) => first <= seenBefore
  const known = chain.stretches.filter(isOld)
  const [first, ...others] = known
  if (!first) return { entries: 0, lastEntry: 0, before: NOTHING, totals: NOTHING }
  for (const { entry, detail } of chain.misfits) {
    problems.add({ kind: 'ledger_totals', what: `entry ${entry}`, detail })
  }
  const pruned = await mayBePruned(platform, data)
  if (first.first > 1 && !pruned) addGap(problems, 1, first.first - 1)
  let left: Stretch = first
  for (const right of others) {
    const isOldGap = Date.parse(left.lastAt) < platform.clock.nowMs() - keepDays * DAY_MS
    if (!(pruned && isOldGap)) addGap(problems, left.last + 1, right.first - 1)
    left = right
  }
  const entries = known.reduce((total, stretch) => total + stretch.last - stretch.first + 1, 0)
  return { entries, lastEntry: left.last, before: first.before, totals: left.totals }
}

/** What is wrong with an entry by itself. */
export function entryFaults({ objects, letters, stored, dead }: LedgerEntry): string[] {
  const faults: string[] = []
  const lines = sum(objects.map((object) => object.lines))
  if (lines !== stored.payloads)
    faults.push(`its objects have ${lines} lines, and it says ${stored.payloads} are stored`)
  for (const { name, lines, runs } of objects) {
    const inRuns = sum(runs.map(linesOf))
    if (inRuns !== lines) faults.push(`${name} has ${lines} lines, and its runs come to ${inRuns}`)
  }
  for (const { reason } of letters.filter(({ place }) => place === undefined)) {
    faults.push(`${reason} were set aside in corrupt/: what they held may have been acknowledged`)
  }
  const named = sum(letters.map(({ payloads }) => payloads))
  const isDamaged = letters.some(({ place }) => place === undefined)
  if (named > dead.payloads || (named < dead.payloads && !isDamaged)) {
    faults.push(`its dead records hold ${named} payloads, and it says ${dead.payloads} are dead`)
  }
  return faults
}

/** `bad` are lines that are no entries; with `before`, only those that were none then either. */
async function readChain(
  platform: Platform,
  data: FoundData,
  see: (entry: LedgerEntry) => void,
  before?: ReadonlySet<string>,
): Promise<{ chain: LedgerChain; bad: Set<string> }> {
  const chain = new LedgerChain()
  const bad = new Set<string>()
  const onBadLine: OnBadLine = (path, line) => {
    const what = `${path}, line ${line}`
    if (before?.has(what) ?? true) bad.add(what)
  }
  for await (const entry of entriesOf(platform, data, onBadLine)) {
    chain.add(entry)
    see(entry)
  }
  return { chain, bad }
}

/** Whether files may have been removed for their age: of each lane the first ones. */
async function mayBePruned({ files }: Platform, data: FoundData): Promise<boolean> {
  return [...(await firstKnown(files, data)).values()].some((first) => first > 1)
}

function addGap(problems: Problems, from: number, to: number): void {
  const what = from === to ? `entry ${from}` : `entries ${from} to ${to}`
  const detail = 'missing from the ledger: what became of their segments is unknown'
  problems.add({ kind: 'ledger_gap', what, detail })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
