/** The directory destination: what has its final name is whole and durable, and no fault of the disk is an exception. */

import { describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Body } from '../../src/destination/body.ts'
import type { OutgoingObject, PutOutcome } from '../../src/destination/destination.ts'
import { directoryDestination } from '../../src/destination/directory.ts'
import { systemFiles } from '../../src/platform/files.ts'
import { PARTIAL_ENDING } from '../../src/platform/whole-file.ts'
import { MemoryFiles } from '../memory-files.ts'
import { quiet, SeededRandom } from '../memory-platform.ts'

const ROOT = 'data/objects'
const HOUR = `${ROOT}/default/date=2026-11-21/hour=01`
const PATH = `${HOUR}/k3v9x2ab-0-0000000000000001-0badcafe-0.ndjson.zst`
const NEVER = new AbortController().signal

function objectOf(text: string, path = PATH): OutgoingObject {
  const bytes = new Uint8Array(Buffer.from(text))
  const body = new Body([bytes.subarray(0, 3), bytes.subarray(3)])
  const sha256 = new Uint8Array(32)
  const name = path.slice(ROOT.length + 1)
  return { name, body, sha256, contentType: 'application/x-ndjson', contentEncoding: 'zstd' }
}

const put = (files: MemoryFiles, text: string, path = PATH) =>
  directoryDestination(ROOT, files).put(objectOf(text, path), NEVER)

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()

const STORED: PutOutcome = { kind: 'stored', already: false }
const ALREADY: PutOutcome = { kind: 'stored', already: true }

describe('a put', () => {
  test('writes aside, syncs, renames and syncs the directory, in this order, before it says stored', async () => {
    const files = new MemoryFiles()
    await put(files, 'first', `${HOUR}/other`)
    expect(await put(files, 'lines')).toEqual(STORED)
    expect(files.log.slice(files.log.indexOf(`open ${PATH}.partial`))).toEqual([
      `open ${PATH}.partial`,
      `write ${PATH}.partial 0+3`,
      `write ${PATH}.partial 3+2`,
      `datasync ${PATH}.partial`,
      `rename ${PATH}.partial ${PATH}`,
      `sync-directory ${HOUR}`,
    ])
    expect(files.breaches).toEqual([])
  })

  test('is durable when it says stored, its directories too', async () => {
    const files = new MemoryFiles()
    await put(files, 'lines')
    for (let seed = 0; seed < 50; seed++) {
      expect(files.crash(new SeededRandom(seed)).all()).toEqual(new Map([[PATH, new Uint8Array(Buffer.from('lines'))]]))
    }
  })

  test('of a name that is taken is stored already, and touches nothing but the sync of the directory', async () => {
    const files = new MemoryFiles()
    files.put(PATH, Buffer.from('the first'))
    expect(await put(files, 'the second')).toEqual(ALREADY)
    expect(text(files.get(PATH))).toBe('the first')
    expect(files.log).toEqual([`sync-directory ${HOUR}`])
  })

  test('writes a left-over partial file anew, also when it is longer', async () => {
    const files = new MemoryFiles()
    files.put(`${PATH}.partial`, Buffer.alloc(5000, 'x'))
    expect(await put(files, 'lines')).toEqual(STORED)
    expect([...files.all().keys()]).toEqual([PATH])
    expect(text(files.get(PATH))).toBe('lines')
  })
})

