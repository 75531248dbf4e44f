/** How full the open segment is: about how long the lines of its payloads are, and of how many sources, each with objects of its own. */

import type { JournalOptions } from './journal-options.ts'
import { SOURCES_MAX, type Stage } from './stage.ts'

type FullnessOptions = Pick<JournalOptions, 'format' | 'lineExtraBytes' | 'objectBytesMax'>

/**
 * Of one segment after the other. One of several sources may be as long as an object for each of up to `SOURCES_MAX`: one
 * object's length, shared by many sources, would make as many short objects.
 */
export class Fullness {
  readonly #options: FullnessOptions
  #lineBytes = 0
  readonly #sources = new Set<string>()

  constructor(options: FullnessOptions) {
    this.#options = options
  }

  /** Another segment begins. */
  clear(): void {
    this.#lineBytes = 0
    this.#sources.clear()
  }

  /** A frame is in it. */
  add(stage: Stage): void {
    this.#lineBytes += this.#linesOf(stage)
    this.#addSources(stage)
  }

  /** Whether a frame more would be too much for its objects. */
  isFullWith(next: Stage): boolean {
    const { format, objectBytesMax } = this.#options
    this.#addSources(next)
    const objects = format === 'lines' ? Math.max(1, this.#sources.size) : 1
    return this.#lineBytes + this.#linesOf(next) > objectBytesMax * objects
  }

  #addSources({ sources }: Stage): void {
    for (const source of sources) if (this.#sources.size < SOURCES_MAX) this.#sources.add(source)
  }

  #linesOf({ recordBytes, payloads, madePayloads }: Stage): number {
    return recordBytes + (payloads - madePayloads) * this.#options.lineExtraBytes
  }
}
