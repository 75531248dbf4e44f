/** Finds out that a thread or a process hangs: it is asked now and then, and has to answer in between. */

import type { Clock, Timer } from './clock.ts'

/** How often it is asked. */
export const ASK_EVERY_MS = 10_000
/**
 * How many questions in a row may stay unanswered. They are counted instead of the time, so that a process that was
 * stopped for an hour (SIGSTOP, a machine that slept) takes nobody for hanging when it wakes.
 */
export const UNANSWERED_MAX = 6

/** The watch over one of them. */
export class Heartbeat {
  readonly #clock: Clock
  readonly #ask: () => void
  readonly #hangs: () => void
  #unanswered = 0
  #timer: Timer | undefined

  /** Calls `ask` again and again, and `hangs` once, when too many were not answered. */
  constructor(clock: Clock, ask: () => void, hangs: () => void) {
    this.#clock = clock
    this.#ask = ask
    this.#hangs = hangs
    this.#next()
  }

  /** It has answered. */
  answered(): void {
    this.#unanswered = 0
  }

  /** Stops asking. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #next(): void {
    this.#timer = this.#clock.after(ASK_EVERY_MS, () => {
      if (this.#unanswered === UNANSWERED_MAX) return this.#hangs()
      this.#unanswered += 1
      this.#ask()
      this.#next()
    })
  }
}
