/**
 * Room for long bodies: a few are read at a time, and the others wait in the kernel's memory rather than here. It is as fast,
 * since what they wait for is the processor and the disk.
 */

import type { Clock, Timer } from '../platform/clock.ts'

/**
 * How long the bodies may be together. With bodies of 1.9 MB over 32 connections, without a bound and with 8 and 4 MiB: RSS
 * 184, 142 and 139 MB, and as many payloads/s.
 */
const ROOM_BYTES = 8 * 1024 * 1024
/** Shorter ones take no room and wait for nobody: to be without them would take more processor than they take memory. */
const LONG_BYTES = 64 * 1024
/**
 * Whose body takes longer to come has a slow client, for which others needn't wait. Of such as many as ever are read at once:
 * 400 MB of bodies a second may begin, or more.
 */
export const QUICK_MS = 10

/** What a body takes of the room. */
export interface BodyPlace {
  /** All of the body is there: what it waits for now is the disk. */
  whole(): void
  /** Its memory is free. Leaving again does nothing. */
  leave(): void
}

type Go = (place: Place) => void

class Place implements BodyPlace {
  readonly bytes: number
  readonly sinceMs: number
  /** There was room for it. */
  readonly isGranted: boolean
  isLeft = false
  readonly #room: BodyRoom

  constructor(bytes: number, sinceMs: number, isGranted: boolean, room: BodyRoom) {
    this.bytes = bytes
    this.sinceMs = sinceMs
    this.isGranted = isGranted
    this.#room = room
  }

  whole(): void {
    this.#room.whole(this)
  }

  leave(): void {
    if (this.isLeft) return
    this.isLeft = true
    this.#room.give(this)
  }
}

/** The room of one lane. */
export class BodyRoom {
  readonly #clock: Clock
  readonly #bytesMax: number
  #bytes = 0
  /** Of those that had to ask. */
  #grantedBytes = 0
  /** Of bodies that aren't whole, the first to begin first. */
  readonly #coming = new Set<Place>()
  /** The first to come first. */
  readonly #waiting = new Set<{ bytes: number; go: Go }>()
  #timer: Timer | undefined

  constructor(clock: Clock, bytesMax = ROOM_BYTES) {
    this.#clock = clock
    this.#bytesMax = bytesMax
  }

  /** Somebody waits. */
  get isCrowded(): boolean {
    return this.#waiting.size > 0
  }

  /** Whether there is room, also for those who wait already. */
  isFor(bytes: number): boolean {
    return !this.isCrowded && this.#fits(bytes)
  }

  /**
   * A place for a body; undefined when it has to wait. Half of the room, and for one body all that it needs, is there also
   * where those who didn't ask take more than all of it: else whoever waits might wait for ever.
   */
  take(bytes: number): Place | undefined {
    return this.isFor(bytes) ? this.#place(bytes, true) : undefined
  }

  /** A place for a body that is there already, also where there is no room. */
  takeAnyway(bytes: number): Place {
    const place = this.#place(bytes, false)
    place.whole()
    return place
  }

  /** Waits for a place behind those who wait already; `go` gets it. Returns what gives up waiting. */
  wait(bytes: number, go: Go): () => void {
    const waiting = { bytes, go }
    this.#waiting.add(waiting)
    this.#watch()
    return () => {
      if (this.#waiting.delete(waiting)) this.#serve()
    }
  }

  /** The body of a place is. */
  whole(place: Place): void {
    this.#coming.delete(place)
  }

  /** A place is left. */
  give(place: Place): void {
    this.#coming.delete(place)
    this.#bytes -= place.bytes
    if (place.isGranted) this.#grantedBytes -= place.bytes
    this.#serve()
  }

  /** Looks after nobody any more. */
  close(): void {
    this.#timer?.cancel()
  }

  #fits(bytes: number): boolean {
    const granted = this.#grantedBytes
    return granted === 0 || granted + bytes <= this.#bytesMax / 2 || this.#bytes + bytes <= this.#bytesMax
  }

  #place(bytes: number, isGranted: boolean): Place {
    const place = new Place(bytes, this.#clock.monotonicMs(), isGranted, this)
    this.#coming.add(place)
    this.#bytes += bytes
    if (isGranted) this.#grantedBytes += bytes
    return place
  }

  /** Not in the midst of what gave the room back. */
  #serve(): void {
    if (this.isCrowded) queueMicrotask(() => this.#serveNow())
  }

  #serveNow(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) break
      this.#waiting.delete(waiting)
      waiting.go(this.#place(waiting.bytes, true))
    }
    this.#watch()
  }

  /** While somebody waits, whose client is slow loses its place. */
  #watch(): void {
    const [first] = this.#coming
    if (this.#timer || !this.isCrowded || first === undefined) return
    const leftMs = first.sinceMs + QUICK_MS - this.#clock.monotonicMs()
    this.#timer = this.#clock.after(Math.max(1, leftMs), () => {
      this.#timer = undefined
      const quickMs = this.#clock.monotonicMs() - QUICK_MS
      for (const place of [...this.#coming]) if (place.sinceMs <= quickMs) place.leave()
      this.#watch()
    })
  }
}

/** A connection, as far as it takes room. */
export class RoomGuest {
  readonly #room: BodyRoom
  #giveUp: (() => void) | undefined
  /** Taken before it was known what would come. */
  #early: Place | undefined
  /** How long the last body was, if it was long: the next one may well be like it. */
  #lastBytes = 0

  constructor(room: BodyRoom) {
    this.#room = room
  }

  /**
   * A body begins to come. `go` is called when it may be read, with its place if it needs one: at once, or later; then it is
   * still to be called when this returns true.
   */
  waitsFor(bytes: number, go: (place?: BodyPlace) => void): boolean {
    const early = this.#early
    const isEnough = bytes >= LONG_BYTES && early && !early.isLeft && bytes <= early.bytes
    if (isEnough) this.#early = undefined
    this.leave()
    if (bytes < LONG_BYTES) {
      go()
      return false
    }
    this.#lastBytes = bytes
    const place = isEnough ? early : this.#room.take(bytes)
    if (place) {
      go(place)
      return false
    }
    this.#wait(bytes, go)
    return true
  }

  /** A place for a body that came whole, if it needs one. */
  came(bytes: number): BodyPlace | undefined {
    this.leave()
    if (bytes < LONG_BYTES) return undefined
    this.#lastBytes = bytes
    return this.#room.takeAnyway(bytes)
  }

  /** Whether it should wait before anything is read; `go` is called when there is room for one more like the last. */
  waitsFirst(go: () => void): boolean {
    if (this.#lastBytes === 0 || this.#room.isFor(this.#lastBytes)) return false
    this.#wait(this.#lastBytes, (place) => {
      this.#early = place
      go()
    })
    return true
  }

  /** Needs no room: it waits for nothing, and what it has taken is for others. */
  leave(): void {
    this.#lastBytes = 0
    this.#giveUp?.()
    this.#giveUp = undefined
    this.#early?.leave()
    this.#early = undefined
  }

  #wait(bytes: number, go: Go): void {
    this.#giveUp = this.#room.wait(bytes, (place) => {
      this.#giveUp = undefined
      go(place)
    })
  }
}
