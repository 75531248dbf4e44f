/** How an open segment file ends behind its last whole frame: with what a crash left or with damage, and room for more. */

import { FRAME_HEADER_BYTES, FRAME_MAGIC_BYTES, readFrameHeader } from './layout.ts'
import { READ_BYTES, type Window } from './window.ts'

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512
/** How much of a frame's header says how long it is. */
const LENGTH_KNOWN_BYTES = 16

/** A piece of a segment file that is no frame. */
export type TailPiece =
  /** Bytes that may have been a frame that was acked: one of full length with a wrong CRC, for one. */
  | { kind: 'damage'; offset: number; bytes: number }
  /**
   * Bytes that are what a crash leaves of the last frame, which was never acked: the file ends before it does; or there are
   * zeros where its data never came, a sector of them or its last byte, which no frame of records has.
   */
  | { kind: 'torn'; offset: number; bytes: number }

/** What an open file ends with from `offset` on, if there is no whole frame in it. Zeros at its end are no part of that: they are room for more. */
export async function tailPiece(window: Window, offset: number): Promise<TailPiece | undefined> {
  const end = await endOfData(window, offset)
  if (end === offset) return undefined
  const kind = (await isTornAt(window, offset, end)) ? 'torn' : 'damage'
  return { kind, offset, bytes: end - offset }
}

async function isTornAt(window: Window, offset: number, end: number): Promise<boolean> {
  // Without its header nobody can tell how long it was: only that it was the last one.
  if (await hasBlankSector(window, offset, offset + LENGTH_KNOWN_BYTES)) {
    return (await window.find(FRAME_MAGIC_BYTES, offset + 1)) === undefined
  }
  const start = await window.view(offset, FRAME_HEADER_BYTES)
  const header = readFrameHeader(start)
  if (!header) return isCutHeader(start.subarray(0, end - offset))
  const frameEnd = offset + FRAME_HEADER_BYTES + header.bodyBytes
  if (frameEnd > window.fileBytes) return true
  // The next frame is written when this one is on the disk: behind a torn one nothing is.
  if (end > frameEnd) return false
  return end < frameEnd || (await hasBlankSector(window, offset, frameEnd))
}

/** Whether these bytes, with nothing behind them, are a header's beginning. */
function isCutHeader(bytes: Buffer): boolean {
  const beginning = Math.min(bytes.length, FRAME_MAGIC_BYTES.length)
  const isMagic = bytes.subarray(0, beginning).equals(FRAME_MAGIC_BYTES.subarray(0, beginning))
  return bytes.length < FRAME_HEADER_BYTES && isMagic
}

/** Whether one of the sectors that begin before `end` has nothing but zeros from `from` on. */
async function hasBlankSector(window: Window, from: number, end: number): Promise<boolean> {
  for (let offset = from; offset < end; ) {
    const sector = await window.view(offset, SECTOR_BYTES - (offset % SECTOR_BYTES))
    if (sector.length === 0) return false
    if (lastData(sector) < 0) return true
    offset += sector.length
  }
  return false
}

/** Where the zeros begin that the file ends with; `from` where there is nothing else. */
async function endOfData(window: Window, from: number): Promise<number> {
  let end = from
  for (let offset = from; offset < window.fileBytes; ) {
    const view = await window.view(offset, Math.min(READ_BYTES, window.fileBytes - offset))
    const last = lastData(view)
    if (last >= 0) end = offset + last + 1
    offset += view.length
  }
  return end
}

/** The place of the last byte that isn't zero; -1 for none. */
function lastData(bytes: Buffer): number {
  return bytes.findLastIndex((byte) => byte !== 0)
}
