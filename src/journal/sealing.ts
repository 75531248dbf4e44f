/** Seals segments one after the other, beside the commits to the next one, and announces each when its name is durable. */

import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import type { SealedSegment } from './journal.ts'
import type { NoteKeeper } from './notes.ts'
import type { Segment } from './segment.ts'

/** The pause before a segment that could not be renamed is renamed again. */
const RENAME_PAUSE_MS = 1000

/** A lane's segments on their way from open to sealed. */
export class Sealing {
  readonly #clock: Clock
  readonly #noteKeeper: NoteKeeper
  readonly #observe: Observer
  readonly #announce: (segment: Segment, sealed: SealedSegment) => void
  #last: Promise<void> = Promise.resolve()
  #isClosing = false

  constructor(
    clock: Clock,
    noteKeeper: NoteKeeper,
    observe: Observer,
    announce: (segment: Segment, sealed: SealedSegment) => void,
  ) {
    this.#clock = clock
    this.#noteKeeper = noteKeeper
    this.#observe = observe
    this.#announce = announce
  }

  /** Takes a segment that gets no more records. */
  add(segment: Segment): void {
    this.#last = this.#last.then(() => segment.seal()).then(() => this.#publish(segment))
  }

  /** Waits for those that were added. What can't be renamed now is renamed by the next start. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#last
  }

  async #publish(segment: Segment): Promise<void> {
    try {
      await this.#noteKeeper.write(segment.number, segment.notes)
      this.#announce(segment, await segment.publish())
    } catch (error) {
      // The records are durable; only the name is old. Tried again until it holds, at the latest by the next start.
      this.#observe({ kind: 'journal-trouble', code: 'journal_failed', reason: `renaming a segment: ${error}` })
      if (this.#isClosing) return
      await this.#clock.sleep(RENAME_PAUSE_MS)
      await this.#publish(segment)
    }
  }
}
