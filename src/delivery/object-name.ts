/** Object names: they follow from the segment and its records alone, so that a repeat writes the same name. */

import type { Compression, SegmentHeader } from '../journal/layout.ts'
import { segmentDigits } from '../journal/name.ts'

const ENDINGS: Record<Compression, string> = { none: '.ndjson', gzip: '.ndjson.gz', zstd: '.ndjson.zst' }

/** What the records of one object share: their source and the UTC hour they were received in. */
export interface Partition {
  source: string
  receivedAtMs: number
}

/** `{source}/date=2026-11-21/hour=01/{node}-{lane}-{segment}-{tag}-{part}.ndjson.zst`. */
export function objectName(header: SegmentHeader, partition: Partition, part: number): string {
  const received = new Date(partition.receivedAtMs).toISOString()
  const file = `${header.node}-${header.lane}-${segmentDigits(header.number)}-${header.tag}-${part}`
  const directory = `${partition.source}/date=${received.slice(0, 10)}/hour=${received.slice(11, 13)}`
  return `${directory}/${file}${ENDINGS[header.compression]}`
}
