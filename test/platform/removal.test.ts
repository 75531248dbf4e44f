/** Removing files: the name goes, the room is free, and what still has another name keeps its content. */

import { expect, test } from 'bun:test'
import * as fs from 'node:fs'
import { systemFiles } from '../../src/platform/files.ts'
import { Scratch } from '../millrace.ts'

const MIB = 1 << 20

/** A file of so many bytes, and a reader that has it open. */
function fileOf(scratch: Scratch, bytes: number) {
  const path = scratch.at('file')
  fs.writeFileSync(path, Buffer.alloc(bytes, 7))
  return { path, reader: fs.openSync(path, 'r') }
}

test.each([0, 1, MIB, MIB + 1, 5 * MIB, 5 * MIB + 3])(
  'a file of %i bytes is gone, and none is kept open',
  async (bytes) => {
    using scratch = new Scratch()
    const { path, reader } = fileOf(scratch, bytes)
    fs.closeSync(reader)
    await systemFiles.remove(path)
    expect(fs.existsSync(path)).toBe(false)
    const open = fs.readdirSync('/proc/self/fd').flatMap((fd) => {
      // The one that lists them is gone.
      if (!fs.existsSync(`/proc/self/fd/${fd}`)) return []
      return fs.readlinkSync(`/proc/self/fd/${fd}`, 'utf8')
    })
    expect(open.filter((target) => target.startsWith(path))).toEqual([])
  },
)

test('a long one is freed in steps: up to the last before it is closed', async () => {
  using scratch = new Scratch()
  const { path, reader } = fileOf(scratch, 5 * MIB + 3)
  await systemFiles.remove(path)
  const { size, nlink } = fs.fstatSync(reader)
  fs.closeSync(reader)
  expect([size, nlink]).toEqual([3, 0])
})

test('one that has another name, as in a backup of hard links, keeps its content there', async () => {
  using scratch = new Scratch()
  const { path, reader } = fileOf(scratch, 3 * MIB)
  fs.closeSync(reader)
  fs.linkSync(path, scratch.at('backup'))
  await systemFiles.remove(path)
  expect(fs.existsSync(path)).toBe(false)
  expect(fs.readFileSync(scratch.at('backup')).equals(Buffer.alloc(3 * MIB, 7))).toBe(true)
})

test('one that is not there is no error, a directory is one', async () => {
  using scratch = new Scratch()
  await systemFiles.remove(scratch.at('none'))
  expect(systemFiles.remove(scratch.at('.'))).rejects.toThrow()
})
