/** A segment file as its reader sees it: a stretch of it in memory, moved along. */

import type { OpenFile } from '../platform/files.ts'

/** How much is read at once; a longer stretch makes the buffer grow to its length. */
export const READ_BYTES = 1 << 20
/** A buffer that grew for a long frame is kept up to this length: others like it often follow. */
const KEPT_BYTES_MAX = 4 << 20

/** A stretch of a file held in memory, moved as it is asked for. */
export class Window {
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

  /** Where `wanted` stands first at or behind `from`; undefined where it doesn't. */
  async find(wanted: Buffer, from: number): Promise<number | undefined> {
    for (let offset = from; offset + wanted.length <= this.fileBytes; ) {
      const view = await this.view(offset, Math.min(READ_BYTES, this.fileBytes - offset))
      const found = view.indexOf(wanted)
      if (found >= 0) return offset + found
      // It may straddle two views.
      offset += Math.max(1, view.length - wanted.length + 1)
    }
    return undefined
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
