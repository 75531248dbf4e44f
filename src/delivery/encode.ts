/** One object in the making: lines go in, and through the compressor. */

import type { ChunkPool } from './chunk-pool.ts'
import type { Compressed, Compressor } from './compressor.ts'

/** How much is gathered before it goes to the compressor. */
export const CHUNK_BYTES = 512 * 1024

/** Gathers lines in chunks: one fills while the compressor works on the other. */
export class ObjectEncoder {
  /** Length of the lines so far, before compression. */
  bytes = 0
  /** How many lines there are. */
  payloads = 0
  readonly #compressor: Compressor
  readonly #chunks: ChunkPool
  #chunk: Buffer
  #spare: Buffer
  #at = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(compressor: Compressor, chunks: ChunkPool) {
    this.#compressor = compressor
    this.#chunks = chunks
    this.#chunk = chunks.take()
    this.#spare = chunks.take()
  }

  /** Adds a piece of the object, in which `lines` lines end. The piece may be changed when this resolves. */
  async add(piece: Uint8Array, lines: number): Promise<void> {
    this.bytes += piece.length
    this.payloads += lines
    for (let from = 0; from < piece.length; ) {
      if (this.#at === this.#chunk.length) await this.#flush()
      const part = piece.subarray(from, from + this.#chunk.length - this.#at)
      this.#chunk.set(part, this.#at)
      this.#at += part.length
      from += part.length
    }
  }

  /** Ends the object. */
  async end(): Promise<Compressed> {
    await this.#writing
    const compressed = await this.#compressor.end(this.#chunk.subarray(0, this.#at))
    // Given back now: the encoder may be held for as long as the object waits to be stored.
    this.#giveChunks()
    return compressed
  }

  /** Gives up what was added. */
  abandon(): void {
    void this.#writing.then(
      () => this.#giveChunks(),
      () => {},
    )
    this.#compressor.abandon()
  }

  #giveChunks(): void {
    this.#chunks.give(this.#chunk)
    this.#chunks.give(this.#spare)
    this.#chunk = this.#spare = Buffer.alloc(0)
  }

  /** Hands the chunk to the compressor, which works on it while the next one fills. */
  async #flush(): Promise<void> {
    await this.#writing
    const full = this.#chunk
    this.#writing = this.#compressor.write(full.subarray(0, this.#at))
    this.#writing.catch(() => {})
    this.#chunk = this.#spare
    this.#spare = full
    this.#at = 0
  }
}
