/** One open segment file: made durable with its name before the first record, then only ever appended to. */

import { dirname } from 'node:path'
import type { Files, OpenFile } from '../platform/files.ts'
import type { RememberedNote, SealedSegment } from './journal.ts'
import { encodeHeader, encodeSeal, HEADER_BYTES, SEAL_BYTES, type SegmentHeader } from './layout.ts'
import { receiptPrefix, segmentPath, sentPath } from './name.ts'
import { ROOM_BYTES_MAX, roomBehind } from './room.ts'

/** What a segment without records counts for: a seal's room is kept in every open one. */
export const EMPTY_BYTES = HEADER_BYTES + SEAL_BYTES

const ZEROS = new Uint8Array(ROOM_BYTES_MAX)

/** What one frame adds. */
interface Totals {
  records: number
  payloads: number
  recordBytes: number
}

/** A segment that takes frames. Not safe for two calls at once: its owner waits for one before the next. */
export class Segment {
  readonly number: number
  readonly tag: string
  readonly receiptPrefix: string
  readonly takesMade: boolean
  /** Length of what is durable. */
  bytes = HEADER_BYTES
  records = 0
  payloads = 0
  recordBytes = 0
  /** Those of its durable records. */
  readonly notes: RememberedNote[] = []
  readonly #files: Files
  readonly #directory: string
  readonly #file: OpenFile
  /** Its length: with the zeros behind what is durable. */
  #fileBytes = HEADER_BYTES
  #frames = 0
  #isClosed = false
  #isSealed = false

  /** What it may still grow to without another frame: the seal's room is counted from the start. */
  get reservedBytes(): number {
    return this.#fileBytes + SEAL_BYTES
  }

  private constructor(files: Files, directory: string, header: SegmentHeader, file: OpenFile) {
    this.#files = files
    this.#directory = directory
    this.#file = file
    this.number = header.number
    this.tag = header.tag
    this.receiptPrefix = receiptPrefix(header)
    this.takesMade = header.takesMade ?? false
  }

  /** Creates the file; header and name are durable when it resolves. */
  static async create(files: Files, directory: string, header: SegmentHeader): Promise<Segment> {
    const path = segmentPath(directory, header.number, 'open')
    const file = await files.open(path, 'create')
    try {
      await file.write(encodeHeader(header), 0)
      await file.datasync()
      await files.syncDirectory(directory)
    } catch (error) {
      await file.close().catch(() => {})
      await files.remove(path).catch(() => {})
      throw error
    }
    return new Segment(files, directory, header, file)
  }

  /**
   * Appends one whole frame, with room behind it within a bound, and makes it durable. After a rejection the only call
   * allowed is `abandon`.
   */
  async commit(frame: Uint8Array, totals: Totals, roomBytesMax: number): Promise<void> {
    const { records, payloads, recordBytes } = totals
    const end = this.bytes + frame.length
    await this.#file.write(frame, this.bytes)
    let fileBytes = this.#fileBytes
    if (end > fileBytes) {
      const wanted = roomBehind(end, frame.length, this.records === 0)
      fileBytes = await this.#makeRoom(end, Math.min(wanted, roomBytesMax))
    }
    await this.#file.datasync()
    this.bytes = end
    this.#fileBytes = fileBytes
    this.records += records
    this.payloads += payloads
    this.recordBytes += recordBytes
    this.#frames += 1
  }

  /** Writes zeros behind a frame. Returns how long the file is then. */
  async #makeRoom(end: number, bytes: number): Promise<number> {
    if (bytes === 0) return end
    try {
      await this.#file.write(ZEROS.subarray(0, bytes), end)
      return end + bytes
    } catch {
      // The frame itself is written, and a full disk may still have taken some of them.
      return await this.#file.size().catch(() => end + bytes)
    }
  }

  /** Writes the seal and closes the file; one that was abandoned stays as it is. Then `publish` it. */
  async seal(): Promise<void> {
    if (this.#isClosed) return
    if (this.records > 0) {
      const { records, payloads, recordBytes } = this
      const totals = { records, payloads, recordBytes, frames: this.#frames }
      try {
        await this.#file.write(encodeSeal(totals), this.bytes)
        const end = this.bytes + SEAL_BYTES
        if (end < this.#fileBytes) await this.#file.truncate(end)
        await this.#file.datasync()
        this.bytes = end
        this.#isSealed = true
      } catch {
        // The frames before it are durable already.
        await this.#file.truncate(this.bytes).catch(() => {})
      }
    }
    await this.#close()
  }

  /**
   * Gives up a file on which a write or a sync failed. It is never synced again: what was durable before stays so, what
   * came after is cut off. Then `publish` it.
   */
  async abandon(): Promise<void> {
    if (this.#isClosed) return
    try {
      await this.#file.truncate(this.bytes)
      this.#fileBytes = this.bytes
    } catch {
      // What is behind the durable frames stays, and counts.
    }
    await this.#close()
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    await this.#file.close().catch(() => {})
  }

  /**
   * Renames the closed file to `sealed`. One without records or without a seal keeps its name, so that a sealed file whose
   * seal is missing is known to be damaged. May be tried again.
   */
  async publish(): Promise<SealedSegment> {
    const openPath = segmentPath(this.#directory, this.number, 'open')
    const { number, tag, records, payloads, recordBytes } = this
    const totals = { number, tag, records, payloads, recordBytes }
    if (records === 0) return { path: openPath, ...totals, bytes: EMPTY_BYTES, isEmpty: true }
    const path = this.#isSealed ? await sealName(this.#files, openPath) : openPath
    return { path, ...totals, bytes: this.bytes }
  }
}

/** Removes a segment that is in the ledger, and what a destination has noted of it. May be repeated. */
export async function removeSegment(files: Files, path: string): Promise<void> {
  await files.remove(sentPath(path))
  await files.remove(path)
}

/** Renames an `open` segment file to `sealed`, durably; returns its new path. May be repeated, however far it came. */
export async function sealName(files: Files, openPath: string): Promise<string> {
  const path = openPath.replace(/\.open$/, '.sealed')
  if ((await files.sizeOf(openPath)) !== undefined) await files.rename(openPath, path)
  await files.syncDirectory(dirname(path))
  return path
}
