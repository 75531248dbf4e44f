/** A frame in the making: records are copied in as they arrive, and their senders wait in it for the sync. */

import type { AppendRefusal, NewRecord, RememberedNote, Waiter } from './journal.ts'
import { FRAME_HEADER_BYTES, writeFrameHeader } from './layout.ts'
import { noteOf, recordBytes, writeRecord } from './record.ts'

/** How many sources are told apart: more make no difference to how long a segment may be. */
export const SOURCES_MAX = 4

/** A buffer that grew for one long record is kept up to this length: others like it often follow. */
const KEPT_BYTES_MAX = 4 << 20

/** Holds one frame's records and those who wait for it. Reused for frame after frame. */
export class Stage {
  records = 0
  payloads = 0
  /** Those of them whose lines are made already. */
  madePayloads = 0
  /** Whose records they are: some of the names, where there are many. */
  readonly sources = new Set<string>()
  /** Records come in runs of one source. */
  #lastSource: string | undefined
  readonly #usualBytes: number
  #buffer: Buffer
  #end = FRAME_HEADER_BYTES
  #waiters: Waiter[] = []
  #noted: { index: number; record: NewRecord }[] = []

  constructor(usualBytes: number) {
    this.#usualBytes = usualBytes
    this.#buffer = Buffer.allocUnsafeSlow(usualBytes)
  }

  /** Length of the records alone. */
  get recordBytes(): number {
    return this.#end - FRAME_HEADER_BYTES
  }

  /** Copies a record in. False when there is no room; an empty stage takes a record of any length. */
  add(record: NewRecord, waiter: Waiter): boolean {
    const needed = this.#end + recordBytes(record)
    if (needed > this.#buffer.length) {
      if (this.records > 0) return false
      this.#buffer = Buffer.allocUnsafeSlow(needed)
    }
    this.#end = writeRecord(this.#buffer, this.#end, record)
    if (record.note !== undefined) this.#noted.push({ index: this.records, record })
    this.records += 1
    this.payloads += record.payloads
    if (record.kind === 'made') this.madePayloads += record.payloads
    if (record.source !== this.#lastSource) this.#addSource(record.source)
    this.#waiters.push(waiter)
    waiter.copied?.()
    return true
  }

  /** The finished frame's bytes; valid until the stage is settled or refused. */
  frame(firstRecord: number): Uint8Array {
    const frame = this.#buffer.subarray(0, this.#end)
    writeFrameHeader(frame, {
      kind: 'records',
      bodyBytes: this.recordBytes,
      records: this.records,
      payloads: this.payloads,
      firstRecord,
      noted: this.#noted.length,
    })
    return frame
  }

  /** The notes of the frame's records, once they are durable. */
  notes(receiptPrefix: string, firstRecord: number): RememberedNote[] {
    return this.#noted.map(({ index, record }) => noteOf(record, receiptPrefix + (firstRecord + index)))
  }

  /** The frame is durable: everyone gets their receipt, and the stage is empty again. */
  settle(receiptPrefix: string, firstRecord: number): void {
    const waiters = this.#waiters
    this.#clear()
    for (let i = 0; i < waiters.length; i++) (waiters[i] as Waiter).kept(receiptPrefix + (firstRecord + i))
  }

  /** The frame is not durable: everyone hears why, and the stage is empty again. */
  refuse(refusal: AppendRefusal): void {
    const waiters = this.#waiters
    this.#clear()
    for (const waiter of waiters) waiter.refused(refusal)
  }

  #addSource(source: string): void {
    this.#lastSource = source
    if (this.sources.size < SOURCES_MAX) this.sources.add(source)
  }

  #clear(): void {
    this.sources.clear()
    this.#lastSource = undefined
    this.records = 0
    this.payloads = 0
    this.madePayloads = 0
    this.#end = FRAME_HEADER_BYTES
    this.#waiters = []
    if (this.#noted.length > 0) this.#noted = []
    if (this.#buffer.length > KEPT_BYTES_MAX) this.#buffer = Buffer.allocUnsafeSlow(this.#usualBytes)
  }
}
