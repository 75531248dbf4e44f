/** Has the memory of stored objects collected by their bytes: the collector itself counts little but what they leave behind. */

/** How much may lie about; measured at 64 MiB objects, the most that a thread held went from 165 to 130 MB. */
const GARBAGE_BYTES_MAX = 8 * 1024 * 1024

/** Counts what is no longer needed. */
export class Garbage {
  readonly #collect: () => void
  #bytes = 0

  /** `collect` takes a few milliseconds: a thread's heap is small. */
  constructor(collect: () => void) {
    this.#collect = collect
  }

  /** `bytes` more can go. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < GARBAGE_BYTES_MAX) return
    this.#bytes = 0
    this.#collect()
  }
}
