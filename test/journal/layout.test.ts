/** The bytes of a segment file: what is written is read back, what is damaged is noticed, what is old stays readable. */

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import {
  decodeHeader,
  decodeSeal,
  encodeHeader,
  encodeSeal,
  FRAME_BODY_BYTES_MAX,
  FRAME_HEADER_BYTES,
  HEADER_BYTES,
  isWhole,
  LAYOUT_VERSION,
  readFrameHeader,
  SEAL_BYTES,
  type SegmentHeader,
} from '../../src/journal/layout.ts'
import { parseSegmentName, receiptPrefix, segmentPath } from '../../src/journal/name.ts'
import { MemoryFiles } from '../memory-files.ts'
import {
  GOLDEN_FRAMES,
  GOLDEN_FRAMES_3,
  GOLDEN_HEADER,
  GOLDEN_HEADER_2,
  GOLDEN_HEADER_3,
  GOLDEN_PATH,
  GOLDEN_PATH_2,
  GOLDEN_PATH_3,
} from './make-golden.ts'
import { frameOf, HEADER, recordsIn, segmentOf, valueRecord } from './segment-files.ts'

/** Every copy of `bytes` with one bit turned, with the bit's place. */
function* flipped(bytes: Uint8Array): Generator<[bit: number, copy: Buffer]> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = Buffer.from(bytes)
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
    yield [bit, copy]
  }
}

/** What a reader of a file sees of one frame: undefined when it doesn't take it for a whole one. */
function readFrame(bytes: Buffer) {
  const header = readFrameHeader(bytes)
  if (!header || FRAME_HEADER_BYTES + header.bodyBytes > bytes.length) return undefined
  const frame = bytes.subarray(0, FRAME_HEADER_BYTES + header.bodyBytes)
  return isWhole(frame) ? header : undefined
}

describe('the segment header', () => {
  const headers: SegmentHeader[] = [
    HEADER,
    GOLDEN_HEADER,
    { ...HEADER, node: 'a', lane: 65_535, number: Number.MAX_SAFE_INTEGER, objectBytesMax: 2 ** 32 - 1 },
    { ...HEADER, compression: 'gzip', createdAtMs: 1.5 },
    { ...HEADER, format: 'payload' },
  ]
  test.each(headers)('reads back as it was written: %o', (header) => {
    expect(decodeHeader(encodeHeader(header))).toEqual({ kind: 'header', header })
  })

  test('is 64 bytes', () => {
    expect(encodeHeader(HEADER)).toHaveLength(HEADER_BYTES)
  })

  test('is broken after any flipped bit, and never another header', () => {
    for (const [bit, copy] of flipped(encodeHeader(HEADER)))
      expect([bit, decodeHeader(copy).kind]).toEqual([bit, 'broken'])
  })

  test('is broken when it is cut at any length', () => {
    const bytes = encodeHeader(HEADER)
    for (let length = 0; length < HEADER_BYTES; length++) {
      expect(decodeHeader(bytes.subarray(0, length)).kind).toBe('broken')
    }
  })

  test('of a newer version is told from a broken one', () => {
    const bytes = Buffer.from(encodeHeader(HEADER))
    bytes.writeUInt16LE(LAYOUT_VERSION + 1, 8)
    bytes.writeUInt32LE(Bun.hash.crc32(bytes.subarray(0, 60)), 60)
    expect(decodeHeader(bytes)).toEqual({ kind: 'newer', version: LAYOUT_VERSION + 1 })
  })
})

describe('a frame', () => {
  const records = [valueRecord('{"a":1}'), valueRecord('[true]', { source: 'émile' })]

  test('says how many records and payloads it holds, and the place of the first', () => {
    const frame = frameOf([valueRecord('[1,2,3]', { kind: 'array', payloads: 3 }), valueRecord('4')], 71)
    const bodyBytes = frame.length - FRAME_HEADER_BYTES
    expect(readFrame(frame)).toEqual({ kind: 'records', bodyBytes, records: 2, payloads: 4, firstRecord: 71, noted: 0 })
  })

  test('is not whole after any flipped bit', () => {
    for (const [bit, copy] of flipped(frameOf(records))) expect([bit, readFrame(copy)]).toEqual([bit, undefined])
  })

  test('is not whole after any flipped bit when other bytes follow it', () => {
    const behind = Buffer.concat([frameOf(records, 2), Buffer.alloc(64, 0xff)])
    for (const [bit, copy] of flipped(frameOf(records))) {
      expect([bit, readFrame(Buffer.concat([copy, behind]))]).toEqual([bit, undefined])
    }
  })

  test('is not whole when it is cut at any length', () => {
    const frame = frameOf(records)
    for (let length = 0; length < frame.length; length++) expect(readFrame(frame.subarray(0, length))).toBeUndefined()
  })

  test('whose length nobody could have written is damage, however long the file', () => {
    const frame = frameOf(records)
    frame.writeUInt32LE(FRAME_BODY_BYTES_MAX + 1, 12)
    expect(readFrameHeader(frame)).toBeUndefined()
  })
})

