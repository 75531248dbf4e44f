/** The ledger keeps what it was told through crashes and faults, finds a segment's line, and its totals never go back. */

import { expect, test } from 'bun:test'
import { Ledger } from '../../src/observe/ledger.ts'
import type { SegmentOutcome } from '../../src/observe/ledger-entry.ts'
import { readLedger } from '../../src/observe/ledger-files.ts'
import { MemoryFiles } from '../memory-files.ts'
import { type MemoryPlatform, memoryPlatform, quiet, SeededRandom } from '../memory-platform.ts'

const DIRECTORY = 'data/ledger'

function outcome(segment: number, payloads = 1, dead = 0): SegmentOutcome {
  return {
    lane: 0,
    segment,
    tag: `tag${segment}`,
    destination: 'test:',
    records: payloads,
    stored: { payloads, bytes: payloads * 100 },
    dead: { payloads: dead, bytes: dead * 100 },
    letters: [],
    objects: [{ name: `o${segment}`, bytes: 9, sha256: 'ff', lines: payloads, runs: [[0, payloads, 1]] }],
  }
}

const open = (platform: MemoryPlatform, days = 30, lane = 0) =>
  Ledger.open(platform.files, platform.clock, DIRECTORY, days, lane)

/** Appends and counts. */
async function keep(ledger: Ledger, line: SegmentOutcome): Promise<void> {
  await ledger.append(line)
  ledger.count(line)
}

test('a line is found again, by another process too, and only by its tag', async () => {
  const platform = memoryPlatform()
  const first = await open(platform)
  for (const segment of [1, 2, 999, 1000, 1001, 5_000_000]) await keep(first, outcome(segment))
  await first.close()
  const again = await open(platform)
  for (const ledger of [first, again]) {
    for (const segment of [1, 2, 999, 1000, 1001, 5_000_000]) {
      expect(await ledger.find(0, segment, `tag${segment}`)).toMatchObject(outcome(segment))
      expect(await ledger.find(0, segment, 'another')).toBeUndefined()
      expect(await ledger.find(1, segment, `tag${segment}`)).toBeUndefined()
    }
    expect(ledger.totals.stored).toEqual({ payloads: 6, bytes: 600 })
  }
  const lines = await Array.fromAsync(readLedger(platform.files, DIRECTORY))
  expect(lines.map(({ entry, segment }) => [entry, segment])).toEqual([
    [1, 1],
    [2, 2],
    [3, 999],
    [4, 1000],
    [5, 1001],
    [6, 5_000_000],
  ])
})

test('totals are those of the highest entry, in whichever file it is', async () => {
  const platform = memoryPlatform()
  const ledger = await open(platform)
  for (const segment of [2500, 1500, 500, 1501]) await keep(ledger, outcome(segment, 10, 1))
  await ledger.close()
  const again = await open(platform)
  expect(again.totals).toEqual({ stored: { payloads: 40, bytes: 4000 }, dead: { payloads: 4, bytes: 400 } })
  await keep(again, outcome(7))
  expect((await again.find(0, 7, 'tag7'))?.entry).toBe(5)
})

test('what is appended counts when it is told to, also when another line is written meanwhile', async () => {
  const ledger = await open(memoryPlatform())
  await ledger.append(outcome(1, 5))
  expect(ledger.totals.stored.payloads).toBe(0)
  await keep(ledger, outcome(2, 7))
  expect(ledger.totals.stored.payloads).toBe(7)
  ledger.count(outcome(1, 5))
  expect(ledger.totals.stored.payloads).toBe(12)
  expect((await ledger.find(0, 2, 'tag2'))?.totals.stored.payloads).toBe(12)
})

test('a line longer than one read is read back at the start', async () => {
  const platform = memoryPlatform()
  const long = outcome(3)
  const [object] = long.objects
  if (object) long.objects = Array.from({ length: 2000 }, (_, i) => ({ ...object, name: `${i}`.repeat(50) }))
  const ledger = await open(platform)
  await keep(ledger, outcome(2, 3))
  await keep(ledger, long)
  await ledger.close()
  expect((await open(platform)).totals.stored.payloads).toBe(4)
})

test.each(['write', 'datasync', 'open', 'sync-directory'] as const)(
  'a line that failed at %s is written to another file when it is repeated, and the failed one is left alone',
  async (operation) => {
    const platform = memoryPlatform()
    const ledger = await open(platform)
    platform.files.fail(operation, operation === 'sync-directory' ? /ledger$/ : /-0\.ndjson$/, 'EIO', 20)
    await expect(ledger.append(outcome(1))).rejects.toThrow('EIO')
    await keep(ledger, outcome(1))
    await keep(ledger, outcome(2))
    await ledger.close()
    expect(platform.files.breaches).toEqual([])
    const again = await open(platform)
    expect(again.totals.stored.payloads).toBe(2)
    for (const segment of [1, 2]) expect((await again.find(0, segment, `tag${segment}`))?.segment).toBe(segment)
  },
)

