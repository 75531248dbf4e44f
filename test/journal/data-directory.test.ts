/** The data directory: one process at a time, and a node's id that is made once and never changes by itself. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDataDirectory, type TakeLock } from '../../src/journal/data-directory.ts'
import { Fault, type FaultCode } from '../../src/observe/errors.ts'
import { systemFiles } from '../../src/platform/files.ts'
import { lockFile } from '../../src/platform/lock.ts'
import { MemoryFiles } from '../memory-files.ts'
import { memoryPlatform, quiet, SeededRandom } from '../memory-platform.ts'
import { HEADER, segmentOf } from './segment-files.ts'

/** Locks as one machine's processes would see them. */
function locks() {
  const held = new Set<string>()
  const take: TakeLock = (path) => {
    if (held.has(path)) return { heldBy: '4711' }
    held.add(path)
    return { release: () => held.delete(path) }
  }
  return { held, take }
}

async function faultOf(opening: Promise<unknown>): Promise<{ code: FaultCode; message: string }> {
  const error = await opening.then(
    () => new Error('it opened'),
    (error: unknown) => error,
  )
  if (!(error instanceof Fault)) throw error
  return error
}

describe("the node's id", () => {
  test('is made once, of characters nobody mistakes, and kept', async () => {
    const first = memoryPlatform(1)
    const { node } = await openDataDirectory(first, locks().take, 'data')
    expect(node).toMatch(/^[abcdefghijkmnpqrstuvwxyz23456789]{8}$/)
    const second = memoryPlatform(2, first.files.killed())
    expect((await openDataDirectory(second, locks().take, 'data')).node).toBe(node)
    const elsewhere = await openDataDirectory(memoryPlatform(2), locks().take, 'data')
    expect(elsewhere.node).not.toBe(node)
  })

  test('is not made anew where segments have another: the message says which', async () => {
    const platform = memoryPlatform()
    platform.files.put('data/lane-0/0000000000000001.sealed', segmentOf(HEADER, []).bytes)
    const { code, message } = await faultOf(openDataDirectory(platform, locks().take, 'data'))
    expect(code).toBe('data_unusable')
    expect(message).toContain(
      `data/node is gone, and lane-0 holds segments: make it again, with '${HEADER.node}' in it`,
    )
    expect(platform.files.get('data/node')).toBeUndefined()
  })

  test('that is another than that of a segment is refused, wherever that is among the segments', async () => {
    const platform = memoryPlatform()
    platform.files.put('data/node', Buffer.from('k3v9x2ac\n'))
    const own = { ...HEADER, node: 'k3v9x2ac' }
    platform.files.put('data/lane-0/0000000000000001.sealed', segmentOf(own, []).bytes)
    platform.files.put('data/lane-0/0000000000000002.open', Buffer.from('broken'))
    const { held, take } = locks()
    expect((await openDataDirectory(platform, take, 'data')).node).toBe('k3v9x2ac')
    held.clear()
    platform.files.put('data/lane-1/0000000000000003.open', segmentOf({ ...HEADER, number: 3, lane: 1 }, []).bytes)
    const { code, message } = await faultOf(openDataDirectory(platform, take, 'data'))
    expect(code).toBe('data_unusable')
    expect(message).toContain(
      `data/node says 'k3v9x2ac', and data/lane-1/0000000000000003.open is of node '${HEADER.node}': put that id back`,
    )
    expect(held).toEqual(new Set())
  })

  test('is durable before anything is named after it', async () => {
    const platform = memoryPlatform()
    const { node } = await openDataDirectory(platform, locks().take, 'data')
    for (let seed = 0; seed < 20; seed++) {
      const after = memoryPlatform(seed, platform.files.crash(new SeededRandom(seed)))
      expect((await openDataDirectory(after, locks().take, 'data')).node).toBe(node)
    }
  })

  test('is whole or absent after a crash at any operation, never half', async () => {
    for (let operations = 0; operations < 12; operations++) {
      const platform = memoryPlatform()
      platform.files.operationsLeft = operations
      void openDataDirectory(platform, locks().take, 'data')
      await platform.clock.advance(1)
      for (let seed = 0; seed < 20; seed++) {
        const after = memoryPlatform(seed, platform.files.crash(new SeededRandom(seed)))
        expect((await openDataDirectory(after, locks().take, 'data')).node).toMatch(/^[a-z2-9]{8}$/)
      }
    }
  })

  test('may be set by hand, with or without a line break', async () => {
    for (const text of ['rack7', 'rack7\n', '  rack7 \r\n', 'abcdefghijk9']) {
      const files = new MemoryFiles()
      files.put('data/node', Buffer.from(text))
      const { node } = await openDataDirectory(memoryPlatform(1, files), locks().take, 'data')
      expect(node).toBe(text.trim())
    }
  })

  test.each(['', '\n', 'Rack', 'a b', 'abcdefghijklm', 'rack/../7', 'ü', `rack${' '.repeat(80)}x`])(
    'that nobody could have made is refused, the file left alone, the lock given up: %j',
    async (text) => {
      const files = new MemoryFiles()
      files.put('data/node', Buffer.from(text))
      const { held, take } = locks()
      const { code, message } = await faultOf(openDataDirectory(memoryPlatform(1, files), take, 'data'))
      expect(code).toBe('data_unusable')
      expect(message).toContain('data/node does not hold a node id (1 to 12 of a-z and 0-9)')
      expect(message).toContain('restore it, or remove it to get a new one')
      expect(Buffer.from(files.get('data/node') ?? []).toString()).toBe(text)
      expect(held).toEqual(new Set())
    },
  )
})

