/** Object names: they follow from the segment and its records alone, so that a repeat writes the same name. */

import type { Compression, SegmentHeader } from '../journal/layout.ts'
import { receiptPrefix, segmentDigits } from '../journal/name.ts'

const ENDINGS: Record<Compression, string> = { none: '.ndjson', gzip: '.ndjson.gz', zstd: '.ndjson.zst' }

/** What the records of one object share: their source and the UTC hour they were received in. */
export interface Partition {
  source: string
  receivedAtMs: number
}

const HOUR_MS = 3_600_000

/** The UTC hour, counted from 1970. */
export function hourOf(receivedAtMs: number): number {
  return Math.floor(receivedAtMs / HOUR_MS)
}

/** The same for all records of one source and UTC hour, and for no others. */
export function partitionKey({ source, receivedAtMs }: Partition): string {
  return `${source}/${hourOf(receivedAtMs)}`
}

/** `{source}/date=2026-11-21/hour=01/{node}-{lane}-{segment}-{tag}-{part}.ndjson.zst`. */
export function objectName(header: SegmentHeader, partition: Partition, part: number): string {
  const file = `${header.node}-${header.lane}-${segmentDigits(header.number)}-${header.tag}-${part}`
  return `${directoryOf(partition)}/${file}${ENDINGS[header.compression]}`
}

/** What the names of all objects begin with that hold one payload each, of one source and hour of a segment. */
export function payloadSetName(header: SegmentHeader, partition: Partition): string {
  return `${directoryOf(partition)}/${receiptPrefix(header).slice(0, -1)}`
}

/** The name of one of them: `{source}/date=2026-11-21/hour=01/{receipt}-{index}`. */
export function payloadName(setName: string, place: number, index: number): string {
  return `${setName}-${place}-${index}`
}

function directoryOf({ source, receivedAtMs }: Partition): string {
  const received = new Date(receivedAtMs).toISOString()
  return `${source}/date=${received.slice(0, 10)}/hour=${received.slice(11, 13)}`
}
