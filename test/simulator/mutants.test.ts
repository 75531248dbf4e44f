/** The simulator finds bugs: each is put in on purpose, and has to be found within a few seeds. */

import { expect, test } from 'bun:test'
import type { Files, OpenFile } from '../../src/platform/files.ts'
import type { Seams } from './life.ts'
import { simulate } from './run.ts'

/** The first breach among the first seeds. */
async function firstBreach(seams: Seams): Promise<string> {
  for (let seed = 1; seed <= 100; seed++) {
    const { breach } = await simulate(seed, undefined, seams)
    if (breach !== undefined) return breach
  }
  return 'none'
}

/** `files` with other ways of its own. The originals are called on the original: it has private members. */
function filesLike(files: Files, changes: Partial<Files>): Files {
  return {
    open: (path, mode) => files.open(path, mode),
    list: (directory) => files.list(directory),
    sizeOf: (path) => files.sizeOf(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    makeDirectory: (path) => files.makeDirectory(path),
    syncDirectory: (path) => files.syncDirectory(path),
    space: (path) => files.space(path),
    ...changes,
  }
}

/** `files` whose segment files, or others, are changed. */
function withFiles(change: (file: OpenFile) => Partial<OpenFile>, ending = '.open'): Seams {
  return {
    files: (files) =>
      filesLike(files, {
        async open(path, mode) {
          const file = await files.open(path, mode)
          if (!path.endsWith(ending)) return file
          return {
            read: (into, position) => file.read(into, position),
            write: (bytes, position) => file.write(bytes, position),
            datasync: () => file.datasync(),
            truncate: (lengthBytes) => file.truncate(lengthBytes),
            size: () => file.size(),
            close: () => file.close(),
            ...change(file),
          }
        },
      }),
  }
}

test('a sync that does nothing', async () => {
  expect(await firstBreach(withFiles(() => ({ datasync: async () => {} })))).toMatch(
    /neither stored nor in the journal/,
  )
})

test('a sync of the ledger that does nothing', async () => {
  const seams = withFiles(() => ({ datasync: async () => {} }), '.ndjson')
  expect(await firstBreach(seams)).toMatch(/neither in the journal nor in the ledger/)
})

test('a sync of a directory that does nothing', async () => {
  const seams: Seams = { files: (files) => filesLike(files, { syncDirectory: async () => {} }) }
  expect(await firstBreach(seams)).toMatch(/neither stored nor in the journal|names two records|nor in the ledger/)
})

test('an answer that does not wait for the sync', async () => {
  const seams = withFiles((file) => ({
    async datasync() {
      file.datasync().catch(() => {})
    },
  }))
  expect(await firstBreach(seams)).toMatch(/neither stored nor in the journal|after a sync of it had failed/)
})

test('a failed sync that is tried again on the same file', async () => {
  const seams = withFiles((file) => ({ datasync: () => file.datasync().catch(() => file.datasync()) }))
  expect(await firstBreach(seams)).toMatch(/synced again after a sync of it had failed/)
})

test('a write that gets its last byte wrong', async () => {
  const seams = withFiles((file) => ({
    write(bytes, position) {
      const wrong = new Uint8Array(bytes)
      wrong[wrong.length - 1] = 0x20 ^ (bytes.at(-1) ?? 0)
      return file.write(wrong, position)
    },
  }))
  expect(await firstBreach(seams)).toMatch(/neither stored nor in the journal/)
})

test('a destination that takes a name that is there under another one', async () => {
  const seams: Seams = {
    destination: (destination) => ({
      ...destination,
      async put(object, signal) {
        const outcome = await destination.put(object, signal)
        if (outcome.kind !== 'stored' || !outcome.already) return outcome
        return await destination.put({ ...object, name: object.name.replace('.ndjson', '-again.ndjson') }, signal)
      },
    }),
  }
  expect(await firstBreach(seams)).toMatch(/is stored twice/)
})

test('a destination that calls a name stored that another object has taken', async () => {
  const seams: Seams = {
    destination: (destination) => ({
      ...destination,
      async put(object, signal) {
        const outcome = await destination.put(object, signal)
        return outcome.kind === 'stored' ? { kind: 'stored', already: false } : outcome
      },
    }),
  }
  expect(await firstBreach(seams)).toMatch(/neither stored nor in the journal|were stored in the end/)
})

test('a destination that calls stored what it refused', async () => {
  const seams: Seams = {
    destination: (destination) => ({
      ...destination,
      async put(object, signal) {
        const outcome = await destination.put(object, signal)
        return outcome.kind === 'retry' ? { kind: 'stored', already: false } : outcome
      },
    }),
  }
  expect(await firstBreach(seams)).toMatch(/neither stored nor in the journal|were stored in the end/)
})

test('a segment that is removed before it is stored', async () => {
  const seams: Seams = {
    deliver: (deliver) => async (segment, hurry) => {
      deliver(segment, hurry).catch(() => {})
      return {
        kind: 'stored',
        format: 'lines',
        objects: [],
        payloads: segment.payloads,
        bytes: segment.recordBytes,
        letters: [],
      }
    },
  }
  expect(await firstBreach(seams)).toMatch(/neither stored nor in the journal|were stored in the end|within an hour/)
})

test('a segment that is delivered twice under two names', async () => {
  const seams: Seams = {
    destination: (destination) => {
      let puts = 0
      return {
        ...destination,
        put: (object, signal) => {
          puts += 1
          return destination.put({ ...object, name: object.name.replace('.ndjson', `-${puts}.ndjson`) }, signal)
        },
      }
    },
  }
  expect(await firstBreach(seams)).toMatch(/is stored twice/)
})

test('a wrapper without a bug: nothing is found', async () => {
  expect(await firstBreach(withFiles(() => ({})))).toBe('none')
})
