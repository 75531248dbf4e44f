/** Reads a segment file front to back: whole frames in order, damaged stretches by their place, and where the good part ends. */

import type { OpenFile } from '../platform/files.ts'
import {
  type DecodedHeader,
  decodeHeader,
  decodeSeal,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC_BYTES,
  type FrameHeader,
  HEADER_BYTES,
  isWhole,
  readFrameHeader,
  type SealTotals,
} from './layout.ts'
import { parseSegmentPath, type SegmentState } from './name.ts'

/** How much is read at once; a longer frame makes the buffer grow to its length. */
const READ_BYTES = 1 << 20
/** A buffer that grew for a long frame is kept up to this length: others like it often follow. */
const KEPT_BYTES_MAX = 4 << 20

/** What a segment file holds, piece by piece. */
export type SegmentPiece =
  /** A whole frame. `body` is a view that the next piece overwrites. */
  | { kind: 'frame'; header: FrameHeader; body: Buffer }
  /** Bytes that are no frame, and not just a torn one at the end. */
  | { kind: 'damage'; offset: number; bytes: number }
  /** Bytes at the end that are what a crash leaves of a frame: its beginning, or zeros. */
  | { kind: 'torn'; offset: number; bytes: number }
  /** A sealed file's whole frames are not those that it was sealed with: some were taken out, and left no bytes. */
  | { kind: 'lost'; offset: number; bytes: 0; reason: string }

/** What the header of a file at its path turned out to be. */
export type ReadHeader = DecodedHeader | { kind: 'misplaced'; of: string }

/**
 * Reads the header of the file at `path`: `broken` when it is too short for one, `misplaced` when it is that of another
 * segment. Receipts, objects and the ledger's line of such a file would contradict one another.
 */
export async function readHeader(file: OpenFile, path: string): Promise<ReadHeader> {
  const bytes = new Uint8Array(HEADER_BYTES)
  const count = await file.read(bytes, 0)
  const read = decodeHeader(bytes.subarray(0, count))
  const place = parseSegmentPath(path)
  if (read.kind !== 'header' || place === undefined) return read
  const { number, lane } = read.header
  const isOwn = number === place.number && (place.lane ?? lane) === lane
  return isOwn ? read : { kind: 'misplaced', of: `segment ${number} of lane ${lane}` }
}

/** Yields the pieces of a file whose header is good, in order; of a sealed one also whether they are all. */
export async function* readPieces(file: OpenFile, state: SegmentState): AsyncGenerator<SegmentPiece> {
  const window = new Window(file, await file.size())
  const seen = new Seen()
  let offset = HEADER_BYTES
  while (offset < window.fileBytes) {
    const frame = await frameAt(window, offset)
    if (frame) {
      seen.frame(offset, frame)
      yield { kind: 'frame', header: frame.header, body: frame.bytes.subarray(FRAME_HEADER_BYTES) }
      offset += frame.bytes.length
      continue
    }
    const next = await nextFrame(window, offset + 1)
    const end = next ?? window.fileBytes
    const isTorn = next === undefined && (await isTornAt(window, offset))
    seen.damage()
    yield { kind: isTorn ? 'torn' : 'damage', offset, bytes: end - offset }
    offset = end
  }
  const lost = state === 'sealed' ? seen.lost(offset) : undefined
  if (lost) yield { kind: 'lost', bytes: 0, ...lost }
}

/** What was read of a file, to be held against its seal. */
class Seen {
  readonly #totals: SealTotals = { records: 0, payloads: 0, frames: 0, recordBytes: 0 }
  #seal: SealTotals | undefined
  #isDamaged = false
  /** Whether damage is the last that was seen: it may have been the seal. */
  #endsDamaged = false
  /** Where the first frame begins that does not follow the one before. */
  #gapAt: number | undefined

