/** Is there room? Every bound on what is taken in, asked before a body is read and again before it is kept. */

import type { Journal } from '../journal/journal.ts'
import type { Space } from '../platform/files.ts'
import { type DrainRate, RETRY_AFTER_SECONDS } from './drain-rate.ts'
import type { Refusal } from './problem.ts'

/** The bounds. */
export interface AdmissionOptions {
  /** Payloads accepted and not yet stored; undefined for no bound. */
  maxQueue: number | undefined
  journalBytesMax: number
  bodyBytesMax: number
  /** Bodies in memory, all requests together. */
  intakeBytesMax: number
}

/** The journal, as far as its bounds go. */
type Held = Pick<Journal, 'payloads' | 'bytes' | 'trouble'>

/** The share of the disk that the journal never takes. */
const DISK_SHARE_KEPT_FREE = 0.05
/** Room for what surrounds a record at the most: a new segment's header, a frame's, the record's, and a seal. */
const FRAMING_BYTES = 256
/** A body that hasn't said its length starts out counted as this; it counts more as it arrives. */
export const UNDECLARED_BYTES = 16 * 1024
/** As ready counts who has room for a body of so many bytes: that a few more would fit is no news to a load balancer. */
const BODY_BYTES_READY = 1024
/** How much a request costs in memory beside its body: even empty ones are bounded. */
const REQUEST_BYTES = 1024

/** Keeps count of what is being received and says no in time. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #journal: Held
  readonly #drain: DrainRate
  readonly #onFull: () => void
  #stopping = false
  #intakeBytes = 0
  #diskRoomBytes = Number.POSITIVE_INFINITY
  #diskRoomAtJournalBytes = 0

  /** `onFull` hears each time somebody finds no room for what waits to be stored. */
  constructor(options: AdmissionOptions, journal: Held, drain: DrainRate, onFull: () => void) {
    this.#options = options
    this.#journal = journal
    this.#drain = drain
    this.#onFull = onFull
  }

  /** From now on everything is refused. */
  stop(): void {
    this.#stopping = true
  }

  /** Tells the space on the journal's disk, as measured just now. */
  diskIs(space: Space): void {
    this.#diskRoomBytes = space.freeBytes - space.totalBytes * DISK_SHARE_KEPT_FREE
    this.#diskRoomAtJournalBytes = this.#journal.bytes
  }

  /** Sets memory aside for a body of `bytes`. Undefined when that's done: give it back with `leave`. */
  enter(bytes: number): Refusal | undefined {
    const refusal = this.#closed() ?? this.#refuse(0, bytes)
    if (refusal) return refusal
    return this.grow(bytes + REQUEST_BYTES)
  }

  /** Sets more memory aside for a body that turned out longer. */
  grow(bytes: number): Refusal | undefined {
    const { intakeBytesMax } = this.#options
    if (this.#intakeBytes > 0 && this.#intakeBytes + bytes > intakeBytesMax) {
      const detail = `${this.#intakeBytes} bytes of request bodies are being received, of ${intakeBytesMax} allowed`
      return { code: 'busy', detail, retryAfterSeconds: RETRY_AFTER_SECONDS.min }
    }
    this.#intakeBytes += bytes
    return undefined
  }

  /** Gives memory back: what `enter` was asked for, and all that `grow` added. */
  leave({ entered, grown }: { entered: number; grown: number }): void {
    this.#intakeBytes -= entered + REQUEST_BYTES + grown
  }

  /** Counts bytes that have been received already. False when that is more than may be: nothing more should be read then. */
  hold(bytes: number): boolean {
    this.#intakeBytes += bytes
    return !this.isOverheld
  }

  /** Gives back what `hold` counted. */
  release(bytes: number): void {
    this.#intakeBytes -= bytes
  }

  /** More bytes are in memory than may be. */
  get isOverheld(): boolean {
    return this.#intakeBytes > this.#options.intakeBytesMax
  }

  /** How much a record may hold just now, for those who can choose. No payloads: nothing may be kept. */
  room(): { payloads: number; bytes: number } {
    if (this.#closed()) return { payloads: 0, bytes: 0 }
    const { maxQueue = Number.POSITIVE_INFINITY } = this.#options
    const payloads = Math.max(0, maxQueue - this.#journal.payloads)
    const bytes = Math.max(0, -Math.max(this.#journalExcess(0), this.#diskExcess(0)))
    if (payloads === 0 || bytes === 0) this.#onFull()
    return { payloads, bytes }
  }

  /** Whether a record may be kept, now that it is known what it holds. */
  keep(payloads: number, bytes: number): Refusal | undefined {
    const { maxQueue } = this.#options
    if (maxQueue !== undefined && payloads > maxQueue) {
      const detail = `the body holds ${payloads} payloads; MAX_QUEUE allows ${maxQueue} to wait at all`
      return { code: 'too_many_payloads', detail }
    }
    return this.#closed() ?? this.#refuse(payloads, bytes)
  }

  /** Why a payload would be refused, if it isn't tiny; undefined when there is room. */
  status(): Refusal | undefined {
    return this.#closed() ?? this.#full(1, BODY_BYTES_READY)
  }

  #closed(): Refusal | undefined {
    if (this.#stopping) {
      return { code: 'stopping', detail: 'the server is stopping', retryAfterSeconds: RETRY_AFTER_SECONDS.min }
    }
    const { trouble } = this.#journal
    if (!trouble) return undefined
    const detail = trouble === 'disk_full' ? 'a write failed for want of space' : 'the journal is tried again shortly'
    return { code: trouble, detail, retryAfterSeconds: RETRY_AFTER_SECONDS.min }
  }

  #refuse(payloads: number, bytes: number): Refusal | undefined {
    const refusal = this.#full(payloads, bytes)
    if (refusal) this.#onFull()
    return refusal
  }

  #full(payloads: number, bytes: number): Refusal | undefined {
    const { maxQueue, journalBytesMax } = this.#options
    const journal = this.#journal
    if (maxQueue !== undefined && journal.payloads + payloads > maxQueue) {
      const detail = `${journal.payloads} payloads wait to be stored, of ${maxQueue} allowed`
      const excess = journal.payloads + payloads - maxQueue
      return { code: 'queue_full', detail, retryAfterSeconds: this.#drain.secondsForPayloads(excess) }
    }
    const excess = this.#journalExcess(bytes)
    if (excess > 0) {
      const detail = `the journal holds ${journal.bytes} bytes, of ${journalBytesMax} allowed`
      return { code: 'journal_full', detail, retryAfterSeconds: this.#drain.secondsForBytes(excess) }
    }
    const diskExcess = this.#diskExcess(bytes)
    if (diskExcess > 0) {
      const detail = 'less than 5 % of the disk would stay free'
      return { code: 'disk_full', detail, retryAfterSeconds: this.#drain.secondsForBytes(diskExcess) }
    }
    return undefined
  }

  /** By how much a record of `bytes` would make the journal too large. */
  #journalExcess(bytes: number): number {
    return this.#journal.bytes + bytes + FRAMING_BYTES - this.#options.journalBytesMax
  }

  /** By how much it would reach into what stays free of the disk. */
  #diskExcess(bytes: number): number {
    return this.#journal.bytes - this.#diskRoomAtJournalBytes + bytes - this.#diskRoomBytes
  }
}
