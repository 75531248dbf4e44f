/** Where the payloads of a receipt are: still in the journal, in objects, or dead. */

import { parseReceipt, type ReceiptParts } from '../journal/name.ts'
import type { LedgerEntry, LedgerObject, SegmentOutcome } from '../observe/ledger-entry.ts'
import { findLines, type LineRange } from './line-runs.ts'
import { isWithin } from './ranges.ts'

/** An object that holds lines of a record. */
export interface ObjectLines {
  name: string
  bytes: number
  /** Hexadecimal, of the object's bytes. */
  sha256: string
  lines: LineRange
  /** The server that has it, of several. */
  at?: string
}

/** The objects of a record whose payloads have one each. */
export interface PayloadNames {
  /** With all indexes in brackets, as curl takes them: `…-[0-99]`; with `*` where the ledger is too coarse to tell them. */
  name: string
  payloads: number | undefined
}

/** What is known of a record. */
export type Whereabouts =
  /** Durable in the journal, on its way. */
  | { state: 'pending' }
  /** Without objects when the record held no payload, or a function has taken them. */
  | { state: 'stored'; stored_at: string; destination: string; objects: (ObjectLines | PayloadNames)[] }
  /** It will never be stored; or, where there are indexes, those of its payloads, and the others are. */
  | { state: 'dead'; died_at: string; reason: string; indexes?: number[] }

/** Who is asked. */
export interface WhereaboutsSources {
  node: string
  holds(receipt: ReceiptParts): boolean | Promise<boolean>
  find(lane: number, segment: number, tag: string): Promise<LedgerEntry | undefined>
}

/** Looks a receipt up; undefined when nobody knows it: never given here, or longer ago than the ledger goes back. */
export async function whereIs(receipt: string, sources: WhereaboutsSources): Promise<Whereabouts | undefined> {
  const parts = parseReceipt(receipt)
  if (!parts || parts.node !== sources.node) return undefined
  if (await sources.holds(parts)) return { state: 'pending' }
  const entry = await sources.find(parts.lane, parts.segment, parts.tag)
  if (!entry || parts.place >= entry.records) return undefined
  const { at, destination, letters } = entry
  const letter = letters.find(({ place }) => place === parts.place)
  if (letter) {
    const { reason, indexes } = letter
    return { state: 'dead', died_at: at, reason, ...(indexes && { indexes }) }
  }
  const objects = objectsOf(entry, parts.place)
  const damage = letters.find(({ place }) => place === undefined)
  const isThere = objects.length > 0 || isWithin(entry.read ?? [], parts.place)
  if (damage && !isThere) return { state: 'dead', died_at: at, reason: damage.reason }
  return { state: 'stored', stored_at: at, destination, objects }
}

/** The objects that hold lines of the record at `place`. */
export function objectsOf(
  { format, objects }: Pick<SegmentOutcome, 'format' | 'objects'>,
  place: number,
): (ObjectLines | PayloadNames)[] {
  return objects.flatMap<ObjectLines | PayloadNames>(({ name, bytes, sha256, runs, at }: LedgerObject) => {
    const lines = findLines(runs, place)
    if (!lines) return []
    if (format === 'payload') return payloadNames(name, place, lines)
    return { name, bytes, sha256, lines, ...(at !== undefined && { at }) }
  })
}

function payloadNames(set: string, place: number, { first, last, exact }: LineRange): PayloadNames {
  if (!exact) return { name: `${set}-${place}-*`, payloads: undefined }
  const payloads = last - first + 1
  const index = payloads === 1 ? '0' : `[0-${last - first}]`
  return { name: `${set}-${place}-${index}`, payloads }
}