describe('a fault of the disk', () => {
  const OPERATIONS = ['mkdir', 'open', 'write', 'datasync', 'rename', 'sync-directory'] as const
  const park = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'EISDIR', 'ELOOP']
  const retry = ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'EBUSY']
  const cases = OPERATIONS.flatMap((operation) => [
    ...park.map((code) => [operation, code, 'park'] as const),
    ...retry.map((code) => [operation, code, 'retry'] as const),
  ])

  test.each(cases)('at %s, %s, is to %s; once mended, the object is stored whole', async (operation, code, kind) => {
    const files = new MemoryFiles()
    files.fail(operation, /./, code, 2)
    const outcome = await put(files, 'lines')
    expect(outcome).toMatchObject({ kind, reason: expect.stringContaining(code) })
    if (operation !== 'sync-directory') expect(files.get(PATH)).toBeUndefined()
    expect(await put(files, 'lines')).toMatchObject({ kind: 'stored' })
    expect([...files.all().keys()]).toEqual([PATH])
    expect(text(files.get(PATH))).toBe('lines')
    expect(files.breaches).toEqual([])
    for (let seed = 0; seed < 5; seed++) {
      expect(text(files.crash(new SeededRandom(seed)).get(PATH))).toBe('lines')
    }
  })

  test('of a sync, and of the removal after it: that file is not synced again, there is a new one', async () => {
    const files = new MemoryFiles()
    const free = files.hold('datasync', /partial$/)
    const first = put(files, 'lines')
    await quiet()
    files.fail('datasync', /partial$/, 'EIO')
    files.fail('remove', /partial$/, 'EIO')
    free()
    expect(await first).toMatchObject({ kind: 'retry' })
    expect(await put(files, 'lines')).toEqual(STORED)
    expect(files.breaches).toEqual([])
  })

  test.each(['write', 'datasync', 'rename'] as const)(
    'at %s leaves nothing behind that takes room',
    async (operation) => {
      const files = new MemoryFiles()
      files.fail(operation, /partial$/, 'ENOSPC', 3)
      expect(await put(files, 'lines')).toMatchObject({ kind: 'retry' })
      expect(files.all()).toEqual(new Map())
      files.fail(operation, /partial$/, 'EIO', 3)
      files.fail('remove', /partial$/, 'EIO')
      expect(await put(files, 'lines')).toMatchObject({ kind: 'retry', reason: expect.stringContaining('EIO') })
      expect(files.get(PATH)).toBeUndefined()
    },
  )
})

describe('a crash', () => {
  test('at any operation leaves a whole object or none, and a repeat exactly one', async () => {
    for (let operations = 0; operations < 20; operations++) {
      const files = new MemoryFiles()
      files.operationsLeft = operations
      let outcome: PutOutcome | undefined
      void put(files, 'lines').then((stored) => {
        outcome = stored
      })
      await quiet()
      for (let seed = 0; seed < 20; seed++) {
        const after = files.crash(new SeededRandom(seed))
        const found = text(after.get(PATH))
        expect([operations, found ?? 'lines']).toEqual([operations, 'lines'])
        if (outcome) expect([operations, found]).toEqual([operations, 'lines'])
        expect(await put(after, 'lines')).toMatchObject({ kind: 'stored' })
        expect([operations, [...after.all().keys()]]).toEqual([operations, [PATH]])
        expect(text(after.crash(new SeededRandom(seed)).get(PATH))).toBe('lines')
      }
    }
  })

  test('of the program at any operation, and a repeat, is whole when the power fails after that', async () => {
    for (let operations = 0; operations < 20; operations++) {
      const files = new MemoryFiles()
      files.operationsLeft = operations
      void put(files, 'lines')
      await quiet()
      const after = files.killed()
      expect(await put(after, 'lines')).toMatchObject({ kind: 'stored' })
      for (let seed = 0; seed < 20; seed++) {
        expect([operations, text(after.crash(new SeededRandom(seed)).get(PATH))]).toEqual([operations, 'lines'])
      }
    }
  })
})

