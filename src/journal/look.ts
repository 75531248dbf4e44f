/** Looks into segment files without changing anything, also while another process appends to them, seals and removes them. */

import { type Files, isMissing, type OpenFile } from '../platform/files.ts'
import { HEADER_BYTES, type SegmentHeader } from './layout.ts'
import { type ReceiptParts, type SegmentState, segmentPath } from './name.ts'
import { readHeader, readPieces } from './reader.ts'

/** Bytes of a segment file that are no whole frame; or none, where frames are missing. */
export interface BadStretch {
  offset: number
  bytes: number
  what: string
}

/** What a segment file holds. */
export type SegmentLook =
  /** No file of this number is there (any longer). */
  | { kind: 'gone' }
  /** It was being made: no record was ever in it. */
  | { kind: 'unfinished' }
  | { kind: 'newer'; version: number }
  /** Its header is damaged, or that of another segment. */
  | { kind: 'broken'; path: string; bytes: number; what: string }
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
    const header = await readHeader(opened.file, opened.path)
    if (header.kind !== 'header' || header.header.tag !== receipt.tag) return false
    for await (const piece of readPieces(opened.file, opened.state)) {
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
    const header = await readHeader(file, path)
    if (header.kind === 'newer') return header
    if (header.kind !== 'header') {
      const bytes = await file.size()
      const what = header.kind === 'misplaced' ? `is that of ${header.of}` : 'is damaged'
      const isUnfinished = header.kind === 'broken' && state === 'open' && bytes <= HEADER_BYTES
      return isUnfinished ? { kind: 'unfinished' } : { kind: 'broken', path, bytes, what }
    }
    const totals = { records: 0, payloads: 0, recordBytes: 0 }
    const damage: BadStretch[] = []
    for await (const piece of readPieces(file, state)) {
      if (piece.kind !== 'frame') {
        const isNormal = piece.kind === 'torn' && state === 'open'
        const { offset, bytes } = piece
        const what = piece.kind === 'lost' ? piece.reason : `${bytes} bytes at ${offset} are no whole frame`
        if (!isNormal) damage.push({ offset, bytes, what })
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
