/**
 * The records of a segment in the order of their sources and hours, and for each of those in their own: one object at a time
 * is made of them, however many sources there are. The file is read once to count, and once for each stretch of that order.
 */

import { recordBytesAt, setPlace, sourceAndTimeAt } from '../journal/record.ts'
import { hourOf } from './object-name.ts'

/** How much of a segment is in memory at a time, and the record that reaches beyond it; or an eighth, if that's more. */
const GATHERED_BYTES = 16 << 20
const READINGS_MAX = 8
/** A piece of it: what memory for lines usually holds. */
const PIECE_BYTES = 1 << 20
const GROUPS_AT_START = 1 << 16

/** A whole frame of records, and the place in the segment of the first. */
export interface RecordFrame {
  body: Buffer
  firstRecord: number
}

/** Of one segment. */
export class BySource {
  /** By hour, of which there are few, and source: its number, in the order in which they first appear. */
  readonly #numbers = new Map<number, Map<string, number>>()
  /** How long each one's records are together. */
  readonly #bytes: number[] = []
  /** Of every record, in the order of the file. */
  #groups = new Uint32Array(GROUPS_AT_START)
  #records = 0
  #longest = 0
  readonly #gatheredBytes: number
  readonly #readingsMax: number

  /** Holds about `gatheredBytes` of the segment at a time, or more where it would be read more than `readingsMax` times. */
  constructor(gatheredBytes = GATHERED_BYTES, readingsMax = READINGS_MAX) {
    this.#gatheredBytes = gatheredBytes
    this.#readingsMax = readingsMax
  }

  /** Looks at the records of the next frame. */
  count(body: Buffer): void {
    for (let position = 0; position < body.length; ) {
      const bytes = recordBytesAt(body, position)
      const { source, receivedAtMs } = sourceAndTimeAt(body, position)
      const group = this.#numberOf(source, hourOf(receivedAtMs))
      this.#bytes[group] = (this.#bytes[group] as number) + bytes
      this.#longest = Math.max(this.#longest, bytes)
      if (this.#records === this.#groups.length) this.#groups = grown(this.#groups)
      this.#groups[this.#records] = group
      this.#records += 1
      position += bytes
    }
  }

  /**
   * The records, each with its place, in pieces that are as frames' bodies; a piece is good until the next. `frames` begins
   * once more with those that were counted.
   */
  async *pieces(frames: () => AsyncIterable<RecordFrame>): AsyncGenerator<Buffer> {
    const total = this.#bytes.reduce((sum, bytes) => sum + bytes, 0)
    const gatheredBytes = Math.max(this.#gatheredBytes, Math.ceil(total / this.#readingsMax))
    const memory = Buffer.allocUnsafeSlow(Math.min(total, gatheredBytes + this.#longest))
    for (let from = 0; from < total; ) {
      const bytes = await this.#gather(frames(), from, gatheredBytes, memory)
      for (let at = 0; at < bytes; ) {
        const end = pieceEnd(memory, at, bytes)
        yield memory.subarray(at, end)
        at = end
      }
      from += bytes
    }
  }

  /** Copies the records that begin within `count` bytes from `from`, each to its own place in that order. Returns how long they are. */
  async #gather(frames: AsyncIterable<RecordFrame>, from: number, count: number, memory: Buffer): Promise<number> {
    /** Where each group's next record goes. */
    const nextAt = new Float64Array(this.#bytes.length)
    for (let group = 1; group < nextAt.length; group++) {
      nextAt[group] = (nextAt[group - 1] as number) + (this.#bytes[group - 1] as number)
    }
    let nth = 0
    let gathered = 0
    let end = from
    for await (const { body, firstRecord } of frames) {
      let place = firstRecord
      for (let position = 0; position < body.length; place++) {
        const bytes = recordBytesAt(body, position)
        const group = this.#groups[nth++] as number
        const at = nextAt[group] as number
        nextAt[group] = at + bytes
        if (at >= from && at < from + count) {
          body.copy(memory, at - from, position, position + bytes)
          setPlace(memory, at - from, place)
          gathered += bytes
          end = Math.max(end, at + bytes)
        }
        position += bytes
      }
    }
    // A frame that is damaged since it was counted is missing: memory would hold others' records in its place.
    if (nth !== this.#records || end - from !== gathered || gathered === 0) throw new Error('the segment has changed')
    return gathered
  }

  #numberOf(source: string, hour: number): number {
    let numbers = this.#numbers.get(hour)
    if (!numbers) {
      numbers = new Map()
      this.#numbers.set(hour, numbers)
    }
    const known = numbers.get(source)
    if (known !== undefined) return known
    const number = this.#bytes.length
    numbers.set(source, number)
    this.#bytes.push(0)
    return number
  }
}

/** The end of the last record that begins within a piece from `from`. */
function pieceEnd(memory: Buffer, from: number, bytes: number): number {
  let end = from
  while (end < bytes && end - from < PIECE_BYTES) end += recordBytesAt(memory, end)
  return end
}

function grown(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * numbers.length)
  larger.set(numbers)
  return larger
}
