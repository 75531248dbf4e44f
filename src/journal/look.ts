/** Looks into segment files without changing anything, also while another process appends to them, seals and removes them. */

import { type Files, isMissing, type OpenFile } from '../platform/files.ts'
import { HEADER_BYTES, type SegmentHeader } from './layout.ts'
import { type ReceiptParts, type SegmentState, segmentPath } from './name.ts'
import { readHeader, readPieces } from './reader.ts'

/** Bytes of a segment file that are no whole frame. */
export interface BadStretch {
  offset: number
  bytes: number
}

/** What a segment file holds. */
export type SegmentLook =
  /** No file of this number is there (any longer). */
  | { kind: 'gone' }
  /** It was being made: no record was ever in it. */
  | { kind: 'unfinished' }
  | { kind: 'newer'; version: number }
  /** Its header is damaged. */
  | { kind: 'broken'; path: string; bytes: number }
  | {
      kind: 'segment'
      path: string
      header: SegmentHeader
      records: number
      payloads: number
      recordBytes: number
      /** What an open file ends with when a frame is being written, or was when a crash came, is none. */
      damage: BadStretch[]
    }

const STATES: readonly SegmentState[] = ['open', 'sealed']

/** Reads a whole segment. */
export async function lookAt(files: Files, laneDirectory: string, number: number): Promise<SegmentLook> {
  const first = await lookOnce(files, laneDirectory, number)
  const isBad = first.kind === 'broken' || (first.kind === 'segment' && first.damage.length > 0)
  if (!isBad) return first
  // What was half-written a moment ago is whole now; what is damaged stays so.
  const second = await lookOnce(files, laneDirectory, number)
  if (first.kind !== 'segment' || second.kind !== 'segment') return second
  const isLasting = ({ offset }: BadStretch) => first.damage.some((stretch) => stretch.offset === offset)
  return { ...second, damage: second.damage.filter(isLasting) }
}

/** Whether a record is in its segment's file. */
export async function isInJournal(files: Files, laneDirectory: string, receipt: ReceiptParts): Promise<boolean> {
  const opened = await openSegment(files, laneDirectory, receipt.segment)
  if (!opened) return false
  try {
    const header = await readHeader(opened.file)
    if (header.kind !== 'header' || header.header.tag !== receipt.tag) return false
    for await (const piece of readPieces(opened.file)) {
      if (piece.kind !== 'frame') continue
      const { firstRecord, records } = piece.header
      if (receipt.place >= firstRecord && receipt.place < firstRecord + records) return true
    }
    return false
  } finally {
    await opened.file.close()
  }
}

async function lookOnce(files: Files, laneDirectory: string, number: number): Promise<SegmentLook> {
  const opened = await openSegment(files, laneDirectory, number)
  if (!opened) return { kind: 'gone' }
  const { file, path, state } = opened
  try {
    const header = await readHeader(file)
    if (header.kind === 'newer') return header
    if (header.kind === 'broken') {
      const bytes = await file.size()
      return state === 'open' && bytes <= HEADER_BYTES ? { kind: 'unfinished' } : { kind: 'broken', path, bytes }
    }
    const totals = { records: 0, payloads: 0, recordBytes: 0 }
    const damage: BadStretch[] = []
    for await (const piece of readPieces(file)) {
      if (piece.kind !== 'frame') {
        const isNormal = piece.kind === 'torn' && state === 'open'
        if (!isNormal) damage.push({ offset: piece.offset, bytes: piece.bytes })
      } else if (piece.header.kind === 'records') {
        totals.records += piece.header.records
        totals.payloads += piece.header.payloads
        totals.recordBytes += piece.header.bodyBytes
      }
    }
    return { kind: 'segment', path, header: header.header, ...totals, damage }
  } finally {
    await file.close()
  }
}

/** A segment is open, then sealed, then gone: asked in this order, a file that is renamed meanwhile is found. */
async function openSegment(files: Files, laneDirectory: string, number: number) {
  for (const state of STATES) {
    const path = segmentPath(laneDirectory, number, state)
    try {
      const file: OpenFile = await files.open(path, 'read')
      return { file, path, state }
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return undefined
}
