/** A progress bar on standard error while somebody watches it. */

import type { Clock } from '../platform/clock.ts'
import { inDigits, type Terminal } from './terminal.ts'

/** The least time between two drawings. */
const DRAW_MS = 100
const BAR_CHARACTERS = 30

/** Counts what is done. */
export class Progress {
  #done = 0
  #drawnAtMs = Number.NEGATIVE_INFINITY
  readonly #terminal: Terminal
  readonly #clock: Clock
  readonly #total: number
  readonly #says: (done: number) => string

  /** `says` is what stands behind the bar. */
  constructor(terminal: Terminal, clock: Clock, total: number, says?: (done: number) => string) {
    this.#terminal = terminal
    this.#clock = clock
    this.#total = total
    this.#says = says ?? ((done) => `${inDigits(done)} of ${inDigits(total)} objects`)
  }

  /** So many more are done. */
  step(count: number): void {
    this.#done += count
    const nowMs = this.#clock.monotonicMs()
    if (!this.#terminal.isWatched || nowMs - this.#drawnAtMs < DRAW_MS) return
    this.#drawnAtMs = nowMs
    const part = Math.min(1, this.#done / Math.max(1, this.#total))
    const bar = '#'.repeat(Math.round(part * BAR_CHARACTERS)).padEnd(BAR_CHARACTERS, '.')
    this.#terminal.note(`\r\x1b[K[${bar}] ${this.#says(this.#done)}`)
  }

  /** Wipes the bar away. */
  end(): void {
    if (this.#drawnAtMs > Number.NEGATIVE_INFINITY) this.#terminal.note('\r\x1b[K')
  }
}
