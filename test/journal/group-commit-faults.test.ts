/** A journal whose disk fails it: nobody is told a lie, a failed file is never trusted again, and the journal goes on. */

import { describe, expect, test } from 'bun:test'
import type { SealedSegment } from '../../src/journal/journal.ts'
import { MemoryFiles } from '../memory-files.ts'
import { memoryPlatform, quiet } from '../memory-platform.ts'
import { LANE, type Opened, opened } from './opened.ts'
import { HEADER, segmentOf, valueRecord } from './segment-files.ts'

const FIRST = `${LANE}/0000000000000001`

/** Three acknowledged records in the first segment, then trouble with the next two. */
async function failing(operation: 'write' | 'datasync', code: string, written = 0): Promise<Opened> {
  const it = await opened()
  it.append('1')
  await quiet()
  it.append('2')
  it.append('3', { payloads: 4 })
  await quiet()
  it.platform.files.fail(operation, /0001\.open$/, code, written)
  it.append('4')
  it.append('5')
  await quiet()
  return it
}

const CASES = [
  { operation: 'write', code: 'EIO', written: 0, refusal: 'journal_failed' },
  { operation: 'write', code: 'EIO', written: 50, refusal: 'journal_failed' },
  { operation: 'datasync', code: 'EIO', written: 0, refusal: 'journal_failed' },
  { operation: 'write', code: 'ENOSPC', written: 0, refusal: 'disk_full' },
  { operation: 'write', code: 'ENOSPC', written: 70, refusal: 'disk_full' },
  { operation: 'datasync', code: 'ENOSPC', written: 0, refusal: 'disk_full' },
] as const

describe.each(CASES)(
  'after $code from $operation ($written bytes written)',
  ({ operation, code, written, refusal }) => {
    test('everyone who waits in the batch is refused, those before it keep their receipts', async () => {
      const it = await failing(operation, code, written)
      expect(it.answers.map(({ receipt }) => receipt?.split('-').at(-1))).toEqual(['0', '1', '2', undefined, undefined])
      expect(it.answers.map((answer) => answer.refusal)).toEqual([undefined, undefined, undefined, refusal, refusal])
      expect(it.journal.trouble).toBe(refusal)
      expect(it.events).toMatchObject([{ kind: 'journal-trouble', code: refusal }])
    })

    test('the file is never synced again, keeps its name for want of a seal, and loses what was not acknowledged', async () => {
      const it = await failing(operation, code, written)
      const before = it.platform.files.log.length
      await it.platform.clock.advance(60_000)
      const later = it.platform.files.log.slice(before)
      expect(later.filter((line) => line.includes('0001.open'))).toEqual([])
      expect(it.platform.files.breaches).toEqual([])
      expect((await it.records()).map(({ text }) => text)).toEqual(['1', '2', '3'])
      expect(it.sealed.map(({ payloads }) => payloads)).toEqual([6])
    })

    test('appends are refused until a new segment is open, then go on in it', async () => {
      const it = await failing(operation, code, written)
      const counted = it.counted
      const early = it.append('6')
      expect(it.counted).toEqual(counted)
      await it.platform.clock.advance(999)
      const alsoEarly = it.append('7')
      await quiet()
      expect([early.refusal, alsoEarly.refusal]).toEqual([refusal, refusal])
      await it.platform.clock.advance(1)
      expect(it.journal.trouble).toBeUndefined()
      const next = it.append('8')
      await quiet()
      expect(next.receipt).toMatch(/^k3v9x2ab-0-2-[0-9a-f]{8}-0$/)
      expect(it.kinds).toEqual(['journal-trouble', 'journal-well', 'segment-sealed'])
    })

    test('the count is what is on the disk', async () => {
      const it = await failing(operation, code, written)
      expect(it.counted).toEqual(await it.onDisk())
      await it.platform.clock.advance(1000)
      expect(it.counted).toEqual(await it.onDisk())
      for (const segment of it.sealed) await it.journal.remove(segment)
      expect(it.platform.files.get(`${FIRST}.open`)).toBeUndefined()
      expect(it.counted).toEqual(await it.onDisk())
    })

    test('a close seals what was acknowledged', async () => {
      const it = await failing(operation, code, written)
      await it.journal.close()
      expect(it.sealed.map(({ payloads }) => payloads)).toEqual([6])
      expect(it.platform.files.breaches).toEqual([])
    })

    test('a power loss takes nothing that was acknowledged', async () => {
      const it = await failing(operation, code, written)
      await it.platform.clock.advance(1000)
      const again = await opened(memoryPlatform(2, it.platform.files.crash(it.platform.random)))
      expect((await again.records()).map(({ text }) => text)).toEqual(['1', '2', '3'])
    })
  },
)

