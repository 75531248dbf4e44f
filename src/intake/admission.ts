/** Is there room? Every bound on what is taken in, asked before a body is read and again before it is kept. */

import type { Journal } from '../journal/journal.ts'
import type { Clock } from '../platform/clock.ts'
import type { Space } from '../platform/files.ts'
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

/** The share of the disk that the journal never takes. */
const DISK_SHARE_KEPT_FREE = 0.05
/** A body that hasn't said its length starts out counted as this; it counts more as it arrives. */
export const UNDECLARED_BYTES = 16 * 1024
/** How much a request costs in memory beside its body: even empty ones are bounded. */
const REQUEST_BYTES = 1024
const RETRY_AFTER_SECONDS = { min: 1, max: 60 }

/** Keeps count of what is being received and says no in time. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #journal: Journal
  readonly #drain: DrainRate
  #stopping = false
  #intakeBytes = 0
  #diskRoomBytes = Number.POSITIVE_INFINITY
  #diskRoomAtJournalBytes = 0

  constructor(options: AdmissionOptions, journal: Journal, clock: Clock) {
    this.#options = options
    this.#journal = journal
    this.#drain = new DrainRate(clock)
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

  /** Tells that payloads were stored and their journal bytes given back. */
  drained(payloads: number, bytes: number): void {
    this.#drain.add(payloads, bytes)
  }

  /** Sets memory aside for a body of `bytes`. Undefined when that's done: give it back with `leave`. */
  enter(bytes: number): Refusal | undefined {
    const refusal = this.#closed() ?? this.#full(0, bytes)
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

  /** Whether a record may be kept, now that it is known what it holds. */
  keep(payloads: number, bytes: number): Refusal | undefined {
    const { maxQueue } = this.#options
    if (maxQueue !== undefined && payloads > maxQueue) {
      const detail = `the body holds ${payloads} payloads; MAX_QUEUE allows ${maxQueue} to wait at all`
      return { code: 'too_many_payloads', detail }
    }
    return this.#closed() ?? this.#full(payloads, bytes)
  }

  /** Why the next payload would be refused; undefined when there is room. */
  status(): Refusal | undefined {
    return this.#closed() ?? this.#full(1, 0)
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

  #full(payloads: number, bytes: number): Refusal | undefined {
    const { maxQueue, journalBytesMax } = this.#options
    const journal = this.#journal
    if (maxQueue !== undefined && journal.payloads + payloads > maxQueue) {
      const detail = `${journal.payloads} payloads wait to be stored, of ${maxQueue} allowed`
      const excess = journal.payloads + payloads - maxQueue
      return { code: 'queue_full', detail, retryAfterSeconds: this.#drain.secondsForPayloads(excess) }
    }
    const excess = journal.bytes + bytes - journalBytesMax
    if (excess > 0) {
      const detail = `the journal holds ${journal.bytes} bytes, of ${journalBytesMax} allowed`
      return { code: 'journal_full', detail, retryAfterSeconds: this.#drain.secondsForBytes(excess) }
    }
    const diskExcess = journal.bytes - this.#diskRoomAtJournalBytes + bytes - this.#diskRoomBytes
    if (diskExcess > 0) {
      const detail = 'less than 5 % of the disk would stay free'
      return { code: 'disk_full', detail, retryAfterSeconds: this.#drain.secondsForBytes(diskExcess) }
    }
    return undefined
  }
}

/** How fast the journal drains, measured over the last half minute or so. */
class DrainRate {
  readonly #clock: Clock
  #sinceMs: number
  #payloads = 0
  #bytes = 0
  #before = { payloads: 0, bytes: 0, ms: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  add(payloads: number, bytes: number): void {
    const now = this.#clock.monotonicMs()
    if (now - this.#sinceMs > 15_000) {
      this.#before = { payloads: this.#payloads, bytes: this.#bytes, ms: now - this.#sinceMs }
      this.#sinceMs = now
      this.#payloads = 0
      this.#bytes = 0
    }
    this.#payloads += payloads
    this.#bytes += bytes
  }

  secondsForPayloads(excess: number): number {
    return this.#seconds(excess, this.#payloads + this.#before.payloads)
  }

  secondsForBytes(excess: number): number {
    return this.#seconds(excess, this.#bytes + this.#before.bytes)
  }

  /** How long `excess` takes at the rate of `drained` in the measured time, within the bounds for an answer. */
  #seconds(excess: number, drained: number): number {
    const ms = this.#clock.monotonicMs() - this.#sinceMs + this.#before.ms
    const seconds = Math.ceil((excess / drained) * (ms / 1000))
    const { min, max } = RETRY_AFTER_SECONDS
    return Math.min(max, Math.max(min, drained > 0 ? seconds : max))
  }
}
