/** Segment files as tests need them: built piece by piece without a journal, and read back record by record. */

import type { NewRecord } from '../../src/journal/journal.ts'
import { encodeHeader, encodeSeal, FRAME_HEADER_BYTES, type SegmentHeader } from '../../src/journal/layout.ts'
import { receiptPrefix } from '../../src/journal/name.ts'
import { readHeader, readPieces } from '../../src/journal/reader.ts'
import { readRecords, type StoredRecord } from '../../src/journal/record.ts'
import { Stage } from '../../src/journal/stage.ts'
import type { Files } from '../../src/platform/files.ts'

export const HEADER: SegmentHeader = {
  node: 'k3v9x2ab',
  lane: 0,
  number: 1,
  tag: '0badcafe',
  createdAtMs: Date.UTC(2026, 10, 21, 1, 30),
  format: 'lines',
  compression: 'none',
  objectBytesMax: 1 << 20,
}

/** A record of one JSON value. */
export function valueRecord(text: string, more: Partial<NewRecord> = {}): NewRecord {
  const receivedAtMs = Date.UTC(2026, 10, 21, 1, 30, 15, 7)
  return { kind: 'value', body: Buffer.from(text), payloads: 1, receivedAtMs, source: 'default', ...more }
}

/** One frame's bytes. */
export function frameOf(records: readonly NewRecord[], firstRecord = 0): Buffer {
  const stage = new Stage(1 << 20)
  for (const record of records) {
    const isIn = stage.add(record, { kept() {}, refused() {} })
    if (!isIn) throw new Error('the records of a test frame come to at most 1 MiB')
  }
  return Buffer.from(stage.frame(firstRecord))
}

/** A segment file with one frame for each list of records, and where each frame begins; the last of them is its end. */
export function segmentOf(header: SegmentHeader, frames: readonly (readonly NewRecord[])[]) {
  const pieces: Uint8Array[] = [encodeHeader(header)]
  const totals = { records: 0, payloads: 0, frames: 0, recordBytes: 0 }
  const starts: number[] = []
  const length = () => pieces.reduce((sum, piece) => sum + piece.length, 0)
  for (const records of frames) {
    starts.push(length())
    const frame = frameOf(records, totals.records)
    pieces.push(frame)
    totals.recordBytes += frame.length - FRAME_HEADER_BYTES
    totals.frames += 1
    totals.records += records.length
    for (const { payloads } of records) totals.payloads += payloads
  }
  starts.push(length())
  const bytes = Buffer.concat(pieces)
  return { bytes, starts, totals, sealed: Buffer.concat([bytes, encodeSeal(totals)]) }
}

/** A record as it is found in a file: with its receipt, and its body as text. */
export interface FoundRecord extends Omit<StoredRecord, 'body'> {
  receipt: string
  text: string
}

/** The records of a segment file, in order. What is damaged is passed over. */
export async function recordsIn(files: Files, path: string): Promise<FoundRecord[]> {
  const file = await files.open(path, 'read')
  const found: FoundRecord[] = []
  const header = await readHeader(file, path)
  if (header.kind === 'header') {
    for await (const piece of readPieces(file, 'open')) {
      if (piece.kind !== 'frame' || piece.header.kind !== 'records') continue
      let place = piece.header.firstRecord
      for (const { body, ...rest } of readRecords(piece.body)) {
        found.push({ ...rest, receipt: receiptPrefix(header.header) + place++, text: body.toString() })
      }
    }
  }
  await file.close()
  return found
}
