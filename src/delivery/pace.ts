/**
 * Leaves the processor to intake: a delivery that nobody waits for works in short stretches, with rests between them. It rests
 * no more, and at once, when somebody comes to wait: see `Hurry`.
 */

import type { Clock } from '../platform/clock.ts'

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
  #sinceMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Work begins: what was before it needs no rest. */
  begin(): void {
    this.#sinceMs = this.#clock.monotonicMs()
  }

  /** A good place to rest, until `hurry` is aborted; undefined when no rest is due. */
  rest({ ratio, msMax }: Rests, hurry: AbortSignal): Promise<void> | undefined {
    if (hurry.aborted) return undefined
    const workedMs = this.#clock.monotonicMs() - this.#sinceMs
    if (workedMs < STRETCH_MS) return undefined
    return this.#rest(Math.min(workedMs * ratio, msMax), hurry)
  }

  async #rest(ms: number, hurry: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, hurry)
    this.begin()
  }
}