test('after a power loss at any operation every line that was acknowledged is there, and the next ones are whole', async () => {
  const random = new SeededRandom(3)
  for (let operations = 0; operations < 40; operations++) {
    const platform = memoryPlatform()
    const acknowledged: number[] = []
    platform.files.operationsLeft = operations
    // It never ends when the machine stops in the middle.
    void (async () => {
      const ledger = await open(platform)
      for (const segment of [1, 2, 1000, 3, 1001]) {
        await keep(ledger, outcome(segment))
        acknowledged.push(segment)
      }
    })()
    await Bun.sleep(0)
    const after = memoryPlatform(1, platform.files.crash(random))
    const ledger = await open(after)
    for (const segment of acknowledged) {
      expect([operations, segment, (await ledger.find(0, segment, `tag${segment}`))?.segment]).toEqual([
        operations,
        segment,
        segment,
      ])
    }
    expect(ledger.totals.stored.payloads).toBeGreaterThanOrEqual(acknowledged.length)
    await keep(ledger, outcome(4))
    await ledger.close()
    expect(await (await open(after)).find(0, 4, 'tag4')).toBeDefined()
  }
})

test.each(['the directory', 'the file'])(
  'when somebody removes %s, the next line is refused once, and found then',
  async (what) => {
    const platform = memoryPlatform()
    const ledger = await open(platform)
    await keep(ledger, outcome(1))
    for (const name of await platform.files.list(DIRECTORY)) {
      if (what === 'the directory' || name.endsWith('.ndjson')) await platform.files.remove(`${DIRECTORY}/${name}`)
    }
    if (what === 'the directory') platform.files.removeDirectory(DIRECTORY)
    await expect(ledger.append(outcome(2))).rejects.toThrow('was removed or cut')
    for (const segment of [2, 3]) await keep(ledger, outcome(segment))
    const after = platform.files.crash(platform.random)
    for (const files of [platform.files, after]) {
      const lines = await Array.fromAsync(readLedger(files, DIRECTORY))
      expect(lines.map(({ entry, segment }) => [entry, segment])).toEqual([
        [2, 2],
        [3, 3],
      ])
    }
    expect(ledger.totals.stored.payloads).toBe(3)
    expect([await ledger.find(0, 1, 'tag1'), (await ledger.find(0, 3, 'tag3'))?.segment]).toEqual([undefined, 3])
    expect(platform.files.get(`${DIRECTORY}/reserve`)).toHaveLength(256 * 1024)
  },
)

test('a file whose maker was killed before its name was durable keeps the lines of whoever came after', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const before = memoryPlatform()
    const first = await open(before)
    before.files.hold('sync-directory', /ledger$/)
    void keep(first, outcome(1))
    await quiet()
    const platform = memoryPlatform(1, before.files.killed())
    const ledger = await open(platform)
    await keep(ledger, outcome(1))
    const after = await open(memoryPlatform(1, platform.files.crash(new SeededRandom(seed))))
    expect([seed, (await after.find(0, 1, 'tag1'))?.segment]).toEqual([seed, 1])
  }
})

test('a file that somebody cut is not written to any more', async () => {
  const platform = memoryPlatform()
  const ledger = await open(platform)
  for (const segment of [1, 2]) await keep(ledger, outcome(segment))
  const path = `${DIRECTORY}/0-0000000000000-0.ndjson`
  platform.files.put(path, (platform.files.get(path) as Uint8Array).subarray(0, 100))
  await expect(ledger.append(outcome(3))).rejects.toThrow('was removed or cut')
  await keep(ledger, outcome(3))
  await ledger.close()
  const again = await open(platform)
  expect([await again.find(0, 2, 'tag2'), (await again.find(0, 3, 'tag3'))?.entry]).toEqual([undefined, 3])
})

test('what a power loss made of the last line is written over', async () => {
  const platform = memoryPlatform()
  const first = await open(platform)
  for (const segment of [1, 2]) await keep(first, outcome(segment))
  await first.close()
  const path = `${DIRECTORY}/0-0000000000000-0.ndjson`
  const whole = Buffer.from(platform.files.get(path) as Uint8Array)
  const rest = Buffer.from(`${'\0'.repeat(300)}the end of the third\nand more of it`)
  platform.files.put(path, Buffer.concat([whole, rest]))
  const ledger = await open(platform)
  await keep(ledger, outcome(3))
  const lines = Buffer.from(platform.files.get(path) as Uint8Array)
    .toString()
    .split('\n')
  expect(lines.map((line) => line && (JSON.parse(line) as { entry: number }).entry)).toEqual([1, 2, 3, ''])
})

test('damage to a line leaves the others', async () => {
  const platform = memoryPlatform()
  const ledger = await open(platform)
  for (const segment of [1, 2, 3]) await keep(ledger, outcome(segment))
  await ledger.close()
  const path = `${DIRECTORY}/0-0000000000000-0.ndjson`
  const lines = Buffer.from(platform.files.get(path) as Uint8Array)
    .toString()
    .split('\n')
  platform.files.put(path, Buffer.from([lines[0], '#'.repeat(40), lines[2], ''].join('\n')))
  const again = await open(platform)
  expect(again.totals.stored.payloads).toBe(3)
  expect(await again.find(0, 2, 'tag2')).toBeUndefined()
  expect(await again.find(0, 1, 'tag1')).toBeDefined()
})

