/**
 * Leaves the processor to intake: a delivery that begins with nothing behind it, no other segment, no client that waits until
 * its payload is stored and no stop, works in short stretches, with rests between them. Of what comes later only another
 * delivery in the same thread ends them.
 */

import type { Clock } from '../platform/clock.ts'
import type { Turn } from './turn.ts'

/** A stretch of work that is shorter goes on. */
export const STRETCH_MS = 1

/** How long rests are: so many times as long as the work before, and no longer than `msMax`, since work seems long where a disk was slow. */
export interface Rests {
  ratio: number
  msMax: number
}

/**
 * For objects of lines. On two cores with the load and the store on them too, at 47,000 posts a second: without rests 99 of
 * 100 acks came within 26 to 46 ms, with rests three times as long as the work within 8 to 11. At 36,000 a second in a
 * noisier hour, side by side: 13.4 ms with 3 times, 10.9 with 8 (less in each of 8 rounds), and no less with 16. For 64 MiB
 * of lines they add up to 0.4 s and 1.1 s.
 */
export const LINES_RESTS: Rests = { ratio: 8, msMax: 50 }
/** With an object per payload much of what seems work is waiting for the store. */
export const PAYLOAD_RESTS: Rests = { ratio: 3, msMax: 20 }

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
  rest({ ratio, msMax }: Rests): Promise<void> | undefined {
    const workedMs = this.#clock.monotonicMs() - this.#sinceMs
    if (workedMs < STRETCH_MS || this.#turn.isAwaited) return undefined
    return this.#rest(Math.min(workedMs * ratio, msMax))
  }

  async #rest(ms: number): Promise<void> {
    await this.#clock.sleep(ms)
    this.begin()
  }
}
