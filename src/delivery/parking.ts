/** Where deliveries wait whose destination somebody has to mend. The first that is stored lets all of them try again. */

import type { Clock } from '../platform/clock.ts'

/** Long pauses with an early end. Not for throttling: there, all trying again at once would be the fault's cause. */
export class Parking {
  readonly #clock: Clock
  #mended = new AbortController()
  #parked = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Waits for `pauseMs`, until `reopen`, or until `signal` aborts. */
  async wait(pauseMs: number, signal: AbortSignal): Promise<void> {
    this.#parked += 1
    await this.#clock.sleep(pauseMs, AbortSignal.any([signal, this.#mended.signal]))
    this.#parked -= 1
  }

  /** Something was stored: whoever waits here goes on. */
  reopen(): void {
    if (this.#parked === 0) return
    this.#mended.abort()
    this.#mended = new AbortController()
  }
}
