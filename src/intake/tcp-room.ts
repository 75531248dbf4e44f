/**
 * Waiting for room: connections whose lines don't fit the journal just now, in the order they came, and the memory that all
 * connections share. Nobody is refused: who waits is not read from, so that its sender waits, too.
 */

import type { Clock, Timer } from '../platform/clock.ts'
import type { Admission } from './admission.ts'

/** A connection, as far as room goes. */
export interface Guest {
  /** It holds whole lines: what it holds becomes less by itself. */
  readonly isBusy: boolean
  /** It holds the beginning of a line. */
  readonly isInLine: boolean
  /** Tries again; false when it still finds no room. */
  roomAgain(): boolean
  /** Begins or stops to read from its socket, by what `mayRead` says. */
  steer(): void
}

/** How often those who wait look again. Room comes when a segment is stored: hundreds of milliseconds are nothing to it. */
export const LOOK_MS = 50

/** The room of one lane's connections. */
export class Room {
  readonly guests = new Set<Guest>()
  readonly #admission: Admission
  readonly #clock: Clock
  /** Who has lines for the journal, the first to come first. */
  readonly #waiting = new Set<Guest>()
  #isTight = false
  /** Who may read on although memory is tight, so that its line gets an end. */
  #excepted: Guest | undefined
  #timer: Timer | undefined

  constructor(admission: Admission, clock: Clock) {
    this.#admission = admission
    this.#clock = clock
  }

  /** Whether somebody came before `guest` and still waits. */
  isBehind(guest: Guest): boolean {
    const [first] = this.#waiting
    return first !== undefined && first !== guest
  }

  /** It has lines and finds no room: it is told when it may try again. */
  wait(guest: Guest): void {
    this.#waiting.add(guest)
    this.#look()
  }

  /** It waits no longer. */
  leave(guest: Guest): void {
    this.#waiting.delete(guest)
    if (this.#excepted === guest) this.#excepted = undefined
  }

  /** Counts bytes that came; with more than may be in memory nobody is read from until it is less. */
  hold(bytes: number): void {
    if (this.#admission.hold(bytes) || this.#isTight) return
    this.#isTight = true
    for (const guest of this.guests) guest.steer()
    this.#look()
  }

  /** Gives bytes back. */
  release(bytes: number): void {
    this.#admission.release(bytes)
  }

  mayRead(guest: Guest): boolean {
    return !this.#isTight || (this.#excepted === guest && !guest.isBusy)
  }

  /** Stops looking. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #look(): void {
    this.#timer ??= this.#clock.after(LOOK_MS, () => {
      this.#timer = undefined
      if (this.#isTight) this.#loosen()
      this.#serve()
      if (this.#isTight || this.#waiting.size > 0) this.#look()
    })
  }

  /** In their order, until one finds no room: nobody is overtaken for being large. */
  #serve(): void {
    for (const guest of this.#waiting) {
      if (!guest.roomAgain()) return
      this.#waiting.delete(guest)
    }
  }

  /** Lets all read again. While all that is held are beginnings of lines, one of them gets its end: else it would stay so. */
  #loosen(): void {
    if (!this.#admission.isOverheld) {
      this.#isTight = false
      this.#excepted = undefined
      for (const guest of this.guests) guest.steer()
      return
    }
    let next: Guest | undefined
    for (const guest of this.guests) {
      if (guest.isBusy || (guest === this.#excepted && guest.isInLine)) return
      if (guest.isInLine) next ??= guest
    }
    this.#excepted = next
    if (!next) return
    // The last to get its turn again.
    this.guests.delete(next)
    this.guests.add(next)
    next.steer()
  }
}
