/** Reading a segment file that is not what its length said. */

import { expect, test } from 'bun:test'
import { HEADER_BYTES } from '../../src/journal/layout.ts'
import { readPieces } from '../../src/journal/reader.ts'
import { recordBytes } from '../../src/journal/record.ts'
import type { OpenFile } from '../../src/platform/files.ts'
import { MemoryFiles } from '../memory-files.ts'
import { HEADER, segmentOf, valueRecord } from './segment-files.ts'

test.each(['open', 'sealed'] as const)('one that was cut meanwhile ends where it ends now: %s', async (state) => {
  const files = new MemoryFiles()
  const { sealed } = segmentOf(HEADER, [[valueRecord('1')], [valueRecord('2')]])
  files.put('segment', sealed)
  const file = await files.open('segment', 'read')
  let reads = 0
  const cut: OpenFile = {
    ...file,
    size: async () => sealed.length + (16 << 20),
    read: (into, position) => {
      reads += 1
      return file.read(into, position)
    },
  }
  const kinds = []
  for await (const { kind } of readPieces(cut, state)) kinds.push(kind)
  expect(kinds.slice(0, 2)).toEqual(['frame', 'frame'])
  expect(reads).toBeLessThan(20)
  await file.close()
})

test('each byte is read once, whatever the lengths of its frames', async () => {
  const files = new MemoryFiles()
  const long = (bytes: number) => [valueRecord(`"${'x'.repeat(bytes)}"`)]
  const lengths = [300_000, 10, 700_000, 200_000, 900_000, 100, 1_000_000, 400_000, 650_000]
  const { sealed } = segmentOf(HEADER, lengths.map(long))
  files.put('segment', sealed)
  const file = await files.open('segment', 'read')
  let bytes = 0
  const counted: OpenFile = {
    ...file,
    size: () => file.size(),
    read: async (into, position) => {
      const count = await file.read(into, position)
      bytes += count
      return count
    },
  }
  const bodies: number[] = []
  for await (const piece of readPieces(counted, 'sealed')) if (piece.kind === 'frame') bodies.push(piece.body.length)
  // The header is somebody else's to read; the last frame is the seal.
  expect(bodies.slice(0, -1)).toEqual(lengths.map((length) => recordBytes(valueRecord(`"${'x'.repeat(length)}"`))))
  expect(bytes).toBe(sealed.length - HEADER_BYTES)
  await file.close()
})
