/** What of a byte stream is there and not yet settled, as lines: whole ones in order, and the beginning of the next. */

import { joined } from '../platform/garbage.ts'

/** One or more whole lines from the front, each with its line feed; or one line that is too long, of which only the beginning may be left. */
export interface Piece {
  kind: 'lines' | 'too-long'
  bytes: Uint8Array
  /** How many; undefined where nobody has counted them, because all that is here may go and none can be too long. */
  lines: number | undefined
}

const FEED = 0x0a
const EMPTY = new Uint8Array()
/** Chunks up to this are joined as they come: a line that arrives byte by byte is not an object for each byte. */
const SMALL_BYTES = 4096

/** Gathers chunks. A line longer than `lineBytesMax` is thrown away as it comes: its beginning stands for it. */
export class LineBuffer {
  readonly #lineBytesMax: number
  readonly #free: (bytes: Uint8Array) => void
  /** Whole lines, in one piece; those before `#readyAt` are settled. */
  #ready: Uint8Array = EMPTY
  /** What they lie in. */
  #memory: Uint8Array = EMPTY
  #readyAt = 0
  /** What came after them. */
  #chunks: Uint8Array[] = []
  #chunkBytes = 0
  /** How many of those bytes are whole lines. */
  #wholeBytes = 0
  #isSkipping = false
  /** How many bytes of the line that is being skipped have been thrown away. */
  skippedBytes = 0

  /** `free` is told what nobody needs any more, in the memory that it came in or was put together in. */
  constructor(lineBytesMax: number, free: (bytes: Uint8Array) => void) {
    this.#lineBytesMax = lineBytesMax
    this.#free = free
  }

  /** How much memory it holds. */
  get bytes(): number {
    return this.#ready.length + this.#chunkBytes
  }

  get hasLine(): boolean {
    return this.#readyAt < this.#ready.length || this.#wholeBytes > 0
  }

  /** A line has begun and not ended. */
  get isInLine(): boolean {
    return this.#chunkBytes > this.#wholeBytes
  }

  /** Takes what has arrived: it belongs to this buffer from now on. */
  add(chunk: Uint8Array): void {
    if (this.#isSkipping) {
      const feed = chunk.indexOf(FEED)
      this.skippedBytes += feed < 0 ? chunk.length : feed
      if (feed < 0) return
      this.#isSkipping = false
      this.skippedBytes = 0
      this.#push(chunk.subarray(feed))
    } else {
      this.#push(chunk)
    }
    const excess = this.#chunkBytes - this.#wholeBytes - this.#lineBytesMax - 1
    if (excess < 0) return
    // One byte more than allowed is kept of it, so that it is still too long when its turn comes.
    const last = this.#chunks.length - 1
    const chunkLeft = this.#chunks[last] as Uint8Array
    this.#chunks[last] = chunkLeft.subarray(0, chunkLeft.length - excess)
    this.#chunkBytes -= excess
    this.#isSkipping = true
    this.skippedBytes = excess
  }

  /**
   * Nothing more comes: a last line without its line feed is a line, too. False when it was dropped instead, because it is a
   * number, which may have lost its end; of any other JSON a part is no JSON.
   */
  end(): boolean {
    if (!this.isInLine) return true
    const tail = Buffer.concat(this.#chunks, this.#chunkBytes).subarray(this.#wholeBytes)
    if (!this.#isSkipping && isNumber(tail)) {
      this.#chunks = this.#wholeBytes > 0 ? [Buffer.concat(this.#chunks, this.#wholeBytes)] : []
      this.#chunkBytes = this.#wholeBytes
      return false
    }
    this.#isSkipping = false
    this.skippedBytes = 0
    this.#push(Uint8Array.of(FEED))
    return true
  }

  /** Up to `linesMax` whole lines of up to `bytesMax` together (one may be longer); undefined when there is none. They stay until `settle`. */
  peek(linesMax: number, bytesMax: number): Piece | undefined {
    if (this.#readyAt === this.#ready.length && !this.#gather()) return undefined
    const ready = this.#ready
    const begin = this.#readyAt
    const isAll = ready.length - begin <= Math.min(bytesMax, this.#lineBytesMax)
    if (isAll && linesMax === Number.POSITIVE_INFINITY) {
      return { kind: 'lines', bytes: ready.subarray(begin), lines: undefined }
    }
    let at = begin
    let lines = 0
    while (at < ready.length && lines < linesMax) {
      const next = ready.indexOf(FEED, at) + 1
      if (next - 1 - at > this.#lineBytesMax) {
        if (lines === 0) return { kind: 'too-long', bytes: ready.subarray(begin, next), lines: 1 }
        break
      }
      if (lines > 0 && next - begin > bytesMax) break
      at = next
      lines += 1
    }
    return { kind: 'lines', bytes: ready.subarray(begin, at), lines }
  }

  /** A piece that `peek` gave is done with. */
  settle({ bytes }: Piece): void {
    this.#readyAt += bytes.length
    if (this.#readyAt < this.#ready.length) return
    this.#free(this.#memory)
    this.#ready = this.#memory = EMPTY
    this.#readyAt = 0
  }

  /** Forgets everything. */
  clear(): void {
    this.#ready = this.#memory = EMPTY
    this.#readyAt = 0
    this.#chunks = []
    this.#chunkBytes = 0
    this.#wholeBytes = 0
  }

  #push(chunk: Uint8Array): void {
    const feed = chunk.lastIndexOf(FEED)
    if (feed >= 0) this.#wholeBytes = this.#chunkBytes + feed + 1
    this.#chunkBytes += chunk.length
    const last = this.#chunks.at(-1)
    if (last && last.length + chunk.length <= SMALL_BYTES) {
      this.#chunks[this.#chunks.length - 1] = joined([last, chunk], this.#free)
    } else {
      this.#chunks.push(chunk)
    }
  }

  /** Puts the whole lines into one piece. What is left of the last chunk is copied: it shall not hold the rest of it. */
  #gather(): boolean {
    if (this.#wholeBytes === 0) return false
    const [first = EMPTY] = this.#chunks
    const all = this.#chunks.length === 1 ? first : joined(this.#chunks, this.#free)
    this.#memory = all
    this.#ready = all.subarray(0, this.#wholeBytes)
    this.#readyAt = 0
    this.#chunks = this.isInLine ? [Buffer.from(all.subarray(this.#wholeBytes))] : []
    this.#chunkBytes -= this.#wholeBytes
    this.#wholeBytes = 0
    return true
  }
}

/** Whether valid JSON that begins like this is a number. */
function isNumber(text: Uint8Array): boolean {
  const first = text[text.findIndex((byte) => byte > 0x20)] ?? 0
  return first === 0x2d || (first >= 0x30 && first <= 0x39)
}
