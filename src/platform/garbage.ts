/** Has memory collected by the bytes that nobody needs any more: the runtime counts objects, and sees few of those behind them. */

/** Counts what is left behind. */
export class Garbage {
  readonly #bytesMax: number
  readonly #collect: () => void
  #bytes = 0

  /** Collects whenever `bytesMax` more lie about. */
  constructor(bytesMax: number, collect: () => void = collectNow) {
    this.#bytesMax = bytesMax
    this.#collect = collect
  }

  /** `bytes` more can go. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < this.#bytesMax) return
    this.#bytes = 0
    this.#collect()
  }
}

/** Takes a few milliseconds where, as here, a heap is small. */
function collectNow(): void {
  Bun.gc(true)
}
