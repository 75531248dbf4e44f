/** The machine's own files really sync: what the system is asked for, since no test here can take its power away. */

import { afterEach, expect, spyOn, test } from 'bun:test'
import * as fs from 'node:fs'
import { systemFiles } from '../../src/platform/files.ts'
import { writeWhole } from '../../src/platform/whole-file.ts'
import { Scratch } from '../millrace.ts'

const spies: { mockRestore(): void }[] = []
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore()
})

test('datasync is fdatasync of that file, and waits for it', async () => {
  using scratch = new Scratch()
  const file = await systemFiles.open(scratch.at('file'), 'create')
  const fds: number[] = []
  let done: (() => void) | undefined
  const spy = spyOn(fs, 'fdatasync').mockImplementation(((fd: number, callback: (error: null) => void) => {
    fds.push(fd)
    done = () => callback(null)
  }) as typeof fs.fdatasync)
  spies.push(spy)
  let isOver = false
  const synced = file.datasync().then(() => {
    isOver = true
  })
  await Promise.resolve()
  expect(fds).toHaveLength(1)
  expect(fs.fstatSync(fds[0] as number).ino).toBe(fs.statSync(scratch.at('file')).ino)
  expect(isOver).toBe(false)
  done?.()
  await synced
  spy.mockRestore()
  await file.close()
})

test('a datasync that fails rejects', async () => {
  using scratch = new Scratch()
  const file = await systemFiles.open(scratch.at('file'), 'create')
  const spy = spyOn(fs, 'fdatasync').mockImplementation(((_: number, callback: (error: Error) => void) => {
    callback(new Error('EIO'))
  }) as typeof fs.fdatasync)
  spies.push(spy)
  await expect(file.datasync()).rejects.toThrow('EIO')
  spy.mockRestore()
  await file.close()
})

test('syncDirectory is fsync of that directory; a new directory is synced into each of its parents', async () => {
  using scratch = new Scratch()
  const synced: string[] = []
  const open = fs.promises.open
  const spy = spyOn(fs.promises, 'open').mockImplementation((async (path: string, flags: string) => {
    const handle = await open(path, flags)
    const sync = handle.sync.bind(handle)
    handle.sync = async () => {
      await sync()
      synced.push(path)
    }
    return handle
  }) as typeof fs.promises.open)
  spies.push(spy)
  await systemFiles.syncDirectory(scratch.path)
  expect(synced).toEqual([scratch.path])
  await systemFiles.makeDirectory(scratch.at('a/b/c'))
  for (const parent of ['a/b', 'a', '.']) expect(synced).toContain(scratch.at(parent))
})

test('a directory where a file should be is named', async () => {
  using scratch = new Scratch()
  const file = await systemFiles.open(scratch.path, 'read')
  const { code, path, message } = await file.read(new Uint8Array(1), 0).then(
    () => ({}) as never,
    (error) => error,
  )
  expect([code, path, message]).toEqual(['EISDIR', scratch.path, expect.stringContaining(scratch.path)])
  await file.close()
})

test('what is long as a whole is written by another thread, piece by piece, and what is short by this one', async () => {
  using scratch = new Scratch()
  const inline = spyOn(fs, 'writeSync')
  spies.push(inline)
  const pieces = Array.from({ length: 5 }, (_, nth) => new Uint8Array(400_000).fill(nth + 1))
  await writeWhole(systemFiles, scratch.at('long'), pieces)
  expect(inline).toHaveBeenCalledTimes(0)
  expect(fs.readFileSync(scratch.at('long')).equals(Buffer.concat(pieces))).toBe(true)
  await writeWhole(systemFiles, scratch.at('short'), pieces.slice(0, 2))
  expect(inline).toHaveBeenCalledTimes(2)
  expect(fs.readFileSync(scratch.at('short')).equals(Buffer.concat(pieces.slice(0, 2)))).toBe(true)
})