describe('a look', () => {
  const destinationOf = (files: MemoryFiles) => directoryDestination(ROOT, files)
  const name = PATH.slice(ROOT.length + 1)

  async function readWhole(files: MemoryFiles, signal = NEVER) {
    const pieces: Uint8Array[] = []
    const found = await destinationOf(files).read(name, (piece) => void pieces.push(piece), signal)
    return { found, bytes: Buffer.concat(pieces) }
  }

  test('finds what was put, its length and its bytes, and changes nothing', async () => {
    const files = new MemoryFiles()
    const long = 'x'.repeat(300_000)
    await put(files, long)
    files.log.length = 0
    expect(await destinationOf(files).sizeOf(name, NEVER)).toEqual({ kind: 'found', bytes: long.length })
    const { found, bytes } = await readWhole(files)
    expect([found, bytes.toString()]).toEqual([{ kind: 'found', bytes: long.length }, long])
    expect(files.log.filter((line) => !/^(open|read|size)/.test(line))).toEqual([])
  })

  test('says that there is nothing, also under names that lead elsewhere', async () => {
    const files = new MemoryFiles()
    files.put('data/node', Buffer.from('secret'))
    expect((await readWhole(files)).found).toEqual({ kind: 'missing' })
    for (const odd of [name, '../node', 'a/../../node', '']) {
      expect(await destinationOf(files).sizeOf(odd, NEVER)).toEqual({ kind: 'missing' })
      expect(await destinationOf(files).read(odd, () => {}, NEVER)).toEqual({ kind: 'missing' })
    }
  })

  test.each([
    ['EACCES', false],
    ['EIO', true],
  ])('that fails with %s is no answer, passing: %p', async (code, passing) => {
    const files = new MemoryFiles()
    await put(files, 'lines')
    const { open } = files
    files.open = () => Promise.reject(Object.assign(new Error(`${code}: no`), { code }))
    expect((await readWhole(files)).found).toEqual({ kind: 'failed', passing, reason: expect.stringContaining(code) })
    files.open = open
    expect((await readWhole(files, AbortSignal.abort())).found).toMatchObject({ kind: 'failed', passing: true })
  })
})

describe('a list', () => {
  const list = (files: MemoryFiles, prefix: string) => directoryDestination(ROOT, files).list(prefix, undefined, NEVER)

  test('has the objects whose names begin so, with their lengths, and nothing half-written', async () => {
    const files = new MemoryFiles()
    for (const name of ['n-1-0', 'n-1-1', 'n-12-0', 'm-1-0', `n-1-2${PARTIAL_ENDING}`]) {
      files.put(`${HOUR}/${name}`, Buffer.from(name))
    }
    const directory = HOUR.slice(ROOT.length + 1)
    expect(await list(files, `${directory}/n-1-`)).toEqual({
      kind: 'page',
      objects: ['n-1-0', 'n-1-1'].map((name) => ({ name: `${directory}/${name}`, bytes: name.length })),
      next: undefined,
    })
  })

  test('is empty where there is nothing, also under names that lead elsewhere', async () => {
    const files = new MemoryFiles()
    files.put('data/node', Buffer.from('secret'))
    const nothing = { kind: 'page', objects: [], next: undefined }
    for (const odd of ['a/b', '../n', 'a/../../n', '']) expect(await list(files, odd)).toEqual(nothing as never)
  })

  test('that fails is no answer', async () => {
    const files = new MemoryFiles()
    files.list = () => Promise.reject(Object.assign(new Error('EIO: no'), { code: 'EIO' }))
    expect(await list(files, 'a/b')).toMatchObject({ kind: 'failed', passing: true })
  })
})

test('on the real disk an object is a file of its name and bytes, for its owner only, and stays the first', async () => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-objects-'))
  try {
    const destination = directoryDestination(join(root, 'objects'), systemFiles)
    expect(destination.url).toBe(join(root, 'objects'))
    expect(await destination.put(objectOf('lines'), NEVER)).toEqual(STORED)
    expect(await destination.put(objectOf('other'), NEVER)).toEqual(ALREADY)
    const path = join(root, 'objects', objectOf('').name)
    expect(readFileSync(path, 'utf8')).toBe('lines')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(path, '..'))).toHaveLength(1)
    const inTheWay = directoryDestination(path, systemFiles)
    expect(await inTheWay.put(objectOf('lines'), NEVER)).toMatchObject({ kind: 'park' })
  } finally {
    rmSync(root, { recursive: true })
  }
})
