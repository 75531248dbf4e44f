/**
 * Verify's look at the segments' numbers: each is that of a file in the journal or of a line in the ledger, as far back as
 * the ledger goes. What is in neither was lost, and with it whatever was acknowledged in it.
 */

import { segmentPath } from '../journal/name.ts'
import { parseFileName, readLedger } from '../observe/ledger-files.ts'
import type { Files } from '../platform/files.ts'
import type { FoundData } from './data.ts'
import type { Problems } from './problems.ts'
import type { NumberRange, SegmentNumbers } from './segment-numbers.ts'

/** `seen` are the numbers of the journal, and then of the ledger, as they were read one after the other. */
export async function checkNumbers(
  files: Files,
  data: FoundData,
  seen: SegmentNumbers,
  problems: Problems,
): Promise<void> {
  const first = await firstKnown(files, data)
  const whole = seen.lanes.map((lane) => ({ lane, first: first.get(lane) ?? 1, last: seen.highest(lane) }))
  const suspects = whole.flatMap((range) => seen.missing(range))
  if (suspects.length === 0) return
  // A running server makes, renames and removes files while they are listed, and its lines come after that.
  for (const suspect of suspects) await lookAgain(files, data, suspect, seen)
  for await (const { lane, segment } of readLedger(files, data.ledger)) seen.add(lane, segment)
  for (const { lane, first, last } of suspects.flatMap((range) => seen.missing(range))) {
    const which = first === last ? `segment ${first}` : `segments ${first} to ${last}`
    const them = first === last ? 'it' : 'them'
    const detail = `neither in the journal nor in the ledger: what was acknowledged in ${them} is unknown`
    problems.add({ kind: 'segment_unknown', what: `${which} of lane ${lane}`, detail })
  }
}

/** By lane: the first number whose line can't have been removed for its age. Files go in order, a thousand at a time. */
export async function firstKnown(files: Files, data: FoundData): Promise<Map<number, number>> {
  const first = new Map<number, number>()
  for (const name of await files.list(data.ledger)) {
    const parsed = parseFileName(name)
    if (parsed) first.set(parsed.lane, Math.max(1, Math.min(first.get(parsed.lane) ?? Infinity, parsed.firstSegment)))
  }
  return first
}

async function lookAgain(files: Files, data: FoundData, { lane, first, last }: NumberRange, seen: SegmentNumbers) {
  for (let number = first; number <= last; number++) {
    // In the order in which a file has these names.
    for (const state of ['open', 'sealed'] as const) {
      const size = await files.sizeOf(segmentPath(data.laneDirectory(lane), number, state))
      if (size !== undefined) seen.add(lane, number)
    }
  }
}
