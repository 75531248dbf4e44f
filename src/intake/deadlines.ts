/** How long bodies may take to arrive: one timer for all requests, because one for each would cost more than reading it. */

import type { Clock, Timer } from '../platform/clock.ts'

/** Something that must be done in time. `startedMs` is this file's to set. */
export interface Expiring {
  startedMs: number
  /** Called once when it isn't; it has been stopped by then. */
  expire(): void
}

/** Watches many things, none of which may take longer than `limitMs` and a quarter of it. */
export class Deadlines {
  readonly limitMs: number
  readonly #clock: Clock
  /** In the order of their start, so that a sweep looks only at what is late. */
  readonly #running = new Set<Expiring>()
  #timer: Timer | undefined

  constructor(limitMs: number, clock: Clock) {
    this.limitMs = limitMs
    this.#clock = clock
  }

  /** Starts the time of `expiring`. */
  start(expiring: Expiring): void {
    expiring.startedMs = this.#clock.monotonicMs()
    this.#running.add(expiring)
    this.#timer ??= this.#clock.after(this.limitMs / 4, () => this.#sweep())
  }

  /** It is done. */
  stop(expiring: Expiring): void {
    this.#running.delete(expiring)
  }

  /** Stops watching. */
  close(): void {
    this.#timer?.cancel()
  }

  #sweep(): void {
    this.#timer = undefined
    const lateSinceMs = this.#clock.monotonicMs() - this.limitMs
    for (const expiring of this.#running) {
      if (expiring.startedMs > lateSinceMs) break
      this.#running.delete(expiring)
      expiring.expire()
    }
    if (this.#running.size > 0) this.#timer = this.#clock.after(this.limitMs / 4, () => this.#sweep())
  }
}
