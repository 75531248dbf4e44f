/** What the journal holds, counted twice on purpose: everything that became durable, and what of it is still here. */

import type { SealedSegment } from './journal.ts'

/** A segment that is not removed; `records` grows while it is open. */
type Held = Readonly<Pick<SealedSegment, 'tag' | 'records'>>

/** Counts payloads and bytes of records, and knows which segments are there. */
export class Holdings {
  readonly accepted = { payloads: 0, bytes: 0 }
  readonly pending = { payloads: 0, bytes: 0 }
  readonly #segments = new Map<number, Held>()

  /** Records became durable, or were found at the start. */
  accept({ payloads, recordBytes }: { payloads: number; recordBytes: number }): void {
    this.accepted.payloads += payloads
    this.accepted.bytes += recordBytes
    this.pending.payloads += payloads
    this.pending.bytes += recordBytes
  }

  /** A segment is there; or what is known of it has changed its form. */
  hold(number: number, segment: Held): void {
    this.#segments.set(number, segment)
  }

  /** A segment is over. False when it was already: it counts once. */
  remove({ number, payloads, recordBytes }: SealedSegment): boolean {
    if (!this.#segments.delete(number)) return false
    this.pending.payloads -= payloads
    this.pending.bytes -= recordBytes
    return true
  }

  /** Whether this record is here. */
  holds(number: number, tag: string, place: number): boolean {
    const segment = this.#segments.get(number)
    return segment?.tag === tag && place < segment.records
  }
}
