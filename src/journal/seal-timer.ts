/** When the open segment is due: at its age, or earlier because somebody waits for it to be stored. */

import type { Clock, Timer } from '../platform/clock.ts'

/** Two timers, whichever is first. */
export class SealTimer {
  readonly #clock: Clock
  readonly #lingerMs: number
  readonly #due: () => void
  #linger: Timer | undefined
  #early: Timer | undefined

  constructor(clock: Clock, lingerMs: number, due: () => void) {
    this.#clock = clock
    this.#lingerMs = lingerMs
    this.#due = due
  }

  /** The segment has its first record. */
  start(): void {
    this.#linger = this.#clock.after(this.#lingerMs, this.#due)
  }

  /** Somebody waits. The first one decides: those who come in time share the segment, and none waits longer for others. */
  hasten(delayMs: number): void {
    this.#early ??= this.#clock.after(delayMs, this.#due)
  }

  /** The segment is no longer open. */
  stop(): void {
    this.#linger?.cancel()
    this.#early?.cancel()
    this.#linger = this.#early = undefined
  }
}