  frame(offset: number, { header, bytes }: { header: FrameHeader; bytes: Buffer }): void {
    this.#endsDamaged = false
    this.#seal = decodeSeal(bytes)
    if (header.firstRecord !== this.#totals.records) this.#gapAt ??= offset
    if (header.kind === 'seal') return
    this.#totals.records = header.firstRecord + header.records
    this.#totals.payloads += header.payloads
    this.#totals.recordBytes += header.bodyBytes
    this.#totals.frames += 1
  }

  damage(): void {
    this.#isDamaged = true
    this.#endsDamaged = true
  }

  /** What is missing and left no bytes. What damage has left of a frame explains by itself that one is missing. */
  lost(end: number): { offset: number; reason: string } | undefined {
    if (this.#endsDamaged) return undefined
    const seal = this.#seal
    if (!seal) return { offset: end, reason: `its seal is missing: what was behind offset ${end} is unknown` }
    if (this.#isDamaged) return undefined
    const { frames, payloads, recordBytes, records } = this.#totals
    // The first program's seals have no length of the records.
    const isSame = seal.recordBytes === recordBytes || seal.recordBytes === 0
    const fits = seal.frames === frames && seal.payloads === payloads && seal.records === records && isSame
    if (fits && this.#gapAt === undefined) return undefined
    const offset = this.#gapAt ?? HEADER_BYTES
    const reason = `its frames are not those of its seal: ${frames} with ${payloads} payloads, and it was sealed with ${seal.frames} and ${seal.payloads}`
    return { offset, reason }
  }
}

/** The whole frame at `offset`, or undefined when there is none. */
async function frameAt(window: Window, offset: number) {
  const header = readFrameHeader(await window.view(offset, FRAME_HEADER_BYTES))
  if (!header || offset + FRAME_HEADER_BYTES + header.bodyBytes > window.fileBytes) return undefined
  const bytes = await window.view(offset, FRAME_HEADER_BYTES + header.bodyBytes)
  return isWhole(bytes) ? { header, bytes } : undefined
}

/**
 * Whether the rest of the file is what a crash leaves of the last frame: too short for what its header says, or zeros
 * where data never came. A frame of its full length with a wrong CRC may have been acked and damaged later.
 */
async function isTornAt(window: Window, offset: number): Promise<boolean> {
  const start = await window.view(offset, FRAME_HEADER_BYTES)
  const header = readFrameHeader(start)
  if (header) return offset + FRAME_HEADER_BYTES + header.bodyBytes > window.fileBytes
  // No header: its beginning, or nothing but zeros.
  const beginning = Math.min(start.length, FRAME_MAGIC_BYTES.length)
  const isMagic = start.subarray(0, beginning).equals(FRAME_MAGIC_BYTES.subarray(0, beginning))
  if (start.length < FRAME_HEADER_BYTES && isMagic) return true
  return await isZeroFrom(window, offset)
}

async function isZeroFrom(window: Window, from: number): Promise<boolean> {
  for (let offset = from; offset < window.fileBytes; ) {
    const view = await window.view(offset, Math.min(READ_BYTES, window.fileBytes - offset))
    if (view.some((byte) => byte !== 0)) return false
    offset += view.length
  }
  return true
}

/** The offset of the next whole frame at or behind `from`: a body can hold the magic by chance, so the CRC decides. */
async function nextFrame(window: Window, from: number): Promise<number | undefined> {
  let offset = from
  while (offset + FRAME_HEADER_BYTES <= window.fileBytes) {
    const view = await window.view(offset, Math.min(READ_BYTES, window.fileBytes - offset))
    const found = view.indexOf(FRAME_MAGIC_BYTES)
    if (found < 0) {
      // The magic may straddle two views.
      offset += Math.max(1, view.length - FRAME_MAGIC_BYTES.length + 1)
      continue
    }
    if (await frameAt(window, offset + found)) return offset + found
    offset += found + 1
  }
  return undefined
}

/** A stretch of the file held in memory, moved as it is asked for. */
class Window {
  /** How long it is: less than it was where somebody has cut it meanwhile. */
  fileBytes: number
  readonly #file: OpenFile
  #buffer = Buffer.allocUnsafe(READ_BYTES)
  #offset = 0
  #length = 0

  constructor(file: OpenFile, fileBytes: number) {
    this.#file = file
    this.fileBytes = fileBytes
  }

  /** The bytes from `offset`, `length` of them or fewer at the end of the file; valid until the next call. */
  async view(offset: number, length: number): Promise<Buffer> {
    const inside = offset - this.#offset
    if (inside < 0 || inside + length > this.#length) await this.#load(offset, length)
    const start = offset - this.#offset
    return this.#buffer.subarray(start, Math.min(start + length, this.#length))
  }

  async #load(offset: number, length: number): Promise<void> {
    // What is here already, usually the beginning of a frame, isn't read again: a fifth of all reading would be that.
    const inside = offset - this.#offset
    const here = this.#buffer.subarray(inside < 0 ? this.#length : inside, this.#length)
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(length)
    else if (this.#buffer.length > KEPT_BYTES_MAX && length <= READ_BYTES) this.#buffer = Buffer.allocUnsafe(READ_BYTES)
    this.#offset = offset
    this.#length = here.copy(this.#buffer)
    const wanted = Math.min(this.#buffer.length, this.fileBytes - offset)
    while (this.#length < wanted) {
      const count = await this.#file.read(this.#buffer.subarray(this.#length, wanted), offset + this.#length)
      if (count === 0) {
        this.fileBytes = offset + this.#length
        return
      }
      this.#length += count
    }
  }
}
