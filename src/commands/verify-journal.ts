/** Verify's look at the journal: whole frames in every segment, and what of it is pending; and at what was set aside. */

import { join } from 'node:path'
import { DEAD_DIRECTORY, DEAD_ENDING } from '../delivery/dead-letter.ts'
import { lookAt } from '../journal/look.ts'
import { parseSegmentName, receiptPrefix } from '../journal/name.ts'
import { CORRUPT } from '../journal/recovery.ts'
import type { Amount, LedgerEntry } from '../observe/ledger-entry.ts'
import type { Files } from '../platform/files.ts'
import type { FoundData, FoundLane } from './data.ts'
import { DROPPED_ENDING, REPLAYED_ENDING, readDead } from './dead-files.ts'
import { receiptPrefixOf } from './line-check.ts'
import type { Problems } from './problems.ts'
import { SegmentNumbers } from './segment-numbers.ts'

/** The journal, as it was at one moment. */
export class JournalLook {
  segments = 0
  /** Of all segment files, as they were listed before anything else. */
  readonly numbers = new SegmentNumbers()
  /** Files in `corrupt/`. */
  readonly corrupt: { path: string; bytes: number }[] = []
  readonly #held = new Map<string, { lane: number; amount: Amount; overWith: number }>()

  hold(lane: number, segment: number, tag: string, amount: Amount): void {
    this.#held.set(`${lane}-${segment}-${tag}`, { lane, amount, overWith: Number.POSITIVE_INFINITY })
  }

  /** The ledger has this segment: a file that is still there is about to be removed. */
  isOver({ lane, segment, tag, entry }: LedgerEntry): void {
    const held = this.#held.get(`${lane}-${segment}-${tag}`)
    if (held) held.overWith = entry
  }

  /** What waits to be stored when these are the newest lines of each lane's ledger. */
  pendingAt(lastEntries: ReadonlyMap<number, number>): Amount {
    const waiting = [...this.#held.values()].filter(({ lane, overWith }) => overWith > (lastEntries.get(lane) ?? 0))
    return {
      payloads: waiting.reduce((sum, { amount }) => sum + amount.payloads, 0),
      bytes: waiting.reduce((sum, { amount }) => sum + amount.bytes, 0),
    }
  }
}

/** Reads the whole journal. */
export async function checkJournal(files: Files, data: FoundData, problems: Problems): Promise<JournalLook> {
  const journal = new JournalLook()
  for (const { lane, directory } of await data.lanes()) {
    const numbers = (await files.list(directory)).flatMap((name) => parseSegmentName(name)?.number ?? [])
    for (const number of numbers) journal.numbers.add(lane, number)
    // A file that is renamed while the directory is read can be listed under both names.
    for (const number of new Set(numbers)) {
      await checkSegment(files, data.node, { lane, directory }, number, journal, problems)
    }
    for (const name of await files.list(join(directory, CORRUPT))) {
      const path = join(directory, CORRUPT, name)
      journal.corrupt.push({ path, bytes: (await files.sizeOf(path)) ?? 0 })
    }
  }
  return journal
}

async function checkSegment(
  files: Files,
  node: string,
  { lane, directory }: FoundLane,
  number: number,
  journal: JournalLook,
  problems: Problems,
): Promise<void> {
  const look = await lookAt(files, directory, number)
  if (look.kind === 'gone' || look.kind === 'unfinished') return
  journal.segments += 1
  if (look.kind === 'newer') {
    const detail = `written by a newer version (layout ${look.version}): verify with that one`
    problems.add({ kind: 'not_checked', what: join(directory, String(number)), detail })
  } else if (look.kind === 'broken') {
    const detail = `its header ${look.what}: none of its ${look.bytes} bytes can be delivered`
    problems.add({ kind: 'journal_damage', what: look.path, detail })
  } else {
    const { header, path, records, payloads, recordBytes, damage } = look
    const receipts = [`${receiptPrefix(header)}0`, `${receiptPrefix(header)}${Math.max(0, records - 1)}`] as const
    if (header.node !== node) {
      const detail = `it is of node '${header.node}', and the file node says '${node}': no server starts on that`
      problems.add({ kind: 'journal_damage', what: path, detail, receipts })
    }
    for (const { what: detail } of damage) problems.add({ kind: 'journal_damage', what: path, detail, receipts })
    journal.hold(lane, number, header.tag, { payloads, bytes: recordBytes })
  }
}

/** Looks for the files of an entry's dead records. */
export async function checkDead(files: Files, data: FoundData, entry: LedgerEntry, problems: Problems): Promise<void> {
  const [object] = entry.objects
  const prefix = object ? receiptPrefixOf(entry, object) : `${data.node}-${entry.lane}-${entry.segment}-${entry.tag}`
  for (const { place, payloads, reason } of entry.letters) {
    if (place === undefined) continue
    const receipt = `${prefix}-${place}`
    const path = join(data.laneDirectory(entry.lane), DEAD_DIRECTORY, receipt)
    const found = { what: path + DEAD_ENDING, receipts: [receipt, receipt] } as const
    const dead = await readDead(files, path + DEAD_ENDING)
    if (dead?.line.payloads === payloads) continue
    // In the order in which they come and go: what says why a record is gone is there before it goes.
    if ((await files.sizeOf(path + DEAD_ENDING)) !== undefined) {
      const detail = `the file of a dead record is not what was written (${reason})`
      problems.add({ kind: 'dead_damaged', ...found, detail })
      continue
    }
    const isThere = async (ending: string) => (await files.sizeOf(path + ending)) !== undefined
    if ((await isThere(REPLAYED_ENDING)) || (await isThere(DROPPED_ENDING))) continue
    problems.add({ kind: 'dead_missing', ...found, detail: `the file of a dead record is missing (${reason})` })
  }
}
