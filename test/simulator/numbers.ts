/** Whether every segment's number is accounted for: a file in the journal, or a line in the ledger. */

import { parseSegmentName } from '../../src/journal/name.ts'
import type { Disk } from './disk.ts'
import { LANE, LEDGER } from './life.ts'
import type { World } from './world.ts'

/** Looks at what is on the disk between two lives. No run makes so many segments that old files of the ledger go. */
export function checkNumbers(world: World, disk: Disk): void {
  const seen = new Set(disk.list(LANE).flatMap((name) => parseSegmentName(name)?.number ?? []))
  for (const name of disk.list(LEDGER)) {
    const content = disk.file(`${LEDGER}/${name}`)?.content.view() ?? new Uint8Array()
    const lines = name.endsWith('.ndjson') ? Buffer.from(content).toString().split('\n') : []
    for (const line of lines) seen.add(segmentOf(line))
  }
  const highest = Math.max(0, ...seen)
  for (let number = 1; number < highest; number++) {
    if (!seen.has(number)) world.breach(`segment ${number} of ${highest} is neither in the journal nor in the ledger`)
  }
}

/** The segment of a ledger's line; 0 for what is none. */
function segmentOf(line: string): number {
  try {
    return (JSON.parse(line) as { segment: number }).segment
  } catch {
    return 0
  }
}
