/** Verify's look at the ledger: whole lines, no gaps, sums that add up. */

import { linesOf } from '../delivery/line-runs.ts'
import type { LedgerEntry, LedgerTotals } from '../observe/ledger-entry.ts'
import { fileKey, readLedger } from '../observe/ledger-files.ts'
import type { Platform } from '../platform/platform.ts'
import type { FoundData } from './data.ts'
import { LedgerChain, type Stretch } from './ledger-chain.ts'
import type { Problems } from './problems.ts'

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
export async function* entriesOf({ files }: Platform, data: FoundData): AsyncGenerator<LedgerEntry> {
  let key = ''
  let held = new Map<string, LedgerEntry>()
  for await (const entry of readLedger(files, data.ledger)) {
    if (!isEntry(entry)) continue
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
  let chain = await readChain(platform, data, see)
  // A running server writes on while files are read one after another. What it wrote before a reading began is in that one,
  // so that a gap below an entry seen before is none of its making.
  const seenBefore = chain.stretches.at(-1)?.last ?? 0
  if (chain.stretches.length > 1) chain = await readChain(platform, data, see)
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

async function readChain(platform: Platform, data: FoundData, see: (entry: LedgerEntry) => void): Promise<LedgerChain> {
  const chain = new LedgerChain()
  for await (const entry of entriesOf(platform, data)) {
    chain.add(entry)
    see(entry)
  }
  return chain
}

/** Whether files may have been removed for their age: only whole ones are, so that a key below the highest is not there. */
async function mayBePruned({ files }: Platform, data: FoundData): Promise<boolean> {
  const thousands = new Map<string, Set<number>>()
  for (const name of await files.list(data.ledger)) {
    const [, lane, thousand] = /^(\d+)-(\d{13})-\d+\.ndjson$/.exec(name) ?? []
    if (lane === undefined) continue
    const known = thousands.get(lane) ?? new Set()
    thousands.set(lane, known.add(Number(thousand)))
  }
  return [...thousands.values()].some((known) => known.size <= Math.max(...known))
}

function addGap(problems: Problems, from: number, to: number): void {
  const what = from === to ? `entry ${from}` : `entries ${from} to ${to}`
  const detail = 'missing from the ledger: what became of their segments is unknown'
  problems.add({ kind: 'ledger_gap', what, detail })
}

/** Whether a line has what an entry has; one that a disk has damaged counts as missing. */
function isEntry(value: unknown): value is LedgerEntry {
  if (typeof value !== 'object' || value === null) return false
  const { entry, at, lane, segment, tag, objects, letters, stored, dead, totals } = value as Partial<LedgerEntry>
  const numbers = [entry, lane, segment, stored?.payloads, stored?.bytes, dead?.payloads, totals?.stored?.payloads]
  if (!numbers.every(Number.isSafeInteger) || typeof tag !== 'string') return false
  return !Number.isNaN(Date.parse(at ?? '')) && Array.isArray(objects) && Array.isArray(letters)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
