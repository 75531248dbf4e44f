/** Where deliveries wait for another try. The first that is stored lets those try again that others' trouble keeps waiting. */

import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'

/** A destination that stored nothing for this long, while it was tried, was away. */
export const AWAY_MS = 1000
/** When it is back, all that wait try again within this time: not at once, which would be the next fault. */
export const BACK_SPREAD_MS = 1000

/** Long pauses with an early end. */
export class Parking {
  readonly #clock: Clock
  #mended = new AbortController()
  #parked = 0
  #back = new AbortController()
  /** Since when there is trouble, and nothing was stored. */
  #troubleSinceMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Somebody has to mend the destination: waits for `pauseMs`, until `reopen`, or until `signal` aborts. */
  async wait(pauseMs: number, signal: AbortSignal): Promise<void> {
    this.#parked += 1
    await this.#clock.sleep(pauseMs, AbortSignal.any([signal, this.#mended.signal]))
    this.#parked -= 1
  }

  /** After a passing fault: waits for `pauseMs`, until soon after the destination is back, or until `signal` aborts. */
  async waitOut(pauseMs: number, random: Random, signal: AbortSignal): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + pauseMs
    this.#troubleSinceMs ??= this.#clock.monotonicMs()
    const back = this.#back.signal
    await this.#clock.sleep(pauseMs, AbortSignal.any([signal, back]))
    const leftMs = untilMs - this.#clock.monotonicMs()
    if (!back.aborted || leftMs <= 0) return
    await this.#clock.sleep(random.unit() * Math.min(leftMs, BACK_SPREAD_MS), signal)
  }

  /** Something was stored: whoever waits here goes on. */
  reopen(): void {
    const sinceMs = this.#troubleSinceMs
    this.#troubleSinceMs = undefined
    if (sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs >= AWAY_MS) {
      this.#back.abort()
      this.#back = new AbortController()
    }
    if (this.#parked === 0) return
    this.#mended.abort()
    this.#mended = new AbortController()
  }
}
