/**
 * Encodes records as an object's lines, one payload a line:
 * `{"receipt":…,"index":…,"received_at":…,"version":…,"source":…,"payload":<the bytes as they were received>}`.
 */

import type { StoredRecord } from '../journal/record.ts'
import { arrayElements, collectionSpans, flatten, isFlat, lineSpans, Spans, valueSpan } from '../json/slice.ts'
import type { ChunkPool } from './chunk-pool.ts'
import type { Compressed, Compressor } from './compressor.ts'

/** How much is encoded before it goes to the compressor; a longer line makes the chunk grow. */
export const CHUNK_BYTES = 512 * 1024
/** About how much longer than its payload a line is; a version of a few characters included. */
export const LINE_EXTRA_BYTES_USUAL = 160
/** Room for the index's digits and what closes a line. */
const LINE_EXTRA_BYTES = 16

const NULL = Buffer.from('null')

/** Where a record's payloads lie in its body. Reused from record to record. */
export class PayloadSpans {
  readonly spans = new Spans()
  /** The raw bytes of the collection's version; `null` for records that have none. */
  version: Buffer = NULL

  /** Finds the payloads of a record; or says why they aren't what intake counted, which only damage or a bug can do. */
  of(record: StoredRecord): string | undefined {
    const { body, kind } = record
    this.spans.clear()
    this.version = NULL
    if (kind === 'collection') {
      const { version } = collectionSpans(body, 0, body.length, this.spans)
      if (version) this.version = body.subarray(version.start, version.end)
    } else if (kind === 'array') {
      arrayElements(body, 0, body.length, this.spans)
    } else if (kind === 'lines') {
      lineSpans(body, 0, body.length, this.spans)
    } else {
      const { start, end } = valueSpan(body, 0, body.length)
      this.spans.push(start, end)
    }
    if (this.spans.count === record.payloads) return undefined
    return `the ${kind} holds ${this.spans.count} payloads where intake counted ${record.payloads}`
  }
}

/** A piece of a line that many lines share, in memory that is used again. */
class Piece {
  #bytes = Buffer.allocUnsafe(256)
  length = 0

  clear(): void {
    this.length = 0
  }

  /** Appends ASCII. */
  text(text: string): void {
    this.#reserve(text.length)
    this.length += this.#bytes.write(text, this.length, 'latin1')
  }

  bytes(bytes: Buffer): void {
    this.#reserve(bytes.length)
    this.length += bytes.copy(this.#bytes, this.length)
  }

  copyTo(target: Buffer, at: number): void {
    this.#bytes.copy(target, at, 0, this.length)
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return
    const longer = Buffer.allocUnsafe((this.length + more) * 2)
    this.copyTo(longer, 0)
    this.#bytes = longer
  }
}

/** One object in the making. */
export class ObjectEncoder {
  /** Length of the lines so far, before compression. */
  bytes = 0
  payloads = 0
  readonly #compressor: Compressor
  readonly #chunks: ChunkPool
  #chunk: Buffer
  #spare: Buffer
  #at = 0
  #writing: Promise<void> = Promise.resolve()
  readonly #head = new Piece()
  readonly #middle = new Piece()
  #received = { ms: Number.NaN, text: '' }
  #source = { name: undefined as string | undefined, tail: Buffer.alloc(0) }
  #body: Buffer = Buffer.alloc(0)
  #bodyIsFlat = true

  constructor(compressor: Compressor, chunks: ChunkPool) {
    this.#compressor = compressor
    this.#chunks = chunks
    this.#chunk = chunks.take()
    this.#spare = chunks.take()
  }

  /** Sets the record that the next lines belong to. */
  begin(receipt: string, record: StoredRecord, version: Buffer): void {
    // Records come in runs of one source and one millisecond.
    if (record.receivedAtMs !== this.#received.ms) {
      const text = new Date(record.receivedAtMs).toISOString()
      this.#received = { ms: record.receivedAtMs, text: `,"received_at":"${text}","version":` }
    }
    if (record.source !== this.#source.name) {
      const tail = Buffer.from(`,"source":${JSON.stringify(record.source)},"payload":`)
      this.#source = { name: record.source, tail }
    }
    this.#head.clear()
    this.#head.text(`{"receipt":"${receipt}","index":`)
    this.#middle.clear()
    this.#middle.text(this.#received.text)
    this.#middle.bytes(version)
    this.#middle.bytes(this.#source.tail)
    this.#body = record.body
    this.#bodyIsFlat = isFlat(record.body, 0, record.body.length)
  }

  /** Adds a line for the payload at `[start, end)` of the record's body. False when the chunk is full: `flush` first. */
  line(index: number, start: number, end: number): boolean {
    const head = this.#head
    const middle = this.#middle
    const needed = head.length + middle.length + (end - start) + LINE_EXTRA_BYTES
    if (this.#at + needed > this.#chunk.length) {
      if (this.#at > 0) return false
      this.#chunks.give(this.#chunk)
      this.#chunk = Buffer.allocUnsafeSlow(needed)
    }
    const chunk = this.#chunk
    let at = this.#at
    head.copyTo(chunk, at)
    at = writeDigits(chunk, at + head.length, index)
    middle.copyTo(chunk, at)
    at += middle.length
    if (this.#bodyIsFlat || isFlat(this.#body, start, end)) this.#body.copy(chunk, at, start, end)
    else flatten(this.#body, start, end, chunk, at)
    at += end - start
    chunk[at++] = 0x7d
    chunk[at++] = 0x0a
    this.bytes += at - this.#at
    this.payloads += 1
    this.#at = at
    return true
  }

  /** Hands the chunk to the compressor, which works on it while the next one fills. */
  async flush(): Promise<void> {
    await this.#writing
    const full = this.#chunk
    this.#writing = this.#compressor.write(full.subarray(0, this.#at))
    this.#writing.catch(() => {})
    this.#chunk = this.#spare
    // A chunk that grew for one long line is not kept.
    this.#spare = full.length === CHUNK_BYTES ? full : this.#chunks.take()
    this.#at = 0
  }

  /** Ends the object. */
  async end(): Promise<Compressed> {
    if (this.#at > 0) await this.flush()
    await this.#writing
    // Given back now: the encoder may be held for as long as the object waits to be stored.
    this.#chunks.give(this.#chunk)
    this.#chunks.give(this.#spare)
    this.#chunk = this.#spare = Buffer.alloc(0)
    return await this.#compressor.end()
  }
}

/** Writes a whole number in decimal; returns the position behind it. */
function writeDigits(into: Uint8Array, at: number, value: number): number {
  let length = 1
  for (let rest = value; rest >= 10; rest = Math.trunc(rest / 10)) length++
  for (let i = at + length - 1, rest = value; i >= at; i--) {
    into[i] = 0x30 + (rest % 10)
    rest = Math.trunc(rest / 10)
  }
  return at + length
}
