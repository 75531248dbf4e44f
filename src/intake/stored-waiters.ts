/** Those who are answered once their payloads are stored: told when their segment is, or that it takes too long. */

import type { ReceiptParts } from '../journal/name.ts'
import type { Clock } from '../platform/clock.ts'
import { Deadlines, type Expiring } from './deadlines.ts'

/** Is told how its wait ended: one of the two, once. */
export interface StoredWaiter {
  /** Every payload of the record is in these objects. */
  stored(objects: string[]): void
  /** It is not stored yet; it is on the disk. */
  notYet(): void
}

/** The most who wait at once; whoever comes on top is told `notYet` at once. */
export const STORED_WAITERS_MAX = 100_000

/** Waits for segments. */
export class StoredWaiters {
  readonly #deadlines: Deadlines
  readonly #onWait: () => void
  readonly #bySegment = new Map<number, Set<Waiting>>()
  #count = 0

  /** `limitMs` is the longest wait, give or take a quarter; `onWait` hears of each that begins. */
  constructor(limitMs: number, clock: Clock, onWait: () => void) {
    this.#deadlines = new Deadlines(limitMs, clock)
    this.#onWait = onWait
  }

  /** How many wait. */
  get count(): number {
    return this.#count
  }

  /** Waits for the record of `receipt`. */
  wait({ segment, place }: ReceiptParts, waiter: StoredWaiter): void {
    if (this.#count >= STORED_WAITERS_MAX) return waiter.notYet()
    const waiting: Waiting = {
      startedMs: 0,
      place,
      waiter,
      expire: () => {
        this.#forget(segment, waiting)
        waiter.notYet()
      },
    }
    const others = this.#bySegment.get(segment)
    if (others) others.add(waiting)
    else this.#bySegment.set(segment, new Set([waiting]))
    this.#count += 1
    this.#deadlines.start(waiting)
    this.#onWait()
  }

  /** A segment is over; `objectsAt` tells the objects of the record at a place, undefined when it is in none. */
  over(segment: number, objectsAt: (place: number) => string[] | undefined): void {
    const all = this.#bySegment.get(segment)
    this.#bySegment.delete(segment)
    for (const waiting of all ?? []) {
      this.#count -= 1
      this.#deadlines.stop(waiting)
      const objects = objectsAt(waiting.place)
      if (objects) waiting.waiter.stored(objects)
      else waiting.waiter.notYet()
    }
  }

  /** A record is where it goes, and no object holds it; others of its segment may take longer. */
  early(segment: number, place: number): void {
    for (const waiting of this.#bySegment.get(segment) ?? []) {
      if (waiting.place !== place) continue
      this.#forget(segment, waiting)
      this.#deadlines.stop(waiting)
      waiting.waiter.stored([])
    }
  }

  /** Nobody waits any longer. */
  close(): void {
    for (const segment of [...this.#bySegment.keys()]) this.over(segment, () => undefined)
    this.#deadlines.close()
  }

  #forget(segment: number, waiting: Waiting): void {
    const others = this.#bySegment.get(segment)
    others?.delete(waiting)
    if (others?.size === 0) this.#bySegment.delete(segment)
    this.#count -= 1
  }
}

interface Waiting extends Expiring {
  place: number
  waiter: StoredWaiter
}
