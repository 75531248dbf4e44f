/** Looking at a segment while its server removes it: its name goes first, then its bytes, and neither is damage. */

import { expect, test } from 'bun:test'
import * as fs from 'node:fs'
import { lookAt } from '../../src/journal/look.ts'
import { type Files, systemFiles } from '../../src/platform/files.ts'
import { Scratch } from '../millrace.ts'
import { HEADER, segmentOf, valueRecord } from './segment-files.ts'

const NAME = '0000000000000001.sealed'
const FRAMES = Array.from({ length: 3 }, (_, n) => [valueRecord(`"${String(n).repeat(200_000)}"`)])
const { sealed, starts } = segmentOf(HEADER, FRAMES)

/** A disk on which the file is removed, and is `length` bytes long by then, as soon as it was read from so often. */
function removingAfter(reads: number, length: number): Files {
  return {
    ...systemFiles,
    async open(path, mode) {
      const file = await systemFiles.open(path, mode)
      const fd = fs.openSync(path, 'r+')
      let left = reads
      const read = file.read.bind(file)
      file.read = async (into, position) => {
        if (left-- === 0) {
          fs.unlinkSync(path)
          fs.ftruncateSync(fd, length)
          fs.closeSync(fd)
        }
        return await read(into, position)
      }
      return file
    },
  }
}

test.each([0, 30, starts[1] as number, (starts[2] as number) + 1000, sealed.length - 1])(
  'a segment that is removed meanwhile, and cut at %d bytes, is gone',
  async (length) => {
    for (const reads of [0, 1]) {
      using scratch = new Scratch()
      fs.writeFileSync(scratch.at(NAME), sealed)
      expect(await lookAt(removingAfter(reads, length), scratch.path, 1)).toEqual({ kind: 'gone' })
    }
  },
)

test('one that is cut, and has its name, is damaged', async () => {
  using scratch = new Scratch()
  fs.writeFileSync(scratch.at(NAME), sealed.subarray(0, starts[1]))
  expect(await lookAt(systemFiles, scratch.path, 1)).toMatchObject({ kind: 'segment', damage: [{ offset: starts[1] }] })
})
