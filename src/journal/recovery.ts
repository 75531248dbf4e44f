/** What a start finds in a lane's directory: torn tails are cut, open segments sealed, damage set aside, nothing delivered. */

import { join } from 'node:path'
import { Fault } from '../observe/errors.ts'
import type { Observer } from '../observe/events.ts'
import type { Files, OpenFile } from '../platform/files.ts'
import type { RememberedNote, SealedSegment } from './journal.ts'
import {
  decodeSeal,
  encodeSeal,
  FRAME_HEADER_BYTES,
  HEADER_BYTES,
  LAYOUT_VERSION,
  SEAL_BYTES,
  type SealTotals,
} from './layout.ts'
import { HANDLED, isSentName, parseProgressName, parseSegmentName, receiptPrefix } from './name.ts'
import { isNotesName, writeNotes } from './notes.ts'
import { readHeader, readPieces, type SegmentPiece } from './reader.ts'
import { noteOf, readRecords } from './record.ts'
import { EMPTY_BYTES, sealName } from './segment.ts'

/** What recovery leaves behind. */
export interface Recovered {
  /** Sealed or empty, in the order of their numbers. */
  segments: SealedSegment[]
  /** The highest number any segment file had; 0 when there was none. */
  lastNumber: number
}

const NOTHING = { records: 0, payloads: 0, recordBytes: 0 }
const EMPTY = { ...NOTHING, bytes: EMPTY_BYTES, isEmpty: true } as const

/** The directory beside the segments that damaged bytes are copied to. */
export const CORRUPT = 'corrupt'
/** The directories beside the segments. */
const BESIDE = [CORRUPT, 'dead', HANDLED]

/** Brings a lane's directory in order. Throws `Fault('journal_newer')` before changing anything when a file is newer. */
export async function recover(files: Files, directory: string, observe: Observer): Promise<Recovered> {
  const recovered: Recovered = { segments: [], lastNumber: 0 }
  const found = []
  const progress: { number: number; path: string }[] = []
  for (const name of await files.list(directory)) {
    const parsed = parseSegmentName(name)
    const path = join(directory, name)
    const delivered = parseProgressName(name)
    if (parsed) found.push({ ...parsed, path })
    else if (delivered) progress.push({ ...delivered, path })
    else if (!BESIDE.includes(name) && !isNotesName(name) && !isSentName(name)) {
      observe({ kind: 'journal-foreign-file', path })
    }
  }
  for (const { path } of found) await refuseNewer(files, path)
  // Its segment is gone: that it was removed before was lost with the power.
  const numbers = new Set(found.map(({ number }) => number))
  for (const { path, number } of progress) if (!numbers.has(number)) await files.remove(path)
  for (const { path, number, state } of found) {
    recovered.lastNumber = Math.max(recovered.lastNumber, number)
    const isOpen = state === 'open'
    const recover = isOpen ? recoverOpen(files, directory, path, number, observe) : measureSealed(files, path, number)
    recovered.segments.push(await recover)
  }
  return recovered
}

async function refuseNewer(files: Files, path: string): Promise<void> {
  const header = await withFile(files, path, 'read', (file) => readHeader(file, path))
  if (header.kind === 'newer') {
    const message = `${path} has layout version ${header.version}; this program reads up to ${LAYOUT_VERSION}.`
    throw new Fault('journal_newer', `${message} Start the version that wrote it, or a newer one.`)
  }
}

/** Cuts what a crash left half-written, seals the file and renames it, unless there was nothing else in it. */
async function recoverOpen(
  files: Files,
  directory: string,
  path: string,
  number: number,
  observe: Observer,
): Promise<SealedSegment> {
  const found = await withFile(files, path, 'update', async (file) => {
    // Records are only ever written behind a durable header: without one there are none that were acked.
    const header = await readHeader(file, path)
    if (header.kind !== 'header') {
      const bytes = await file.size()
      // It is delivered like any other: what can't be read is set aside then.
      if (bytes > HEADER_BYTES) return { ...NOTHING, tag: '', bytes }
      // Nothing behind it: the crash came while the file was made.
      if (bytes > 0) observe({ kind: 'journal-torn-tail', path, bytes })
      return { ...EMPTY, tag: '' }
    }
    const { tag } = header.header
    const notes: RememberedNote[] = []
    const { totals, end, tornBytes, sealed, damaged } = await survey(file, path, notes)
    if (tornBytes > 0) observe({ kind: 'journal-torn-tail', path, bytes: tornBytes })
    if (totals.records === 0 && !damaged) {
      await file.truncate(HEADER_BYTES)
      return { ...EMPTY, tag }
    }
    if (notes.length > 0) await writeNotes(files, directory, number, notes)
    return { ...sizes(totals), tag, ...(await seal(file, totals, end, sealed)) }
  })
  const { staysOpen, ...size } = { staysOpen: 'isEmpty' in found, ...found }
  return { path: staysOpen ? path : await sealName(files, path), number, ...size }
}

