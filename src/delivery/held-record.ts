/** A record in hand while a function is given its payloads: its own copy of the body, and where they are in it. */

import type { SegmentHeader } from '../journal/layout.ts'
import { receiptPrefix } from '../journal/name.ts'
import { recordBytes, type StoredRecord } from '../journal/record.ts'
import { checkJson } from '../json/check.ts'
import { type CollectionFacts, quickMembers } from '../json/quick-check.ts'
import { memberName, stringEnd } from '../json/slice.ts'
import { Lines } from './lines.ts'

/** Finds payloads in bodies; made when a function is first given something. */
let lines: Lines | undefined
const facts: CollectionFacts = { payloads: 0, versionAt: 0, tokenAt: 0, dataAt: 0 }

/** Takes a record in hand; or tells why it can't be, which only damage or a bug can do. */
export function holdRecord(header: SegmentHeader, place: number, record: StoredRecord): HeldRecord | string {
  lines ??= new Lines()
  return lines.misfit(record) ?? new HeldRecord(header, place, record, lines)
}

/** One record. */
export class HeldRecord {
  readonly place: number
  readonly receipt: string
  readonly record: StoredRecord
  /** A collection's; null for others. */
  readonly version: string | null
  /** How many of its calls have not ended. */
  callsLeft = 0
  #isLetGo = false
  /** Start and end of each payload. */
  readonly #spans: Uint32Array

  /** `lines` was asked just now whether it is a misfit, and knows where its payloads are. */
  constructor(header: SegmentHeader, place: number, { note: _note, ...record }: StoredRecord, lines: Lines) {
    this.place = place
    this.receipt = receiptPrefix(header) + place
    // Copied: the frame's memory is used again while this is in hand.
    const body = Buffer.from(record.body)
    this.record = { ...record, body }
    this.version = record.kind === 'collection' ? versionIn(body) : null
    this.#spans = new Uint32Array(2 * record.payloads)
    for (let index = 0; index < record.payloads; index++) {
      this.#spans[2 * index] = lines.payloadStart(index)
      this.#spans[2 * index + 1] = lines.payloadEnd(index)
    }
  }

  /** It is in hand no more; false when it was not before. */
  letGo(): boolean {
    const wasHeld = !this.#isLetGo
    this.#isLetGo = true
    return wasHeld
  }

  get payloads(): number {
    return this.record.payloads
  }

  /** As long as the ledger says it is. */
  get bytes(): number {
    return recordBytes(this.record)
  }

  /** A payload, as it was posted. */
  text(index: number): string {
    return this.record.body.toString('utf8', this.#start(index), this.#end(index))
  }

  /** How long some payloads are together. */
  bytesOf(indexes: readonly number[]): number {
    return indexes.reduce((sum, index) => sum + this.#end(index) - this.#start(index), 0)
  }

  /** A record of the same kind with some of the payloads, and all that stands around them. */
  only(indexes: readonly number[]): StoredRecord {
    const { body, kind, payloads } = this.record
    const between = Buffer.from(kind === 'lines' ? '\n' : ',')
    const parts = indexes.flatMap((index) => [between, body.subarray(this.#start(index), this.#end(index))]).slice(1)
    const before = body.subarray(0, this.#start(0))
    const after = body.subarray(this.#end(payloads - 1))
    return { ...this.record, payloads: indexes.length, body: Buffer.concat([before, ...parts, after]) }
  }

  #start(index: number): number {
    return this.#spans[2 * index] as number
  }

  #end(index: number): number {
    return this.#spans[2 * index + 1] as number
  }
}

function versionIn(body: Buffer): string {
  const at = quickMembers(body, facts) ? facts.versionAt : versionAt(body)
  return JSON.parse(body.toString('utf8', at, stringEnd(body, at + 1))) as string
}

/** Of a body that is too long or too deep for the quick check. */
function versionAt(body: Buffer): number {
  let at = 0
  checkJson(body, 0, body.length, {
    countedDepth: 1,
    member(bytes, start, end, valueAt) {
      if (memberName(bytes, start, end) === 'version') at = valueAt
    },
    counted() {},
  })
  return at
}