describe('when the next segment cannot be made', () => {
  const tooLong = { objectBytesMax: 200 }

  test('the batch is refused, and what the full one holds is sealed and announced all the same', async () => {
    const it = await opened(memoryPlatform(), tooLong)
    it.append('1')
    await quiet()
    it.platform.files.fail('open', /0002\.open$/, 'ENOSPC')
    const refused = it.append('2')
    await quiet()
    expect(refused.refusal).toBe('disk_full')
    await it.platform.clock.advance(1000)
    const next = it.append('3')
    await it.platform.clock.advance(5000)
    // The try that failed has used no number.
    expect(next.receipt).toContain('-0-2-')
    expect(it.sealed.map(({ number }) => number)).toEqual([1, 2])
    expect((await it.records()).map(({ text }) => text)).toEqual(['1', '3'])
    expect(it.counted).toEqual(await it.onDisk())
  })

  test.each(['open', 'write', 'datasync', 'sync-directory'] as const)(
    'because of %s, the journal tries again every second until it can, and leaves nothing behind',
    async (operation) => {
      const it = await opened(memoryPlatform(), tooLong)
      it.append('1')
      await quiet()
      const path = operation === 'sync-directory' ? /lane-0$/ : /000[2-5]\.open$/
      for (let i = 0; i < 4; i++) it.platform.files.fail(operation, path, 'EIO')
      it.append('2')
      await it.platform.clock.advance(2999)
      expect(it.journal.trouble).toBe('journal_failed')
      await it.platform.clock.advance(2001)
      expect(it.journal.trouble).toBeUndefined()
      const next = it.append('3')
      await it.platform.clock.advance(5000)
      expect(next.refusal).toBeUndefined()
      expect(it.sealed.flatMap(({ payloads }) => payloads)).toEqual([1, 1])
      expect(it.counted).toEqual(await it.onDisk())
      expect(it.platform.files.breaches).toEqual([])
    },
  )

  test('for a while, the full one is delivered meanwhile: that is what may free the disk', async () => {
    const it = await opened(memoryPlatform(), tooLong)
    it.append('1')
    await quiet()
    for (let i = 0; i < 10; i++) it.platform.files.fail('open', /\.open$/, 'ENOSPC')
    it.append('2')
    await it.platform.clock.advance(2000)
    expect(it.journal.trouble).toBe('disk_full')
    expect(it.sealed.map(({ number }) => number)).toEqual([1])
  })

  test('at the age of the open one, it is tried again and the records are kept', async () => {
    const it = await opened()
    it.append('1')
    await quiet()
    it.platform.files.fail('datasync', /0002\.open$/, 'EIO')
    await it.platform.clock.advance(5000)
    expect(it.journal.trouble).toBe('journal_failed')
    await it.platform.clock.advance(1000)
    expect(it.sealed.map(({ payloads }) => payloads)).toEqual([1])
  })
})

describe('a segment that cannot be sealed', () => {
  test.each(['rename', 'sync-directory'] as const)(
    'because of %s is tried again and announced once, and those behind it after it',
    async (operation) => {
      const it = await opened(memoryPlatform(), { objectBytesMax: 200 })
      it.append('1')
      await quiet()
      const release = it.platform.files.hold('rename', /0001\.open$/)
      it.append('2')
      await quiet()
      const path = operation === 'rename' ? /0001\.open$/ : /lane-0$/
      for (let i = 0; i < 3; i++) it.platform.files.fail(operation, path, 'EIO')
      release()
      await it.platform.clock.advance(2999)
      expect(it.sealed).toEqual([])
      await it.platform.clock.advance(1)
      it.append('3')
      await quiet()
      expect(it.sealed.map(({ number }) => number)).toEqual([1, 2])
      expect(it.kinds).toEqual([...Array(3).fill('journal-trouble'), 'segment-sealed', 'segment-sealed'])
      expect(it.counted).toEqual(await it.onDisk())
    },
  )

  test.each([0, 40])(
    'in which %i bytes of the seal were written holds its frames and nothing else, under its old name',
    async (written) => {
      const it = await opened()
      it.append('1')
      await quiet()
      const bytes = it.platform.files.get(`${FIRST}.open`)
      it.platform.files.fail('write', /0001\.open$/, 'ENOSPC', written)
      await it.platform.clock.advance(5000)
      expect(it.sealed).toMatchObject([{ payloads: 1, bytes: bytes?.length }])
      expect(it.platform.files.get(`${FIRST}.open`)).toEqual(bytes as Uint8Array)
      expect(it.platform.files.get(`${FIRST}.sealed`)).toBeUndefined()
      expect(it.counted).toEqual(await it.onDisk())
    },
  )

  test('at the close stays open, and is sealed by the next start', async () => {
    const it = await opened()
    it.append('1')
    await quiet()
    it.platform.files.fail('rename', /0001\.open$/, 'EIO')
    await it.journal.close()
    expect(it.sealed).toEqual([])
    const again = await opened(memoryPlatform(2, it.platform.files.killed()))
    expect(again.sealed.map(({ number, payloads }) => [number, payloads])).toEqual([[1, 1]])
  })
})