describe('a directory', () => {
  test('that another process has is refused, with that process named, and nothing is changed', async () => {
    const platform = memoryPlatform()
    const { take } = locks()
    await openDataDirectory(platform, take, 'data')
    const before = platform.files.all()
    const { code, message } = await faultOf(openDataDirectory(platform, take, 'data'))
    expect(code).toBe('data_locked')
    expect(message).toContain('data is in use by process 4711')
    expect(message).toContain('--data')
    expect(platform.files.all()).toEqual(before)
  })

  test('whose holder is not known is refused without a number that nobody has', async () => {
    const { message } = await faultOf(openDataDirectory(memoryPlatform(), () => ({ heldBy: '' }), 'data'))
    expect(message).toContain('in use by another process.')
  })

  test('that lanes still use whose supervisor is gone is opened when they have ended', async () => {
    const platform = memoryPlatform()
    const { take, held } = locks()
    held.add('data/lanes.lock')
    let waits = 0
    const opening = openDataDirectory(platform, take, 'data', () => {
      waits += 1
    })
    await quiet()
    await platform.clock.advance(5000)
    // Whoever comes second is refused meanwhile.
    expect((await faultOf(openDataDirectory(platform, take, 'data'))).message).toContain('in use by process')
    held.delete('data/lanes.lock')
    await platform.clock.advance(100)
    const { release } = await opening
    expect(waits).toBe(1)
    expect([...held].sort()).toEqual(['data/lanes.lock', 'data/lock'])
    release()
    expect(held.size).toBe(0)
  })

  test('that they never leave is refused in the end, and given up', async () => {
    const platform = memoryPlatform()
    const { take, held } = locks()
    held.add('data/lanes.lock')
    const refused = faultOf(openDataDirectory(platform, take, 'data'))
    await quiet()
    await platform.clock.advance(30_000)
    expect(await refused).toMatchObject({ code: 'data_locked' })
    expect((await refused).message).toContain('lanes of an earlier run still use data, 30 s after')
    expect([...held]).toEqual(['data/lanes.lock'])
  })

  test('can be opened again after it was released', async () => {
    const platform = memoryPlatform()
    const { take } = locks()
    const { node, release } = await openDataDirectory(platform, take, 'data')
    release()
    expect((await openDataDirectory(platform, take, 'data')).node).toBe(node)
  })

  test.each(['mkdir', 'write', 'datasync', 'rename', 'sync-directory'] as const)(
    'on a disk that fails at %s is refused, and the lock given up',
    async (operation) => {
      const platform = memoryPlatform()
      platform.files.fail(operation, /./, 'EROFS')
      const { held, take } = locks()
      const { code, message } = await faultOf(openDataDirectory(platform, take, 'data'))
      expect(code).toBe('data_unusable')
      expect(message).toStartWith('data: EROFS')
      expect(held).toEqual(new Set())
    },
  )

  test('has a directory for each lane', async () => {
    const { laneDirectory } = await openDataDirectory(memoryPlatform(), locks().take, './data')
    expect([laneDirectory(0), laneDirectory(3)]).toEqual(['data/lane-0', 'data/lane-3'])
  })
})

