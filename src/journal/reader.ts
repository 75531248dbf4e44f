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
import { type TailPiece, tailPiece } from './tail.ts'
import { Window } from './window.ts'

/** What a segment file holds, piece by piece. */
export type SegmentPiece =
  /** A whole frame. `body` is a view that the next piece overwrites. */
  | { kind: 'frame'; header: FrameHeader; body: Buffer }
  /** What is no frame: damage anywhere, and what an open one ends with. */
  | TailPiece
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
    // Behind a seal nothing is written: what a sealed one ends with is no torn frame, and no room.
    if (next === undefined && state === 'open') {
      const tail = await tailPiece(window, offset)
      if (tail) yield tail
      return
    }
    const end = next ?? window.fileBytes
    seen.damage()
    yield { kind: 'damage', offset, bytes: end - offset }
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

/** The offset of the next whole frame at or behind `from`: a body can hold the magic by chance, so the CRC decides. */
async function nextFrame(window: Window, from: number): Promise<number | undefined> {
  for (let offset = from; ; offset += 1) {
    const found = await window.find(FRAME_MAGIC_BYTES, offset)
    if (found === undefined || (await frameAt(window, found))) return found
    offset = found
  }
}
