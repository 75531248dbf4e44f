/**
 * The bytes of a segment file, versions 1 to 3. All numbers are little-endian; `docs/JOURNAL.md` has the diagram.
 *
 *   segment = header frame* seal?          The seal is there when the segment was closed in good order.
 *   header  = 64 bytes: who wrote it, and all that names and shapes of its objects depend on
 *   frame   = 32 bytes of frame header, then records back to back: what one `fdatasync` made durable
 *   seal    = a frame whose body is 32 bytes of totals, so that a start needs to read 96 bytes of a sealed segment
 *
 * The CRC-32 of a frame covers everything after itself, header fields included: a frame is whole or it is nothing.
 */

import { crc32 } from 'node:zlib'

/** The newest layout this program reads. A segment is written in the oldest that says it all. */
export const LAYOUT_VERSION = 3
/** The oldest that knows of a format other than lines: programs before it would make other objects of the same segment. */
const FORMAT_VERSION = 2
/** The oldest that knows of lines that are made already: programs before it would take such a record for damage. */
const MADE_VERSION = 3
/** What frames say of their own layout; it has not changed since the first. */
const FRAME_VERSION = 1
/** Length of the segment header. */
export const HEADER_BYTES = 64
/** Length of a frame's own header. */
export const FRAME_HEADER_BYTES = 32
/** Length of the seal, its frame header included. */
export const SEAL_BYTES = FRAME_HEADER_BYTES + 32
/** The longest frame body a reader believes; a length beyond it is damage. Writers stay far below it. */
export const FRAME_BODY_BYTES_MAX = 1 << 30

const HEADER_MAGIC = 'MILLRACE'
const FRAME_MAGIC = 0x4d_52_46_31
/** The frame magic as it stands in the file, for finding the next frame after damage. */
export const FRAME_MAGIC_BYTES = Buffer.from([0x31, 0x46, 0x52, 0x4d])

/** How objects of lines made from a segment are compressed. Part of the header, so that a repeat makes the same names. */
export type Compression = 'none' | 'gzip' | 'zstd'
const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'zstd']

/** What an object made from a segment holds: the lines of many payloads, or one payload's bytes. In the header, too. */
export type ObjectFormat = 'lines' | 'payload'
const FORMATS: readonly ObjectFormat[] = ['lines', 'payload']

/** What a segment's header says. */
export interface SegmentHeader {
  /** This node's id, 1 to 12 ASCII characters. */
  node: string
  lane: number
  number: number
  /** 8 hex digits made at random with the segment: names stay unique even if a data directory was copied. */
  tag: string
  createdAtMs: number
  format: ObjectFormat
  compression: Compression
  /** An object is closed when its lines reach this many bytes, before compression. */
  objectBytesMax: number
  /** Records of made lines may be in it. */
  takesMade?: true
}

/** A frame's header fields. */
export interface FrameHeader {
  kind: 'records' | 'seal'
  bodyBytes: number
  records: number
  payloads: number
  /** The place in the segment of the frame's first record, from 0. */
  firstRecord: number
  /** How many of the records have a note. */
  noted: number
}

/** What a seal says of the frames before it. */
export interface SealTotals {
  records: number
  payloads: number
  frames: number
  /** Length of the records, without frames. */
  recordBytes: number
}

/** Encodes a segment header. */
export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.write(HEADER_MAGIC, 0, 'latin1')
  bytes.writeUInt16LE(header.takesMade ? MADE_VERSION : header.format === 'lines' ? 1 : FORMAT_VERSION, 8)
  bytes.writeUInt16LE(header.lane, 10)
  bytes.writeUInt8(COMPRESSIONS.indexOf(header.compression), 12)
  bytes.writeUInt8(FORMATS.indexOf(header.format), 13)
  bytes.writeBigUInt64LE(BigInt(header.number), 16)
  bytes.writeDoubleLE(header.createdAtMs, 24)
  bytes.write(header.tag, 32, 'latin1')
  bytes.writeUInt32LE(header.objectBytesMax, 40)
  bytes.write(header.node, 44, 'latin1')
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

/** What the first bytes of a file turned out to be. */
export type DecodedHeader =
  | { kind: 'header'; header: SegmentHeader }
  /** Written by a newer version of this program. */
  | { kind: 'newer'; version: number }
  /** Too short, or not a header whose CRC holds. */
  | { kind: 'broken' }

