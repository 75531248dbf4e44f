/** What waits to be written: the frame that is being filled, the one on its way to the disk, and what fits neither yet. */

import type { AppendRefusal, NewRecord, Waiter } from './journal.ts'
import { recordBytes } from './record.ts'
import { Stage } from './stage.ts'

/** A frame's usual longest body; what arrives beyond it while a sync runs waits for the frame after. */
const FRAME_BYTES = 1 << 20

/** Keeps records in the order they came. */
export class Staging {
  /** Collects records; `#writing` is the journal's. They change places at each commit. */
  #filling = new Stage(FRAME_BYTES)
  #writing = new Stage(FRAME_BYTES)
  /** Records that did not fit the stage being filled, oldest first. Bounded by intake's bytes in flight. */
  readonly #overflow: { record: NewRecord; waiter: Waiter }[] = []

  /** How many records the next frame has. */
  get records(): number {
    return this.#filling.records
  }

  /** How long they are. */
  get recordBytes(): number {
    return this.#filling.recordBytes
  }

  get isEmpty(): boolean {
    return this.records === 0 && !this.isFull
  }

  /** The next frame is full: something waits for the one after. */
  get isFull(): boolean {
    return this.#overflow.length > 0
  }

  add(record: NewRecord, waiter: Waiter): void {
    if (this.isFull || !this.#fill(record, waiter)) this.#overflow.push({ record, waiter })
  }

  /** The next frame, from now on the caller's to settle or refuse before the one after; what comes goes into another. */
  next(): Stage {
    this.#fillFromOverflow()
    const stage = this.#filling
    this.#filling = this.#writing
    this.#writing = stage
    return stage
  }

  /** Refuses all that waits; `forget` is told the payloads and bytes of each part before. */
  refuse(code: AppendRefusal, forget: (payloads: number, bytes: number) => void): void {
    forget(this.#filling.payloads, this.#filling.recordBytes)
    this.#filling.refuse(code)
    for (const { record, waiter } of this.#overflow.splice(0)) {
      forget(record.payloads, recordBytes(record))
      waiter.refused(code)
    }
  }

  #fillFromOverflow(): void {
    let moved = 0
    for (const { record, waiter } of this.#overflow) {
      if (!this.#fill(record, waiter)) break
      moved += 1
    }
    this.#overflow.splice(0, moved)
  }

  /** Copies a record into the next frame; false when that has no room. */
  #fill(record: NewRecord, waiter: Waiter): boolean {
    // An ack of it would be a lie. Whoever gives memory back before it is `copied` has a bug.
    if (!record.body.length && record.payloads) throw new Error('the body of a record is gone before it was copied')
    return this.#filling.add(record, waiter)
  }
}
