/**
 * Leaves the processor to intake: a delivery with nothing behind it, no other segment, no client that waits until its payload
 * is stored and no stop, works in short stretches, with rests between them.
 */

import type { Clock } from '../platform/clock.ts'
import type { Turn } from './turn.ts'

/** A stretch of work that is shorter goes on. */
export const STRETCH_MS = 1
/**
 * How long a rest is, against the work before it. On two cores with the load and the store on them too, at 47,000 posts a
 * second: without rests 99 of 100 acks came within 26 to 46 ms, with them within 8 to 11.
 */
export const REST_RATIO = 3
/** The longest rest: work seems long where its disk was slow. */
export const REST_MS_MAX = 20

/** The pace of a thread's deliveries, of which one works at a time. */
export class Pace {
  readonly #clock: Clock
  readonly #turn: Turn
  #sinceMs = 0

  constructor(clock: Clock, turn: Turn) {
    this.#clock = clock
    this.#turn = turn
  }

  /** Work begins: what was before it needs no rest. */
  begin(): void {
    this.#sinceMs = this.#clock.monotonicMs()
  }

  /** A good place to rest; undefined when none is due, or another delivery came to wait for the turn: what has gathered comes first. */
  rest(): Promise<void> | undefined {
    const workedMs = this.#clock.monotonicMs() - this.#sinceMs
    if (workedMs < STRETCH_MS || this.#turn.isAwaited) return undefined
    return this.#rest(Math.min(workedMs * REST_RATIO, REST_MS_MAX))
  }

  async #rest(ms: number): Promise<void> {
    await this.#clock.sleep(ms)
    this.begin()
  }
}
