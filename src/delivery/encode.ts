/**
 * Encodes records as an object's lines, one payload a line:
 * `{"receipt":…,"index":…,"received_at":…,"version":…,"source":…,"payload":<the bytes as they were received>}`.
 */

import type { StoredRecord } from '../journal/record.ts'
import { arrayElements, collectionSpans, flatten, isFlat, lineSpans, Spans, valueSpan } from '../json/slice.ts'
import type { Compressed, Compressor } from './compressor.ts'

/** How much is encoded before it goes to the compressor; a longer line makes the chunk grow. */
const CHUNK_BYTES = 512 * 1024
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

  /** Finds the payloads of a record. */
  of(record: StoredRecord): void {
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
    if (this.spans.count !== record.payloads) {
      throw new Error(`a ${kind} record has ${this.spans.count} payloads where intake counted ${record.payloads}`)
    }
  }
}

/** One object in the making. */
export class ObjectEncoder {
  /** Length of the lines so far, before compression. */
  bytes = 0
  payloads = 0
  readonly #compressor: Compressor
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #spare = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #at = 0
  #writing: Promise<void> = Promise.resolve()
  #head = Buffer.alloc(0)
  #middle = Buffer.alloc(0)
  #body: Buffer = Buffer.alloc(0)
  #bodyIsFlat = true

  constructor(compressor: Compressor) {
    this.#compressor = compressor
  }

  /** Sets the record that the next lines belong to. */
  begin(receipt: string, record: StoredRecord, version: Buffer): void {
    this.#head = Buffer.from(`{"receipt":"${receipt}","index":`)
    const received = new Date(record.receivedAtMs).toISOString()
    const end = `,"source":${JSON.stringify(record.source)},"payload":`
    this.#middle = Buffer.concat([Buffer.from(`,"received_at":"${received}","version":`), version, Buffer.from(end)])
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
      this.#chunk = Buffer.allocUnsafeSlow(needed)
    }
    const chunk = this.#chunk
    let at = this.#at
    chunk.set(head, at)
    at = writeDigits(chunk, at + head.length, index)
    chunk.set(middle, at)
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
    this.#spare = full.length === CHUNK_BYTES ? full : Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#at = 0
  }

  /** Ends the object. */
  async end(): Promise<Compressed> {
    if (this.#at > 0) await this.flush()
    await this.#writing
    // The chunks are let go: the encoder may be held for as long as the object waits to be stored.
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
