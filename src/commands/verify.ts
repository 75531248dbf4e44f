/**
 * `millrace verify`: whether everything accepted is there. A server may be writing meanwhile, so the order of the looks
 * matters: the journal first, then the ledger, whose newest line ends what is looked at. What leaves the journal in between
 * has its line by then, and what a line says is stored was stored before it was written.
 */

import type { Command } from '../config/load-command.ts'
import type { Amount, LedgerEntry, LedgerObject } from '../observe/ledger-entry.ts'
import type { Platform } from '../platform/platform.ts'
import { FoundData } from './data.ts'
import { inParallel } from './in-parallel.ts'
import { receiptPrefixOf } from './line-check.ts'
import { Problems } from './problems.ts'
import { Progress } from './progress.ts'
import type { Surroundings } from './terminal.ts'
import { checkDead, checkJournal } from './verify-journal.ts'
import { checkLedger, entriesOf, entryFaults } from './verify-ledger.ts'
import { checkNumbers } from './verify-numbers.ts'
import { ObjectSearch } from './verify-objects.ts'
import { objectsIn } from './verify-payloads.ts'
import { type Report, reportInWords } from './verify-report.ts'

/** How many objects are looked at at once. */
const OBJECTS_AT_ONCE = 16

/** Runs the command; returns its exit code. */
export async function verify(command: Command, { platform, env, terminal }: Surroundings): Promise<number> {
  const { options, deep, sinceMs = Number.NEGATIVE_INFINITY } = command
  const data = await FoundData.at(platform.files, options.data)
  const problems = new Problems()
  const journal = await checkJournal(platform.files, data, problems)
  const expected = new Map<string, { lane: number; entry: number; objects: number }>()
  const ledger = await checkLedger(platform, data, options.ledgerDays, problems, (entry) => {
    journal.isOver(entry)
    journal.numbers.add(entry.lane, entry.segment)
    if (Date.parse(entry.at) < sinceMs) return
    const { lane, entry: number } = entry
    expected.set(`${lane}-${number}`, { lane, entry: number, objects: objectsOfEntry(entry) })
  })
  await checkNumbers(platform.files, data, journal.numbers, problems)
  const isLooked = ({ lane, entry }: { lane: number; entry: number }) => entry <= (ledger.lastEntries.get(lane) ?? 0)
  const objects = [...expected.values()].filter(isLooked).reduce((sum, { objects }) => sum + objects, 0)
  const search = new ObjectSearch(platform, env, options, command.instead, deep)
  const progress = new Progress(terminal, platform.clock, objects)
  const letters = { records: 0 }
  const toCheck = objectsOf(platform, data, sinceMs, isLooked, problems, letters)
  await inParallel(toCheck, OBJECTS_AT_ONCE, async ({ entry, object }) => {
    const problem = await search.check(entry, object)
    if (problem) problems.add(problem)
    progress.step(objectsIn(entry, object))
  })
  progress.end()
  const pending = journal.pendingAt(ledger.lastEntries)
  const { stored, dead } = ledger.totals
  const report: Report = {
    data: options.data,
    deep,
    accepted: sum(sum(stored, dead), pending),
    stored,
    pending,
    dead,
    segments: journal.segments,
    entries: ledger.entries,
    last_entries: Object.fromEntries(ledger.lastEntries),
    objects,
    objects_checked: search.checked,
    dead_records: letters.records,
    corrupt: journal.corrupt,
    wrong: problems.count,
    not_checked: problems.unchecked,
    problems: problems.listed,
  }
  await terminal.print(command.json ? `${JSON.stringify(report)}\n` : reportInWords(report))
  if (problems.count > 0) return 1
  return problems.unchecked > 0 ? 3 : 0
}

/** Every object to look at; on the way each entry is looked at by itself, and for its dead records. */
async function* objectsOf(
  platform: Platform,
  data: FoundData,
  sinceMs: number,
  isLooked: (entry: LedgerEntry) => boolean,
  problems: Problems,
  letters: { records: number },
): AsyncGenerator<{ entry: LedgerEntry; object: LedgerObject }> {
  for await (const entry of entriesOf(platform, data)) {
    if (!isLooked(entry)) continue
    for (const detail of entryFaults(entry)) problems.add({ kind: 'ledger_line', ...named(entry), detail })
    await checkDead(platform.files, data, entry, problems)
    letters.records += entry.letters.filter(({ place }) => place !== undefined).length
    if (Date.parse(entry.at) < sinceMs) continue
    for (const object of entry.objects) yield { entry, object }
  }
}

function named(entry: LedgerEntry) {
  const what = `entry ${entry.entry} of lane ${entry.lane} (segment ${entry.segment})`
  const [object] = entry.objects
  if (!object) return { what }
  const prefix = receiptPrefixOf(entry, object)
  return { what, receipts: [`${prefix}-0`, `${prefix}-${entry.records - 1}`] as const }
}

function objectsOfEntry(entry: LedgerEntry): number {
  return entry.objects.reduce((total, object) => total + objectsIn(entry, object), 0)
}

function sum(a: Amount, b: Amount): Amount {
  return { payloads: a.payloads + b.payloads, bytes: a.bytes + b.bytes }
}
