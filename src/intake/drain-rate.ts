/** How fast the journal drains: what the answers to those who find it full are computed from. */

import type { Clock } from '../platform/clock.ts'

/** The bounds of every `Retry-After`. */
export const RETRY_AFTER_SECONDS = { min: 1, max: 60 }
/** The measured time is this long, and up to twice as long. */
const WINDOW_MS = 15_000

/** Measures over the last half minute or so. */
export class DrainRate {
  readonly #clock: Clock
  #sinceMs: number
  #payloads = 0
  #bytes = 0
  #before = { payloads: 0, bytes: 0, ms: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  /** Tells that payloads were stored and their journal bytes given back. */
  add(payloads: number, bytes: number): void {
    const now = this.#clock.monotonicMs()
    if (now - this.#sinceMs > WINDOW_MS) {
      this.#before = { payloads: this.#payloads, bytes: this.#bytes, ms: now - this.#sinceMs }
      this.#sinceMs = now
      this.#payloads = 0
      this.#bytes = 0
    }
    this.#payloads += payloads
    this.#bytes += bytes
  }

  /** How long a client had better wait for room for so many payloads. */
  secondsForPayloads(excess: number): number {
    return this.#seconds(excess, this.#payloads + this.#before.payloads)
  }

  /** The same for bytes. */
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
