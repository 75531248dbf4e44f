/** The answering half of a TCP connection: answers in order, as fast as the client reads them, and an end that takes none away. */

import type { Clock, Timer } from '../platform/clock.ts'

/** The socket. */
export interface Wire {
  /** Returns how many bytes it took; for the rest it says when to go on. */
  write(text: string | Uint8Array): number
  pause(): void
  resume(): void
  /** Nothing more is written. */
  shutdown(): void
  /** Closes it; what was written still arrives. */
  end(): void
  /** Closes it at once. */
  terminate(): void
}

/** How long what a client still sends is read and thrown away after its last answer: a reset would take that answer from it. */
export const LINGER_MS = 1000

/** Writes answers. */
export class Outlet {
  /** The client has closed its side: nothing is on its way from there. */
  isFinished = false
  readonly #wire: Wire
  readonly #clock: Clock
  /** What the socket didn't take. Whoever writes waits until it is gone. */
  #unsent: Uint8Array | undefined
  #isEnding = false
  #isClosed = false
  #linger: Timer | undefined

  constructor(wire: Wire, clock: Clock) {
    this.#wire = wire
    this.#clock = clock
  }

  /** The client reads more slowly than it is answered. */
  get isClogged(): boolean {
    return this.#unsent !== undefined
  }

  write(text: string | Uint8Array): void {
    if (this.#isClosed) return
    const taken = Math.max(0, this.#wire.write(text))
    const bytes = typeof text === 'string' ? Buffer.byteLength(text) : text.length
    this.#unsent = taken < bytes ? Buffer.from(text as string).subarray(taken) : undefined
  }

  /** The socket takes more. */
  drained(): void {
    if (!this.#unsent) return
    this.write(this.#unsent)
    if (this.#isEnding && !this.#unsent) this.#shut()
  }

  /** The last answer has been given. */
  end(): void {
    this.#isEnding = true
    this.#linger = this.#clock.after(LINGER_MS, () => this.#wire.terminate())
    if (!this.#unsent) this.#shut()
  }

  /** The client closes its side. */
  finished(): void {
    this.isFinished = true
    if (this.#isEnding && !this.#unsent) this.#shut()
  }

  /** The socket is gone. */
  closed(): void {
    this.#isClosed = true
    this.#unsent = undefined
    this.#linger?.cancel()
  }

  #shut(): void {
    if (this.isFinished) this.#wire.end()
    else this.#wire.shutdown()
  }
}
