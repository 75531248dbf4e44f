/** Opens the journal: what an earlier process left is recovered, what is stored already is left out, then it takes records. */

import type { Observer } from '../observe/events.ts'
import type { Platform } from '../platform/platform.ts'
import { FileJournal } from './group-commit.ts'
import type { Journal, SealedSegment } from './journal.ts'
import type { JournalOptions } from './journal-options.ts'
import { recover } from './recovery.ts'

/** What opening takes. */
export interface OpenOptions extends JournalOptions {
  /** Asked of segments found at the start: one that is stored is not announced; whoever says so deletes its file. */
  isStored: (segment: SealedSegment) => Promise<boolean>
  /** The highest number of those that are gone, as far as is known: none of them is given again. */
  lastNumberGone: number
}

/**
 * Opens the journal: recovers what is there, then takes records. `onSealed` hears of every segment to be delivered, and of
 * every empty one.
 */
export async function openJournal(
  platform: Platform,
  options: OpenOptions,
  observe: Observer,
  onSealed: (segment: SealedSegment) => void,
): Promise<Journal> {
  await platform.files.makeDirectory(options.directory)
  const recovered = await recover(platform.files, options.directory, observe)
  const lastNumber = Math.max(recovered.lastNumber, options.lastNumberGone)
  const journal = new FileJournal(platform, options, observe, onSealed, lastNumber)
  const pending: SealedSegment[] = []
  for (const segment of recovered.segments) {
    if (!(await options.isStored(segment))) pending.push(segment)
  }
  await journal.start(pending)
  return journal
}
