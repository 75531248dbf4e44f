/** One delivery's turn among those of its thread: taken and left again and again, and rested in while nobody waits. */

import type { Pace, Rests } from './pace.ts'
import type { Turn } from './turn.ts'

/** Of one delivery. */
export class Seat {
  readonly #turn: Turn
  readonly #pace: Pace
  readonly #hurry: AbortSignal
  #leave = () => {}

  constructor({ turn, pace }: { turn: Turn; pace: Pace }, hurry: AbortSignal) {
    this.#turn = turn
    this.#pace = pace
    this.#hurry = hurry
  }

  async take(): Promise<void> {
    this.#leave = await this.#turn.take()
    this.#pace.begin()
  }

  /** Others have their turn. Leaving again does nothing. */
  leave(): void {
    this.#leave()
  }

  /** A good place to rest; undefined when none is due. */
  rest(rests: Rests): Promise<void> | undefined {
    return this.#pace.rest(rests, this.#hurry)
  }
}
