/** Memory that deliveries use one after the other: without it, the garbage of each is there before the last one's is collected. */

/** Lends buffers of one size. */
export class ChunkPool {
  readonly #chunkBytes: number
  readonly #keepMax: number
  readonly #free: Buffer[] = []

  /** Keeps up to `keepMax` buffers of `chunkBytes` for the next one who asks. */
  constructor(chunkBytes: number, keepMax: number) {
    this.#chunkBytes = chunkBytes
    this.#keepMax = keepMax
  }

  /** A buffer with whatever was in it. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#chunkBytes)
  }

  /** Takes a buffer back; one of another size is dropped. */
  give(chunk: Buffer): void {
    if (chunk.length === this.#chunkBytes && this.#free.length < this.#keepMax) this.#free.push(chunk)
  }
}
