/**
 * How far the delivery of a segment has come whose payloads are objects of their own: a line beside it says before which
 * record all are stored, so that a delivery that was cut off goes on there. Nobody syncs it: what a crash leaves is that
 * line, or an older one, or none, and then more is put again that is there already.
 */

import { crc32 } from 'node:zlib'
import { progressPath } from '../journal/name.ts'
import type { Files, OpenFile } from '../platform/files.ts'

/** Whose progress it is: what is stored at one destination is not at another. */
export interface ProgressOptions {
  segmentPath: string
  tag: string
  destinationKey: string
}

/** All lines are as long, so that one is written over the other. */
const PLACE_DIGITS = 10

/** The progress of one delivery. */
export class PutProgress {
  readonly #files: Files
  readonly #path: string
  readonly #owner: string
  #place = 0
  #file: OpenFile | undefined
  #writing: Promise<void> | undefined
  #isClosed = false

  private constructor(files: Files, { segmentPath, tag, destinationKey }: ProgressOptions) {
    this.#files = files
    this.#path = progressPath(segmentPath)
    this.#owner = `millrace progress 1 ${tag} ${destinationKey}`
  }

  /** Looks for what an earlier delivery has left. */
  static async find(files: Files, options: ProgressOptions): Promise<PutProgress> {
    const progress = new PutProgress(files, options)
    await progress.#read()
    return progress
  }

  /** All payloads of records before this place are stored. */
  get place(): number {
    return this.#place
  }

  /** Notes that all before `place` are stored, soon and unless it is busy with that. */
  note(place: number): void {
    if (place <= this.#place || this.#writing || this.#isClosed) return
    this.#place = place
    this.#writing = this.#write(place)
      // Without it more is put again.
      .catch(() => {})
      .finally(() => {
        this.#writing = undefined
      })
  }

  /** No more is noted. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#writing
    await this.#file?.close().catch(() => {})
    this.#file = undefined
  }

  /** Everything is stored. */
  async remove(): Promise<void> {
    await this.close()
    await this.#files.remove(this.#path).catch(() => {})
  }

  async #read(): Promise<void> {
    const length = this.#lineOf(0).length
    try {
      if ((await this.#files.sizeOf(this.#path)) !== length) return
      this.#file = await this.#files.open(this.#path, 'update')
      const bytes = new Uint8Array(length)
      const count = await this.#file.read(bytes, 0)
      const line = Buffer.from(bytes.subarray(0, count))
      const place = Number(line.toString('latin1', this.#owner.length + 1, this.#owner.length + 1 + PLACE_DIGITS))
      if (Number.isInteger(place) && line.equals(this.#lineOf(place))) this.#place = place
    } catch {
      // As if there were none.
    }
  }

  async #write(place: number): Promise<void> {
    this.#file ??= await this.#files.open(this.#path, 'replace')
    await this.#file.write(this.#lineOf(place), 0)
  }

  #lineOf(place: number): Buffer {
    const text = `${this.#owner} ${String(place).padStart(PLACE_DIGITS, '0')}`
    return Buffer.from(`${text} ${crc32(text).toString(16).padStart(8, '0')}\n`)
  }
}
