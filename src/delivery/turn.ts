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

/** A number of something, bytes or puts, that may be held at once. */
export class Budget {
  readonly #max: number
  #held = 0
  readonly #waiting: (() => void)[] = []

  constructor(max: number) {
    this.#max = max
  }

  /** Waits until `count` more may be held. What is larger than the whole budget goes when nothing else is held. */
  async take(count: number): Promise<void> {
    while (!this.takeNow(count)) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Whether `count` more could be held at once; then they are. */
  takeNow(count: number): boolean {
    const fits = this.#held === 0 || this.#held + count <= this.#max
    if (fits) this.#held += count
    return fits
  }

  /** Gives back what was held. */
  give(count: number): void {
    this.#held -= count
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
