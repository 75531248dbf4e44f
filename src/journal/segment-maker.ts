/** Makes a lane's segments, one after the other, and gives each the next number: every number is that of a segment. */

import type { Platform } from '../platform/platform.ts'
import type { JournalOptions } from './journal-options.ts'
import { segmentPath } from './name.ts'
import { Segment } from './segment.ts'

/** Numbers and makes segments. Not safe for two calls at once. */
export class SegmentMaker {
  readonly #platform: Platform
  readonly #options: JournalOptions
  /** Of the last segment that was made: a number counts as used once its file is there. */
  #lastNumber: number
  /** A file that was found may have a name that nobody has synced: with a later one beside it, it must not go. */
  #areNamesDurable = false
  /** Something may be left of a try to make the next one. */
  #isNextHalfMade = false
  /** The next ones take records of made lines: older programs can't read those, so that only who gets such has them. */
  takesMade: boolean

  constructor(platform: Platform, options: JournalOptions, lastNumber: number) {
    this.#platform = platform
    this.#options = options
    this.takesMade = options.takesMade ?? false
    this.#lastNumber = lastNumber
  }

  /** Makes the next segment. After a rejection it may be tried again. */
  async make(): Promise<Segment> {
    const { directory, node, lane, format, compression, objectBytesMax } = this.#options
    const { files, random, clock } = this.#platform
    if (!this.#areNamesDurable) await files.syncDirectory(directory)
    this.#areNamesDurable = true
    const number = this.#lastNumber + 1
    // What is left of a try that failed is never synced again: another file takes its name.
    if (this.#isNextHalfMade) await files.remove(segmentPath(directory, number, 'open'))
    this.#isNextHalfMade = true
    const tag = Buffer.from(random.bytes(4)).toString('hex')
    const header = { node, lane, number, tag, createdAtMs: clock.nowMs(), format, compression, objectBytesMax }
    const made = this.takesMade ? ({ ...header, takesMade: true } as const) : header
    const segment = await Segment.create(files, directory, made)
    this.#isNextHalfMade = false
    this.#lastNumber = number
    return segment
  }
}
