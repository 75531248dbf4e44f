/** The journal's contract: what intake appends to and what delivery takes from. Nothing else connects the two. */

import type { Amount } from '../observe/ledger-entry.ts'

/** How a record's body holds its payloads. */
export type RecordKind =
  /** `{"version", "token", "data": [payload, …]}`. */
  | 'collection'
  /** One JSON value, one payload. */
  | 'value'
  /** A JSON array, one payload an element. */
  | 'array'
  /** NDJSON, one payload a line. */
  | 'lines'
  /** Lines as objects have them, which another Millrace has made: they go into objects unchanged. */
  | 'made'

/** One accepted request, as intake hands it over. The body is valid UTF-8 and valid JSON of its kind. */
export interface NewRecord {
  kind: RecordKind
  body: Uint8Array
  payloads: number
  receivedAtMs: number
  /** The name that the sender's token belongs to; at most 255 bytes. */
  source: string
  /** A text of the sender's that is remembered with the record; at most `NOTE_BYTES_MAX`. */
  note?: Uint8Array
}

/** The longest note. */
export const NOTE_BYTES_MAX = 65_535

/** How long notes of made lines are remembered: whoever sent those may be away for a while before it asks again. */
export const MADE_NOTES_WINDOW_MS = 86_400_000

/** A note that is remembered, with what was told of its record. */
export interface RememberedNote {
  note: string
  receipt: string
  payloads: number
  receivedAtMs: number
  /** Of a record of made lines: remembered for longer. */
  isMade?: true
}

/** A segment that takes no more records. It exists until `remove`. */
export interface SealedSegment {
  path: string
  number: number
  /** From its header; empty when that is damaged. */
  tag: string
  records: number
  payloads: number
  /** Length of its records, without frames. */
  recordBytes: number
  /** Its file's length. */
  bytes: number
  /** It never held a record: there is nothing to deliver, and only its number has to be accounted for. */
  isEmpty?: true
}

/** Why a record was not kept although it passed intake's own checks. */
export type AppendRefusal = 'disk_full' | 'journal_failed' | 'stopping'

/** Somebody who sends one record after another: a connection. */
export interface Sender {
  /** The journal's to set; 0 at first. */
  round: number
}

/** Is told what became of one record. Callbacks, since a promise for each record is 4 % of all CPU; none may throw. */
export interface Waiter {
  /** Where others can be expected from the same one, so that waiting a moment for them may be worth it. */
  readonly sender?: Sender | undefined
  /** The journal has a copy of the record and needs its body no more. Called once, before `kept`, and not if it's refused first. */
  copied?(): void
  /** The record is on the disk (`fdatasync`), and this is its name. */
  kept(receipt: string): void
  /** It could not be made durable. What of it had reached the disk may still be stored, once at the most. */
  refused(refusal: AppendRefusal): void
}

/** The durable log between intake and delivery. */
export interface Journal {
  /** Payloads accepted and not yet stored, those being written included. */
  readonly payloads: number
  /** Bytes on disk and about to be, all segments. */
  readonly bytes: number
  /** Notes found at the start that are not too old. */
  readonly notes: readonly RememberedNote[]
  /** What became durable here or was found at the start, in payloads and in bytes of records. */
  readonly accepted: Readonly<Amount>
  /** How much of that has not been removed. */
  readonly pending: Readonly<Amount>
  /** Why nothing can be written just now; undefined when all is well. */
  readonly trouble: AppendRefusal | undefined
  /**
   * Keeps a record and tells `waiter` how that went: once, at the latest when the journal is closed, perhaps before the
   * call returns. Don't change the body until then, or until it is `copied`.
   */
  append(record: NewRecord, waiter: Waiter): void
  /** Has what is open sealed within `delayMs`: somebody waits for it to be stored. */
  hasten(delayMs: number): void
  /** Whether this record is durable and waits to be stored. */
  holds(segment: number, tag: string, place: number): boolean
  /** Forgets a sealed segment, in the same turn, and deletes its file. May be repeated after a rejection. */
  remove(segment: SealedSegment): Promise<void>
  /** Refuses further appends, waits for those under way, seals the open segment and closes it. */
  close(): Promise<void>
}