test('a segment that cannot be removed waits no longer, but its bytes count as long as they are there', async () => {
  const it = await opened()
  it.append('1')
  await it.platform.clock.advance(5000)
  const [segment] = it.sealed
  if (!segment) throw new Error('nothing was sealed')
  it.platform.files.fail('remove', /0001\.sealed$/, 'EIO')
  await expect(it.journal.remove(segment)).rejects.toThrow('EIO')
  expect(it.counted.bytes).toEqual((await it.onDisk()).bytes)
  expect([it.journal.payloads, it.journal.pending]).toEqual([0, { payloads: 0, bytes: 0 }])
  expect(it.journal.holds(1, segment.tag, 0)).toBe(false)
})

describe('what the journal counts', () => {
  test('is what is on the disk, after every commit, seal, removal and restart', async () => {
    let it = await opened(memoryPlatform(1), { objectBytesMax: 2000 })
    const random = it.platform.random
    for (let step = 0; step < 300; step++) {
      for (let i = random.below(4); i > 0; i--)
        it.append(`"${'z'.repeat(random.below(200))}"`, { payloads: random.below(5) })
      if (random.below(10) === 0) await it.platform.clock.advance(5000)
      await quiet()
      expect([step, it.counted]).toEqual([step, await it.onDisk()])
      if (random.below(3) === 0 && it.sealed.length > 0) await it.journal.remove(it.sealed.shift() as SealedSegment)
      expect([step, it.counted]).toEqual([step, await it.onDisk()])
      if (random.below(20) > 0) continue
      if (random.below(2) === 0) await it.journal.close()
      it = await opened(memoryPlatform(step, it.platform.files.killed()), { objectBytesMax: 2000 })
      expect([step, it.counted]).toEqual([step, await it.onDisk()])
    }
  })

  test('holds a record from its append on, before it is on the disk', async () => {
    const it = await opened()
    const before = it.journal.bytes
    it.platform.files.hold('write', /0001\.open$/)
    it.append('[1,2]', { payloads: 2 })
    expect(it.journal.payloads).toBe(2)
    expect(it.journal.bytes - before).toBe(24 + 7 + 5)
  })
})

describe('a start on a disk that is full', () => {
  test('delivers what is there, refuses what comes, and goes on once there is room', async () => {
    const files = new MemoryFiles()
    files.put(`${FIRST}.sealed`, segmentOf(HEADER, [[valueRecord('"kept"')]]).sealed)
    files.put(`${LANE}/0000000000000002.open`, segmentOf({ ...HEADER, number: 2 }, []).bytes)
    files.fail('write', /0003\.open$/, 'ENOSPC')
    const it = await opened(memoryPlatform(1, files))
    expect(it.sealed.map(({ payloads }) => payloads)).toEqual([1])
    expect([it.journal.trouble, it.append('1').refusal]).toEqual(['disk_full', 'disk_full'])
    // The highest number ever used must not go before a higher one is on the disk.
    expect(files.get(`${LANE}/0000000000000002.open`)).toBeDefined()
    await it.platform.clock.advance(1000)
    const next = it.append('2')
    await quiet()
    expect(next.receipt).toMatch(/^k3v9x2ab-0-3-[0-9a-f]{8}-0$/)
  })
})
