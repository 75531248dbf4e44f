/** What records become, without a segment and a destination: frames go through the lines into one object. */

import { ChunkPool } from '../../src/delivery/chunk-pool.ts'
import { createCompressor } from '../../src/delivery/compressor.ts'
import { CHUNK_BYTES } from '../../src/delivery/encode.ts'
import { Lines, type Status } from '../../src/delivery/lines.ts'
import { OpenObject } from '../../src/delivery/open-object.ts'
import type { NewRecord, RecordKind } from '../../src/journal/journal.ts'
import { readRecord, recordBytes, writeRecord } from '../../src/journal/record.ts'

/** What the receipts of these records begin with. */
export const RECEIPT_PREFIX = 'n-0-1-t-'
export const RECEIVED_AT_MS = Date.UTC(2026, 10, 21, 1, 30, 15, 7)

const LINE =
  /^\{"receipt":"n-0-1-t-(\d+)","index":(\d+),"received_at":"[^"]*","version":.*?,"source":"default","payload":(.*)\}$/s

/** A record as intake hands it on. */
export function recordOf(kind: RecordKind, body: string, payloads: number, source = 'default'): NewRecord {
  return { kind, body: Buffer.from(body), payloads, receivedAtMs: RECEIVED_AT_MS, source }
}

/** The body of a frame with these records, of any length. */
export function frameOf(records: readonly NewRecord[]): Buffer {
  const frame = Buffer.alloc(records.reduce((sum, record) => sum + recordBytes(record), 0))
  let position = 0
  for (const record of records) position = writeRecord(frame, position, record)
  return frame
}

/** What became of records. */
export interface Encoded {
  /** All lines. */
  text: string
  payloads: number
  /** Which records they belong to, as the ledger has it. */
  runs: readonly (readonly number[])[]
  /** The places of records that hold no such lines. */
  misfits: number[]
  /** Of the records that are not misfits. */
  recordBytes: number
  /** How often a run ended how. */
  statuses: Partial<Record<Status, number>>
}

/** One object of all records of these frames, whatever their source and hour. */
export async function encoded(frames: readonly (readonly NewRecord[])[], lines = new Lines()): Promise<Encoded> {
  const partition = { source: '', receivedAtMs: 0 }
  const object = new OpenObject(partition, createCompressor('none'), new ChunkPool(CHUNK_BYTES, 2))
  const misfits: number[] = []
  const statuses: Encoded['statuses'] = {}
  let bytes = 0
  let place = 0
  lines.begin(RECEIPT_PREFIX)
  for (const records of frames) {
    const frame = frameOf(records)
    lines.load(frame, 0, place, 0)
    for (let status: Status | undefined; status !== 'frame_done'; ) {
      status = lines.run(object.encoder.bytes, 2 ** 32 - 1)
      statuses[status] = (statuses[status] ?? 0) + 1
      bytes += lines.recordBytes
      await object.add(lines)
      if (status === 'long_payload') await object.addLong(lines, frame)
      if (status === 'new_group') lines.group(readRecord(frame, lines.position))
      if (status === 'misfit') {
        const { position, place } = lines
        const record = readRecord(frame, position)
        const isWider = lines.widen(record)
        if (!isWider) misfits.push(place)
        lines.load(frame, isWider ? position : position + recordBytes(record), isWider ? place : place + 1, 0)
      }
    }
    place += records.length
  }
  const { payloads } = object.encoder
  const { body } = await object.encoder.end()
  return {
    text: Buffer.from(body.whole()).toString(),
    payloads,
    runs: object.inLedger('', { bytes: 0, sha256: new Uint8Array(), linesBeyond: 0 }).runs,
    misfits,
    recordBytes: bytes,
    statuses,
  }
}

/** The payloads of each record as they stand in the lines, which have to be in order and complete. */
export async function payloadTexts(records: readonly NewRecord[]): Promise<string[][]> {
  const { text, misfits } = await encoded([records])
  if (misfits.length > 0) throw new Error(`misfits: ${misfits}`)
  const found = records.map(() => [] as string[])
  for (const line of text.split('\n').slice(0, -1)) {
    const [, place, index, payload] = LINE.exec(line) ?? []
    const payloads = found[Number(place)]
    if (payload === undefined || payloads?.length !== Number(index)) throw new Error(`a line out of order: ${line}`)
    payloads.push(payload)
  }
  return found
}
