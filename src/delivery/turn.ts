/** What deliveries in one thread share: one encodes at a time, and finished bodies waiting to be stored have a bound. */

/** Lets one holder in at a time, in the order they came. */
export class Turn {
  #last: Promise<void> = Promise.resolve()

  /** Resolves with the function that gives the turn to the next; calling it again does nothing. */
  async take(): Promise<() => void> {
    let release = () => {}
    const before = this.#last
    this.#last = new Promise((resolve) => {
      release = resolve
    })
    await before
    return release
  }
}

/** A number of bytes that may be held at once. */
export class ByteBudget {
  readonly #bytesMax: number
  #held = 0
  readonly #waiting: (() => void)[] = []

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Waits until `bytes` more may be held. A body larger than the whole budget goes when nothing else is held. */
  async take(bytes: number): Promise<void> {
    while (this.#held > 0 && this.#held + bytes > this.#bytesMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#held += bytes
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#held -= bytes
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
