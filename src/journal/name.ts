/** What things are called: segment files, whose name holds their state, and receipts. */

import { basename, dirname, join } from 'node:path'
import type { SegmentHeader } from './layout.ts'

/** A segment file's state, which is its name's ending. */
export type SegmentState = 'open' | 'sealed'

/** The directory beside the segments that says how far a function has come with each. */
export const HANDLED = 'handled'

/** The path of a segment file in its lane's directory. */
export function segmentPath(laneDirectory: string, number: number, state: SegmentState): string {
  return join(laneDirectory, `${segmentDigits(number)}.${state}`)
}

/** The file beside a segment in which a destination keeps what it has to know of the segment's objects after a crash. */
export function sentPath(segmentPath: string): string {
  return segmentPath.replace(/\.(open|sealed)$/, '.sent')
}

/** Whether a file's name is that of such a file, or of one in the making. */
export function isSentName(name: string): boolean {
  return /^\d{16}\.sent(\.partial)?$/.test(name)
}

/** Takes a segment file's name apart; undefined when it isn't one. */
export function parseSegmentName(name: string): { number: number; state: SegmentState } | undefined {
  const match = /^(\d{16})\.(open|sealed)$/.exec(name)
  return match ? { number: Number(match[1]), state: match[2] as SegmentState } : undefined
}

/** Where it is noted how far the delivery of a segment has come; the same in every state. */
export function progressPath(path: string): string {
  return `${path.replace(/\.(open|sealed)$/, '')}.progress`
}

/** Takes such a file's name apart; undefined when it isn't one. */
export function parseProgressName(name: string): { number: number } | undefined {
  const digits = /^(\d{16})\.progress$/.exec(name)?.[1]
  return digits === undefined ? undefined : { number: Number(digits) }
}

/** Which segment a path names; the lane only where the directory has a lane's name. Undefined when it names none. */
export function parseSegmentPath(path: string) {
  const parsed = parseSegmentName(basename(path))
  const lane = /^lane-(\d{1,5})$/.exec(basename(dirname(path)))?.[1]
  return parsed && { ...parsed, lane: lane === undefined ? undefined : Number(lane) }
}

/** A segment's number as it stands in names: 16 digits, so that names sort as numbers do. */
export function segmentDigits(number: number): string {
  return String(number).padStart(16, '0')
}

/** What a receipt says: which record of which segment. */
export interface ReceiptParts {
  node: string
  lane: number
  segment: number
  tag: string
  place: number
}

/** Takes a receipt apart; undefined when it isn't one. Numbers are as they were given: a record has one name. */
export function parseReceipt(receipt: string): ReceiptParts | undefined {
  const match = /^([a-z0-9]{1,12})-(0|[1-9]\d{0,4})-([1-9]\d{0,15})-([0-9a-f]{8})-(0|[1-9]\d{0,9})$/.exec(receipt)
  if (!match) return undefined
  const [, node = '', lane, segment, tag = '', place] = match
  return { node, lane: Number(lane), segment: Number(segment), tag, place: Number(place) }
}

/** The part of a receipt that all records of a segment share. */
export function receiptPrefix(header: SegmentHeader): string {
  return `${header.node}-${header.lane}-${header.number}-${header.tag}-`
}
