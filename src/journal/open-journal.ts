/** Opens the journal: what an earlier process left is recovered, what is stored already is dropped, then it takes records. */

import type { Observer } from '../observe/events.ts'
import type { Platform } from '../platform/platform.ts'
import { FileJournal } from './group-commit.ts'
import type { Journal, SealedSegment } from './journal.ts'
import type { JournalOptions } from './journal-options.ts'
import { recover } from './recovery.ts'

/** What opening takes. */
export interface OpenOptions extends JournalOptions {
  /** Asked of segments found at the start: one that is stored and only wasn't deleted yet is not delivered again. */
  isStored: (segment: SealedSegment) => Promise<boolean>
}

/** Opens the journal: recovers what is there, then takes records. `onSealed` hears of every segment to be delivered. */
export async function openJournal(
  platform: Platform,
  options: OpenOptions,
  observe: Observer,
  onSealed: (segment: SealedSegment) => void,
): Promise<Journal> {
  await platform.files.makeDirectory(options.directory)
  const recovered = await recover(platform.files, options.directory, observe)
  const journal = new FileJournal(platform, options, observe, onSealed, recovered.lastNumber)
  const pending: SealedSegment[] = []
  const over = [...recovered.empty]
  for (const segment of recovered.sealed) {
    if (await options.isStored(segment)) over.push(segment.path)
    else pending.push(segment)
  }
  await journal.start(pending)
  // Their names go only once a higher number is on the disk: numbers are never used twice.
  if (!journal.trouble) for (const path of over) await platform.files.remove(path)
  return journal
}
