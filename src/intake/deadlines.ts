/** How long bodies may take to arrive: one timer for all requests, because one for each would cost more than reading it. */

import type { Clock, Timer } from '../platform/clock.ts'

interface Waiting {
  sinceMs: number
  expire: () => void
}

/** Waits for many things, none longer than `limitMs` and a sweep. */
export class Deadlines {
  readonly limitMs: number
  readonly #clock: Clock
  /** In the order of their arrival, so that a sweep looks only at what is late. */
  readonly #waiting = new Set<Waiting>()
  #timer: Timer | undefined

  constructor(limitMs: number, clock: Clock) {
    this.limitMs = limitMs
    this.#clock = clock
  }

  /** The promise's value, or `late` when it takes longer than the limit. */
  within<T>(promise: Promise<T>): Promise<T | 'late'> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { sinceMs: this.#clock.monotonicMs(), expire: () => resolve('late') }
      this.#waiting.add(waiting)
      this.#timer ??= this.#clock.after(this.limitMs / 4, () => this.#sweep())
      promise.then(
        (value) => {
          this.#waiting.delete(waiting)
          resolve(value)
        },
        (error: unknown) => {
          this.#waiting.delete(waiting)
          reject(error)
        },
      )
    })
  }

  /** Stops the timer. What still waits is left waiting. */
  close(): void {
    this.#timer?.cancel()
  }

  #sweep(): void {
    this.#timer = undefined
    const lateSinceMs = this.#clock.monotonicMs() - this.limitMs
    for (const waiting of this.#waiting) {
      if (waiting.sinceMs > lateSinceMs) break
      this.#waiting.delete(waiting)
      waiting.expire()
    }
    if (this.#waiting.size > 0) this.#timer = this.#clock.after(this.limitMs / 4, () => this.#sweep())
  }
}
