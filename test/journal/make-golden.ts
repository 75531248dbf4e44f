/** The segment files that every later version must read, and the program that wrote them: run this file to write the newest again. */

import type { NewRecord } from '../../src/journal/journal.ts'
import type { SegmentHeader } from '../../src/journal/layout.ts'
import { segmentOf } from './segment-files.ts'

export const GOLDEN_HEADER: SegmentHeader = {
  node: 'millrace2026',
  lane: 513,
  number: 4_503_599_627_370_495,
  tag: '1f2e3d4c',
  createdAtMs: 1_795_224_600_123,
  format: 'lines',
  compression: 'zstd',
  objectBytesMax: 67_108_864,
}

const COLLECTION = '{"version":"1.4\\u00e9", "token":"t-1",\n "data":[{"id":12345678901234567890},-0.0,"ü\\n",[],null]}'

export const GOLDEN_FRAMES: readonly (readonly NewRecord[])[] = [
  [
    {
      kind: 'collection',
      body: Buffer.from(COLLECTION),
      payloads: 5,
      receivedAtMs: 1_795_224_600_124,
      source: 'default',
    },
    { kind: 'value', body: Buffer.from(' 1e400 '), payloads: 1, receivedAtMs: 1_795_224_600_125, source: '' },
  ],
  [
    {
      kind: 'array',
      body: Buffer.from('[1, "zwei", {"3":3}]'),
      payloads: 3,
      receivedAtMs: 1_795_224_600_126.5,
      source: 'ünïcode',
    },
  ],
  [
    {
      kind: 'lines',
      body: Buffer.from('{"a":1}\r\n\n {"b":2}'),
      payloads: 2,
      receivedAtMs: 0,
      source: 'x'.repeat(255),
    },
    { kind: 'array', body: Buffer.from('[]'), payloads: 0, receivedAtMs: 1_795_228_199_999, source: 'default' },
  ],
]

export const GOLDEN_PATH = new URL('./layout-1.segment', import.meta.url).pathname

/** What version 2 has come to say. */
export const GOLDEN_HEADER_2: SegmentHeader = { ...GOLDEN_HEADER, format: 'payload', compression: 'gzip' }
export const GOLDEN_PATH_2 = new URL('./layout-2.segment', import.meta.url).pathname

/** What version 3 has come to say, and hold. */
export const GOLDEN_HEADER_3: SegmentHeader = { ...GOLDEN_HEADER, takesMade: true }
export const GOLDEN_PATH_3 = new URL('./layout-3.segment', import.meta.url).pathname
const MADE =
  '{"receipt":"edge-0-1-0badcafe-0","index":0,"received_at":"2026-11-21T01:30:00.000Z","version":null,"source":"default","payload":{"a":1}}\n'
export const GOLDEN_FRAMES_3: readonly (readonly NewRecord[])[] = [
  ...GOLDEN_FRAMES,
  [{ kind: 'made', body: Buffer.from(MADE), payloads: 1, receivedAtMs: 1_795_224_600_127, source: 'default' }],
]

// Only ever written by hand, for a new layout version; the file of an old version never changes.
if (import.meta.main) await Bun.write(GOLDEN_PATH_3, segmentOf(GOLDEN_HEADER_3, GOLDEN_FRAMES_3).sealed)