describe('the seal', () => {
  const totals = { records: 7, payloads: 2 ** 40 + 1, frames: 12, recordBytes: 2 ** 33 + 5 }

  test('reads back as it was written, numbers beyond 32 bits too', () => {
    expect(decodeSeal(encodeSeal(totals))).toEqual(totals)
  })

  test('is not a seal after any flipped bit', () => {
    for (const [bit, copy] of flipped(encodeSeal(totals))) {
      expect([bit, decodeSeal(copy)]).toEqual([bit, undefined])
    }
  })

  test('is not mistaken for records, nor records of the same length for a seal', () => {
    const seal = encodeSeal({ records: 1, payloads: 1, frames: 1, recordBytes: 32 })
    expect(readFrameHeader(Buffer.from(seal))?.kind).toBe('seal')
    const frame = frameOf([valueRecord('1', { source: 'default' })])
    expect(frame).toHaveLength(SEAL_BYTES)
    expect(decodeSeal(frame)).toBeUndefined()
  })
})

describe.each([
  [1, GOLDEN_PATH, GOLDEN_HEADER, GOLDEN_FRAMES, { records: 5, payloads: 11, frames: 3, recordBytes: 0 }],
  [2, GOLDEN_PATH_2, GOLDEN_HEADER_2, GOLDEN_FRAMES, { records: 5, payloads: 11, frames: 3, recordBytes: 542 }],
  [3, GOLDEN_PATH_3, GOLDEN_HEADER_3, GOLDEN_FRAMES_3, { records: 6, payloads: 12, frames: 4, recordBytes: 710 }],
] as const)('the file that version %d wrote', (version, path, header, frames, totals) => {
  const golden = readFileSync(path)

  test('is read with every record, receipt and byte it was given', async () => {
    const files = new MemoryFiles()
    files.put('golden', golden)
    const expected = frames.flat().map(({ body, ...rest }, place) => ({
      ...rest,
      text: Buffer.from(body).toString(),
      receipt: `millrace2026-513-4503599627370495-1f2e3d4c-${place}`,
    }))
    expect(await recordsIn(files, 'golden')).toEqual(expected)
    expect(golden.readUInt16LE(8)).toBe(version)
    expect(decodeHeader(golden.subarray(0, HEADER_BYTES))).toEqual({ kind: 'header', header })
    expect(decodeSeal(golden.subarray(-SEAL_BYTES))).toEqual(totals)
  })

  test('is what this version writes for the same records; but version 1 did not tell their length in the seal', () => {
    const { bytes, sealed } = segmentOf(header, frames)
    expect(sealed.length).toBe(golden.length)
    expect(bytes.equals(golden.subarray(0, -SEAL_BYTES))).toBe(true)
  })
})

test('what lines need is written in version 1, so that an older program reads it; what it would misread, in a later one', () => {
  const versionOf = (header: SegmentHeader) => Buffer.from(encodeHeader(header)).readUInt16LE(8)
  const headers: SegmentHeader[] = [HEADER, { ...HEADER, format: 'payload' }, { ...HEADER, takesMade: true }]
  expect(headers.map(versionOf)).toEqual([1, 2, 3])
})

describe('names', () => {
  test('of segment files sort as their numbers do and read back', () => {
    const paths = [1, 9, 10, 123_456, Number.MAX_SAFE_INTEGER].map((number) => segmentPath('lane-0', number, 'open'))
    expect([...paths].sort()).toEqual(paths)
    expect(paths[0]).toBe('lane-0/0000000000000001.open')
    expect(parseSegmentName('9007199254740991.sealed')).toEqual({ number: Number.MAX_SAFE_INTEGER, state: 'sealed' })
  })

  test.each([
    '1.open',
    '0000000000000001.opened',
    'x0000000000000001.open',
    '0000000000000001',
    '000000000000000a.open',
  ])('of other files are not taken for segments: %s', (name) => expect(parseSegmentName(name)).toBeUndefined())

  test('of receipts hold node, lane, segment and tag', () => {
    expect(receiptPrefix({ ...HEADER, lane: 3, number: 42 })).toBe('k3v9x2ab-3-42-0badcafe-')
  })
})