/**
 * Cuts the file at `end` and seals it there; tells its length. On a full disk it has no seal, and keeps the name of an open
 * one: a sealed file without its seal is a damaged one.
 */
async function seal(file: OpenFile, totals: SealTotals, end: number, isSealed: boolean) {
  await file.truncate(end)
  try {
    if (!isSealed) await file.write(encodeSeal(totals), end)
    await file.datasync()
    return { bytes: isSealed ? end : end + SEAL_BYTES, staysOpen: false }
  } catch {
    await file.truncate(end)
    return { bytes: end, staysOpen: true }
  }
}

/** A sealed segment's size, from its seal; read through when it has none. */
async function measureSealed(files: Files, path: string, number: number): Promise<SealedSegment> {
  return await withFile(files, path, 'read', async (file) => {
    const bytes = await file.size()
    const seal = new Uint8Array(SEAL_BYTES)
    const count = await file.read(seal, Math.max(0, bytes - SEAL_BYTES))
    const header = await readHeader(file, path)
    const tag = header.kind === 'header' ? header.header.tag : ''
    const sealed = decodeSeal(seal.subarray(0, count))
    // The first program's seals have no length of the records.
    const isComplete = sealed !== undefined && (sealed.recordBytes > 0 || sealed.records === 0)
    const totals = isComplete ? sealed : (await survey(file, path)).totals
    return { path, number, tag, ...sizes(totals), bytes }
  })
}

function sizes({ records, payloads, recordBytes }: SealTotals) {
  return { records, payloads, recordBytes }
}

interface Survey {
  totals: SealTotals
  /** Where the file ends when a torn frame is left out, and room for more. */
  end: number
  /** How long the torn frame is, as far as it came. */
  tornBytes: number
  sealed: boolean
  damaged: boolean
}

/** Reads a whole file: the totals of its whole frames, the notes in them, and how it ends. */
async function survey(file: OpenFile, path: string, notes: RememberedNote[] = []): Promise<Survey> {
  const totals = { records: 0, payloads: 0, frames: 0, recordBytes: 0 }
  const found = { totals, end: HEADER_BYTES, tornBytes: 0, sealed: false, damaged: false }
  const header = await readHeader(file, path)
  if (header.kind !== 'header') return found
  for await (const piece of readPieces(file, 'open')) {
    if (piece.kind === 'torn') found.tornBytes = piece.bytes
    if (piece.kind === 'damage') {
      found.damaged = true
      found.end = piece.offset + piece.bytes
    }
    if (piece.kind !== 'frame') continue
    found.end += FRAME_HEADER_BYTES + piece.header.bodyBytes
    found.sealed = piece.header.kind === 'seal'
    if (found.sealed) continue
    // Records that damage has taken count as well: the places of those behind it go on.
    totals.records = Math.max(totals.records, piece.header.firstRecord + piece.header.records)
    totals.payloads += piece.header.payloads
    totals.recordBytes += piece.header.bodyBytes
    totals.frames += 1
    if (piece.header.noted > 0) notes.push(...notesIn(piece, receiptPrefix(header.header)))
  }
  return found
}

function notesIn({ header, body }: Extract<SegmentPiece, { kind: 'frame' }>, prefix: string): RememberedNote[] {
  const notes: RememberedNote[] = []
  let place = header.firstRecord
  for (const record of readRecords(body)) {
    if (record.note) notes.push(noteOf(record, prefix + place))
    place += 1
  }
  return notes
}

/** A stretch of a segment file. */
export interface Stretch {
  path: string
  number: number
  offset: number
  bytes: number
}

/** Copies damaged bytes to `corrupt/` and reports them; the segment itself stays as it is. Repeating it is harmless. */
export async function setAside(files: Files, directory: string, from: OpenFile, stretch: Stretch, observe: Observer) {
  await files.makeDirectory(join(directory, CORRUPT))
  const keptAt = join(directory, CORRUPT, `${String(stretch.number).padStart(16, '0')}-${stretch.offset}.bytes`)
  // What an earlier try left: if its sync failed, that file is not synced again, not even with new bytes in it.
  await files.remove(keptAt)
  await withFile(files, keptAt, 'replace', async (to) => {
    const buffer = new Uint8Array(Math.min(stretch.bytes, 1 << 20))
    for (let done = 0; done < stretch.bytes; ) {
      const count = await from.read(
        buffer.subarray(0, Math.min(buffer.length, stretch.bytes - done)),
        stretch.offset + done,
      )
      if (count === 0) break
      await to.write(buffer.subarray(0, count), done)
      done += count
    }
    await to.datasync()
  })
  await files.syncDirectory(join(directory, CORRUPT))
  observe({ kind: 'journal-damage', path: stretch.path, offset: stretch.offset, bytes: stretch.bytes, keptAt })
}

async function withFile<T>(
  files: Files,
  path: string,
  mode: 'read' | 'update' | 'replace',
  use: (file: OpenFile) => Promise<T>,
): Promise<T> {
  const file = await files.open(path, mode)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