test('old files go, but never the one with the totals', async () => {
  const platform = memoryPlatform(1, new MemoryFiles())
  const ledger = await open(platform, 2)
  await keep(ledger, outcome(1))
  await keep(ledger, outcome(1001))
  await platform.clock.advance(3 * 86_400_000)
  await keep(ledger, outcome(2001))
  const names = async () => (await platform.files.list(DIRECTORY)).filter((name) => name !== 'reserve')
  expect(await names()).toEqual(['0-0000000000002-0.ndjson'])
  await ledger.close()
  await platform.clock.advance(30 * 86_400_000)
  expect((await open(platform, 2)).totals.stored.payloads).toBe(3)
  expect(await names()).toEqual(['0-0000000000002-0.ndjson'])
})

test('the first files go and no others, so that from some number on every line is there', async () => {
  const platform = memoryPlatform()
  const ledger = await open(platform, 2)
  for (const segment of [1, 1001, 2001, 3001]) await keep(ledger, outcome(segment))
  await platform.clock.advance(2 * 86_400_000)
  // The second thousand has a late one.
  await keep(ledger, outcome(1002))
  await platform.clock.advance(86_400_000)
  await keep(ledger, outcome(4001))
  const names = await platform.files.list(DIRECTORY)
  expect(names.filter((name) => name.endsWith('.ndjson'))).toEqual([
    '0-0000000000001-0.ndjson',
    '0-0000000000002-0.ndjson',
    '0-0000000000003-0.ndjson',
    '0-0000000000004-0.ndjson',
  ])
  await platform.clock.advance(30 * 86_400_000)
  const again = await open(platform, 2)
  expect(await again.lastSegment()).toBe(4001)
  const left = (await platform.files.list(DIRECTORY)).filter((name) => name.endsWith('.ndjson'))
  expect(left).toEqual(['0-0000000000004-0.ndjson'])
})

test('lanes share a directory and nothing else: numbers, totals, room set aside and what goes are each one’s own', async () => {
  const platform = memoryPlatform()
  const [first, second] = [await open(platform, 2), await open(platform, 2, 1)]
  for (const segment of [1, 1001]) {
    await keep(first, outcome(segment))
    await keep(second, { ...outcome(segment), lane: 1 })
  }
  await keep(second, { ...outcome(2001), lane: 1 })
  expect((await second.find(1, 2001, 'tag2001'))?.entry).toBe(3)
  expect((await first.find(0, 1001, 'tag1001'))?.entry).toBe(2)
  expect(await first.find(1, 1, 'tag1')).toBeUndefined()
  await platform.clock.advance(30 * 86_400_000)
  const again = await open(platform, 2, 1)
  expect([again.totals.stored.payloads, await again.lastSegment()]).toEqual([3, 2001])
  // The other one's old file is not this one's to remove.
  expect(await platform.files.list(DIRECTORY)).toEqual([
    '0-0000000000000-0.ndjson',
    '0-0000000000001-0.ndjson',
    '1-0000000000002-0.ndjson',
    'reserve',
    'reserve-1',
  ])
  expect((await open(platform, 40)).totals.stored.payloads).toBe(2)
})

test('a disk that is full gets room for the next line from what was set aside, and it is set aside again', async () => {
  const platform = memoryPlatform()
  const ledger = await open(platform)
  const reserve = `${DIRECTORY}/reserve`
  expect(platform.files.get(reserve)).toHaveLength(256 * 1024)
  platform.files.fail('write', /\.ndjson$/, 'ENOSPC')
  await expect(ledger.append(outcome(1))).rejects.toThrow('ENOSPC')
  expect(platform.files.get(reserve)).toBeUndefined()
  platform.files.fail('write', /reserve$/, 'ENOSPC')
  await keep(ledger, outcome(1))
  expect(platform.files.get(reserve)).toBeUndefined()
  await keep(ledger, outcome(2))
  expect(platform.files.get(reserve)).toHaveLength(256 * 1024)
})

test('a line that is appended while its file is read is found, then and afterwards', async () => {
  const { files, clock } = memoryPlatform()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  let isSlow = false
  const slowFiles = new Proxy(files, {
    get(target, name) {
      if (name !== 'open') return Reflect.get(target, name).bind(target)
      return async (path: string, mode: 'read') => {
        const file = await target.open(path, mode)
        if (!isSlow || mode !== 'read') return file
        const read = async (into: Uint8Array, position: number) => {
          const count = await file.read(into, position)
          await released
          return count
        }
        return { read, close: () => file.close() }
      }
    },
  })
  const ledger = await Ledger.open(slowFiles, clock, DIRECTORY, 30)
  await keep(ledger, outcome(1))
  isSlow = true
  const first = ledger.find(0, 1, 'tag1')
  const second = ledger.find(0, 2, 'tag2')
  await quiet()
  await keep(ledger, outcome(2))
  release()
  expect([(await first)?.segment, (await second)?.segment]).toEqual([1, 2])
  expect((await ledger.find(0, 2, 'tag2'))?.segment).toBe(2)
})
