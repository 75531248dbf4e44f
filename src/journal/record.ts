/**
 * The bytes of one record inside a frame: 24 bytes of header, the source's name, the note, the body as received.
 *
 *   0 body length u32 · 4 payloads u32 · 8 received at, ms, f64 · 16 kind u8 · 17 source length u8 · 18 note length u16 · 20 zero u32
 */

import type { NewRecord, RecordKind, RememberedNote } from './journal.ts'

/** Length of a record's header. */
export const RECORD_HEADER_BYTES = 24

/** Zero in the file. */
const PLACE_AT = 20

/** Every kind; a record holds its place in this list. */
const KINDS: readonly RecordKind[] = ['collection', 'value', 'array', 'lines', 'made']

/** A record as it is read back; `body` is a view into the frame. */
export interface StoredRecord extends NewRecord {
  body: Buffer
}

/** How many bytes a record takes. */
export function recordBytes(record: NewRecord): number {
  const note = record.note === undefined ? 0 : record.note.length
  return RECORD_HEADER_BYTES + sourceName(record.source).length + note + record.body.length
}

/** The last source's bytes: records come in runs of one source, and encoding its name each time shows in a profile. */
let lastSource = { name: '', bytes: new Uint8Array() }

function sourceName(name: string): Uint8Array {
  if (name !== lastSource.name) lastSource = { name, bytes: Buffer.from(name) }
  return lastSource.bytes
}

/** How many bytes the record at `position` takes. */
export function recordBytesAt(frameBody: Buffer, position: number): number {
  const around = RECORD_HEADER_BYTES + frameBody.readUInt8(position + 17) + frameBody.readUInt16LE(position + 18)
  const bytes = around + frameBody.readUInt32LE(position)
  if (position + bytes > frameBody.length) throw misfit(position)
  return bytes
}

/** From whom and when it came. */
export function sourceAndTimeAt(frameBody: Buffer, position: number): { source: string; receivedAtMs: number } {
  const sourceAt = position + RECORD_HEADER_BYTES
  const source = frameBody.toString('utf8', sourceAt, sourceAt + frameBody.readUInt8(position + 17))
  return { source, receivedAtMs: frameBody.readDoubleLE(position + 8) }
}

/** Has a record hold its place in its segment, where it stands in memory among others than in the file. */
export function setPlace(into: Buffer, position: number, place: number): void {
  into.writeUInt32LE(place, position + PLACE_AT)
}

/** Writes a record at `position`; returns the position behind it. The room must be there. */
export function writeRecord(into: Buffer, position: number, record: NewRecord): number {
  const source = sourceName(record.source)
  into.writeUInt32LE(record.body.length, position)
  into.writeUInt32LE(record.payloads, position + 4)
  into.writeDoubleLE(record.receivedAtMs, position + 8)
  into.writeUInt8(kindNumber(record.kind), position + 16)
  into.writeUInt8(source.length, position + 17)
  into.writeUInt16LE(record.note === undefined ? 0 : record.note.length, position + 18)
  into.writeUInt32LE(0, position + PLACE_AT)
  into.set(source, position + RECORD_HEADER_BYTES)
  let bodyAt = position + RECORD_HEADER_BYTES + source.length
  if (record.note !== undefined) {
    into.set(record.note, bodyAt)
    bodyAt += record.note.length
  }
  into.set(record.body, bodyAt)
  return bodyAt + record.body.length
}

/** The number that stands for a kind. */
export function kindNumber(kind: RecordKind): number {
  return KINDS.indexOf(kind)
}

/** Yields the records of a frame's body, in order. The frame's CRC held, so that a misfit is a bug: it throws. */
export function* readRecords(frameBody: Buffer): Generator<StoredRecord> {
  let position = 0
  while (position < frameBody.length) {
    const record = readRecord(frameBody, position)
    yield record
    position += recordBytes(record)
  }
}

/** The record at `position` of a frame's body. */
export function readRecord(frameBody: Buffer, position: number): StoredRecord {
  const bodyLength = frameBody.readUInt32LE(position)
  const kind = KINDS[frameBody.readUInt8(position + 16)]
  const sourceAt = position + RECORD_HEADER_BYTES
  const noteAt = sourceAt + frameBody.readUInt8(position + 17)
  const bodyAt = noteAt + frameBody.readUInt16LE(position + 18)
  const end = bodyAt + bodyLength
  if (kind === undefined || end > frameBody.length) throw misfit(position)
  return {
    kind,
    payloads: frameBody.readUInt32LE(position + 4),
    receivedAtMs: frameBody.readDoubleLE(position + 8),
    source: frameBody.toString('utf8', sourceAt, noteAt),
    ...(noteAt === bodyAt ? {} : { note: frameBody.subarray(noteAt, bodyAt) }),
    body: frameBody.subarray(bodyAt, end),
  }
}

/** The frame's CRC held: a bug. */
function misfit(position: number): Error {
  return new Error(`a record at ${position} does not fit its frame`)
}

/** What is remembered of a record with a note. */
export function noteOf({ kind, note, payloads, receivedAtMs }: NewRecord, receipt: string): RememberedNote {
  const remembered = { note: Buffer.from(note ?? []).toString(), receipt, payloads, receivedAtMs }
  return kind === 'made' ? { ...remembered, isMade: true } : remembered
}
