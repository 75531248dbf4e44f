/** A frame in the making: records are copied in as they arrive, and their senders wait in it for the sync. */

import type { AppendError, NewRecord } from './journal.ts'
import { FRAME_HEADER_BYTES, writeFrameHeader } from './layout.ts'
import { recordBytes, writeRecord } from './record.ts'

type Resolve = (receipt: string) => void
type Reject = (error: AppendError) => void

/** Holds one frame's records and those who wait for it. Reused for frame after frame. */
export class Stage {
  records = 0
  payloads = 0
  readonly #usualBytes: number
  #buffer: Buffer
  #end = FRAME_HEADER_BYTES
  #resolves: Resolve[] = []
  #rejects: Reject[] = []

  constructor(usualBytes: number) {
    this.#usualBytes = usualBytes
    this.#buffer = Buffer.allocUnsafeSlow(usualBytes)
  }

  /** Length of the frame so far, its header included. */
  get frameBytes(): number {
    return this.#end
  }

  /** Length of the records alone. */
  get recordBytes(): number {
    return this.#end - FRAME_HEADER_BYTES
  }

  /** Copies a record in. False when there is no room; an empty stage takes a record of any length. */
  add(record: NewRecord, resolve: Resolve, reject: Reject): boolean {
    const needed = this.#end + recordBytes(record)
    if (needed > this.#buffer.length) {
      if (this.records > 0) return false
      this.#buffer = Buffer.allocUnsafeSlow(needed)
    }
    this.#end = writeRecord(this.#buffer, this.#end, record)
    this.records += 1
    this.payloads += record.payloads
    this.#resolves.push(resolve)
    this.#rejects.push(reject)
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
    })
    return frame
  }

  /** The frame is durable: everyone gets their receipt, and the stage is empty again. */
  settle(receiptPrefix: string, firstRecord: number): void {
    const resolves = this.#resolves
    this.#clear()
    for (let i = 0; i < resolves.length; i++) (resolves[i] as Resolve)(receiptPrefix + (firstRecord + i))
  }

  /** The frame is not durable: everyone hears why, and the stage is empty again. */
  refuse(error: AppendError): void {
    const rejects = this.#rejects
    this.#clear()
    for (const reject of rejects) reject(error)
  }

  #clear(): void {
    this.records = 0
    this.payloads = 0
    this.#end = FRAME_HEADER_BYTES
    this.#resolves = []
    this.#rejects = []
    if (this.#buffer.length > this.#usualBytes) this.#buffer = Buffer.allocUnsafeSlow(this.#usualBytes)
  }
}
