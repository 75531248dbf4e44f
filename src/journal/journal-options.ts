/** What a journal over segment files is told when it is made. */

import type { Compression, ObjectFormat } from './layout.ts'

/** What a file journal needs to know. */
export interface JournalOptions {
  /** The lane's own directory. */
  directory: string
  node: string
  lane: number
  /** A segment with records is sealed at this age. */
  lingerMs: number
  /** What objects made from new segments will hold: kept in each segment's header. */
  format: ObjectFormat
  /** How objects of lines will be compressed: kept there, too. */
  compression: Compression
  /** Where objects are cut; kept in the header, too. A segment is sealed before its lines would pass it (`Fullness`). */
  objectBytesMax: number
  /** About how much longer than its payload a line is: what a segment's lines come to is estimated with it. */
  lineExtraBytes: number
  /** Segments take records of made lines from the start; else from the first such record on. */
  takesMade?: boolean
  /** How large all segment files together may become; unbounded by default. Records are the caller's to refuse. */
  journalBytesMax?: number | undefined
  /** How long notes are remembered. */
  noteWindowMs: number
}
