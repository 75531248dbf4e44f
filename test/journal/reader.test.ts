/** Reading a segment file that is not what its length said. */

import { expect, test } from 'bun:test'
import { readPieces } from '../../src/journal/reader.ts'
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