describe('on the real disk', () => {
  let root = ''
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'millrace-data-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  test('a lock is held by one, says by whom, and is free after its release', () => {
    const path = join(root, 'lock')
    const lock = lockFile(path)
    if (!('release' in lock)) throw new Error('a fresh lock is held')
    expect(lockFile(path)).toEqual({ heldBy: `${process.pid}` })
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    lock.release()
    const again = lockFile(path)
    expect(again).toHaveProperty('release')
    if ('release' in again) again.release()
  })

  test('a lock ends with its process, however that ends', async () => {
    const path = join(root, 'lock')
    const lockModule = new URL('../../src/platform/lock.ts', import.meta.url).pathname
    const code = `import { lockFile } from ${JSON.stringify(lockModule)}
      lockFile(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1e6)`
    const holder = Bun.spawn([process.execPath, '-e', code], { stdout: 'pipe' })
    await holder.stdout.getReader().read()
    expect(lockFile(path)).toEqual({ heldBy: `${holder.pid}` })
    holder.kill('SIGKILL')
    await holder.exited
    const lock = lockFile(path)
    expect(lock).toHaveProperty('release')
    if ('release' in lock) lock.release()
  })

  describe('every directory that is made is made durable in the one above it', () => {
    const cases = {
      'data/lane-0': ['data', '.'],
      './made/by/hand': ['made/by', 'made', '.'],
      'slash/': ['.'],
    }
    const before = process.cwd()
    beforeEach(() => process.chdir(root))
    afterEach(() => process.chdir(before))

    /** The machine's disk, with the directories that are synced written down; a sync of `failing` fails once. */
    function disk(failing?: string) {
      const synced: string[] = []
      let isFailing = true
      const syncDirectory = async (directory: string) => {
        if (isFailing && directory === failing) {
          isFailing = false
          throw new Error('EIO')
        }
        synced.push(directory)
      }
      return { synced, files: { ...systemFiles, syncDirectory } }
    }

    test.each(Object.entries(cases))('%s', async (path, directories) => {
      const { synced, files } = disk()
      await files.makeDirectory(path)
      expect(synced).toEqual(expect.arrayContaining(directories.map((directory) => join(root, directory))))
    })

    test('also when its path is absolute, up to the one that was there', async () => {
      const { synced, files } = disk()
      await files.makeDirectory(join(root, 'some/where'))
      expect(synced).toEqual(expect.arrayContaining([join(root, 'some'), root]))
    })

    test.each(Object.entries(cases))(
      '%s, by a repeat when the first attempt was cut off',
      async (path, directories) => {
        for (const failing of directories.map((directory) => join(root, directory))) {
          rmSync(path.split('/').find((name) => name !== '.') ?? '', { recursive: true, force: true })
          const { synced, files } = disk(failing)
          await expect(files.makeDirectory(path)).rejects.toThrow('EIO')
          await files.makeDirectory(path)
          const expected = directories.map((directory) => join(root, directory))
          expect([failing, [...synced].sort()]).toEqual([failing, expect.arrayContaining(expected)])
        }
      },
    )
  })
})