/** Decodes a segment header. */
export function decodeHeader(bytes: Uint8Array): DecodedHeader {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < HEADER_BYTES || view.toString('latin1', 0, 8) !== HEADER_MAGIC) return { kind: 'broken' }
  if (view.readUInt32LE(60) !== crc32(view.subarray(0, 60))) return { kind: 'broken' }
  const version = view.readUInt16LE(8)
  if (version > LAYOUT_VERSION) return { kind: 'newer', version }
  const compression = COMPRESSIONS[view.readUInt8(12)]
  // What stands there in a file of version 1 is zero, and nobody's business.
  const format = FORMATS[version < FORMAT_VERSION ? 0 : view.readUInt8(13)]
  if (compression === undefined || format === undefined) return { kind: 'broken' }
  const header: SegmentHeader = {
    node: view.toString('latin1', 44, 56).replace(/\0+$/, ''),
    lane: view.readUInt16LE(10),
    number: Number(view.readBigUInt64LE(16)),
    tag: view.toString('latin1', 32, 40),
    createdAtMs: view.readDoubleLE(24),
    format,
    compression,
    objectBytesMax: view.readUInt32LE(40),
  }
  return { kind: 'header', header: version < MADE_VERSION ? header : { ...header, takesMade: true } }
}

/** Fills in the first 32 bytes of `frame`, whose body already stands behind them. `frame` ends where its body ends. */
export function writeFrameHeader(frame: Buffer, header: FrameHeader): void {
  frame.writeUInt32LE(FRAME_MAGIC, 0)
  frame.writeUInt8(FRAME_VERSION, 8)
  frame.writeUInt8(header.kind === 'records' ? 1 : 2, 9)
  frame.writeUInt16LE(0, 10)
  frame.writeUInt32LE(header.bodyBytes, 12)
  frame.writeUInt32LE(header.records, 16)
  frame.writeUInt32LE(header.payloads, 20)
  frame.writeUInt32LE(header.firstRecord, 24)
  frame.writeUInt32LE(header.noted, 28)
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
}

/** Reads a frame header's fields; undefined when they can't be those of a frame. The CRC is `isWhole`'s business. */
export function readFrameHeader(bytes: Buffer): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_BYTES || bytes.readUInt32LE(0) !== FRAME_MAGIC) return undefined
  const kind = bytes.readUInt8(9)
  const bodyBytes = bytes.readUInt32LE(12)
  if ((kind !== 1 && kind !== 2) || bodyBytes > FRAME_BODY_BYTES_MAX) return undefined
  return {
    kind: kind === 1 ? 'records' : 'seal',
    bodyBytes,
    records: bytes.readUInt32LE(16),
    payloads: bytes.readUInt32LE(20),
    firstRecord: bytes.readUInt32LE(24),
    noted: bytes.readUInt32LE(28),
  }
}

/** Whether `frame`, header and body, is what was written. */
export function isWhole(frame: Buffer): boolean {
  return frame.readUInt32LE(4) === crc32(frame.subarray(8))
}

/** Encodes the seal. */
export function encodeSeal(totals: SealTotals): Uint8Array {
  const bytes = Buffer.alloc(SEAL_BYTES)
  bytes.writeBigUInt64LE(BigInt(totals.payloads), FRAME_HEADER_BYTES)
  bytes.writeBigUInt64LE(BigInt(totals.records), FRAME_HEADER_BYTES + 8)
  bytes.writeBigUInt64LE(BigInt(totals.frames), FRAME_HEADER_BYTES + 16)
  bytes.writeBigUInt64LE(BigInt(totals.recordBytes), FRAME_HEADER_BYTES + 24)
  writeFrameHeader(bytes, {
    kind: 'seal',
    bodyBytes: SEAL_BYTES - FRAME_HEADER_BYTES,
    records: 0,
    payloads: 0,
    firstRecord: totals.records,
    noted: 0,
  })
  return bytes
}

/** Decodes the last `SEAL_BYTES` of a file; undefined when they aren't a whole seal. */
export function decodeSeal(bytes: Uint8Array): SealTotals | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length !== SEAL_BYTES || readFrameHeader(view)?.kind !== 'seal' || !isWhole(view)) return undefined
  return {
    payloads: Number(view.readBigUInt64LE(FRAME_HEADER_BYTES)),
    records: Number(view.readBigUInt64LE(FRAME_HEADER_BYTES + 8)),
    frames: Number(view.readBigUInt64LE(FRAME_HEADER_BYTES + 16)),
    recordBytes: Number(view.readBigUInt64LE(FRAME_HEADER_BYTES + 24)),
  }
}
