/**
 * How many zeros an open segment file gets behind a frame, for the next ones to be written over: a sync that changes no
 * length is half as long, and half the disk's work.
 */

/** The most at once; never more than there is before them, either. */
export const ROOM_BYTES_MAX = 256 * 1024
/** For longer frames zeros cost more than they save. */
const SHORT_FRAME_BYTES_MAX = 64 * 1024
/** How much of what the journal may hold zeros may take: what comes is refused the earlier by that. */
const JOURNAL_SHARE = 1 / 64

/** How many zeros the journal's bound leaves room for; `spareBytes` is what it may still grow by. */
export function roomWithin(journalBytesMax: number, spareBytes: number): number {
  return Math.max(0, Math.min(spareBytes, Math.floor(journalBytesMax * JOURNAL_SHARE)))
}

/** How many zeros are worth it behind a frame that ends at `end`: none behind the first, which may be the only one. */
export function roomBehind(end: number, frameBytes: number, isFirst: boolean): number {
  return isFirst || frameBytes > SHORT_FRAME_BYTES_MAX ? 0 : Math.min(end, ROOM_BYTES_MAX)
}
