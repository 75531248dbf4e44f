/** Short frames are written over zeros that are there already: how many, what they cost, and what a crash makes of them. */

import { describe, expect, test } from 'bun:test'
import type { NewRecord } from '../../src/journal/journal.ts'
import { HEADER_BYTES, SEAL_BYTES } from '../../src/journal/layout.ts'
import { lookAt } from '../../src/journal/look.ts'
import { MemoryFiles } from '../memory-files.ts'
import { memoryPlatform, quiet } from '../memory-platform.ts'
import { LANE, type Opened, opened } from './opened.ts'
import { frameOf, HEADER, segmentOf, valueRecord } from './segment-files.ts'

const OPEN = `${LANE}/0000000000000001.open`
const SEALED = `${LANE}/0000000000000001.sealed`
const SECTOR_BYTES = 512
const ROOM_BYTES_MAX = 256 * 1024

/** One frame of one record; returns the file's length after it. */
async function commit(it: Opened, characters: number): Promise<number> {
  it.append(`"${'x'.repeat(characters)}"`)
  await quiet()
  return it.platform.files.get(OPEN)?.length ?? 0
}

const writes = (it: Opened) => it.platform.files.log.filter((line) => line.startsWith('write'))

describe('room', () => {
  test('is as much as there is before it, and none behind the first frame', async () => {
    const it = await opened()
    const first = await commit(it, 100)
    const frameBytes = first - HEADER_BYTES
    const second = await commit(it, 100)
    expect(second).toBe(2 * (first + frameBytes))
    const { length } = writes(it)
    expect(await commit(it, 100)).toBe(second)
    expect(writes(it).length).toBe(length + 1)
    expect(it.counted).toEqual(await it.onDisk())
  })

  test('has its bound, and a long frame makes none', async () => {
    const it = await opened()
    await commit(it, 800_000)
    const [end, room] = [await commit(it, 100_000), await commit(it, 10)]
    expect([end, room].map((length) => length > 900_000)).toEqual([true, true])
    expect(room - end).toBeGreaterThan(ROOM_BYTES_MAX)
    expect(room - end).toBeLessThan(ROOM_BYTES_MAX + 200)
    // It uses what is there.
    expect(await commit(it, 100_000)).toBe(room)
    expect(it.counted).toEqual(await it.onDisk())
  })

  test('is a 64th of what the journal may hold at the most, and never beyond that', async () => {
    const journalBytesMax = 640_000
    const it = await opened(memoryPlatform(), { journalBytesMax })
    await commit(it, 300_000)
    let room = 0
    while (it.journal.bytes < journalBytesMax - 5000) {
      const before = it.journal.bytes
      await commit(it, 1000)
      room = Math.max(room, it.journal.bytes - before)
      expect(it.journal.bytes).toBeLessThanOrEqual(journalBytesMax)
    }
    expect(room).toBeGreaterThan(10_000)
    expect(room).toBeLessThan(10_000 + 1200)
    // Full but for some bytes: frames fit, and no zeros behind them.
    while (it.journal.bytes < journalBytesMax - 300) await commit(it, 100)
    expect(it.journal.bytes).toBeLessThanOrEqual(journalBytesMax)
    expect(it.counted).toEqual(await it.onDisk())
  })

  test('is cut off before the seal is on the disk', async () => {
    const it = await opened()
    for (let i = 0; i < 20; i++) await commit(it, 10 * i)
    expect(it.counted).toEqual(await it.onDisk())
    await it.platform.clock.advance(5000)
    const sealed = it.platform.files.get(SEALED) as Uint8Array
    expect(sealed.length).toBe(it.sealed[0]?.bytes as number)
    expect(it.counted).toEqual(await it.onDisk())
    const look = await lookAt(it.platform.files, LANE, 1)
    expect(look).toMatchObject({ kind: 'segment', records: 20, damage: [] })
    const log = it.platform.files.log.filter((line) => line.includes('1.open'))
    expect(log.slice(-3)).toEqual([`truncate ${OPEN} ${sealed.length}`, `datasync ${OPEN}`, `rename ${OPEN} ${SEALED}`])
  })

  test('is no damage to who looks, nor to the start after a kill, which tells of no torn frame', async () => {
    const it = await opened()
    for (let i = 0; i < 5; i++) await commit(it, 40)
    const look = await lookAt(it.platform.files, LANE, 1)
    expect(look).toMatchObject({ kind: 'segment', records: 5, damage: [] })
    const again = await opened(memoryPlatform(2, it.platform.files.killed()))
    expect(again.kinds).toEqual(['journal-recovered'])
    expect((await again.records()).length).toBe(5)
    expect(again.platform.files.get(SEALED)?.length).toBe(again.sealed[0]?.bytes as number)
    expect(again.counted).toEqual(await again.onDisk())
  })

  test.each([0, 30])(
    'that cannot be made, of which %i bytes were written, keeps no record from its ack',
    async (written) => {
      const it = await opened()
      await commit(it, 100)
      // The frame's own is the first.
      it.platform.files.fail('write', /1\.open$/, 'ENOSPC', written, 1)
      await commit(it, 100)
      expect(it.counted).toEqual(await it.onDisk())
      for (let i = 0; i < 5; i++) await commit(it, 100)
      expect(writes(it).filter((line) => line.endsWith('failed ENOSPC'))).toHaveLength(1)
      expect(it.answers.every(({ receipt }) => receipt)).toBe(true)
      expect(it.kinds).toEqual([])
      await it.platform.clock.advance(5000)
      expect(it.sealed.map(({ records }) => records)).toEqual([it.answers.length])
      expect(it.counted).toEqual(await it.onDisk())
    },
  )
})

describe('a frame that a power loss left in room', () => {
  const before = segmentOf(HEADER, [[valueRecord('"a"')], [valueRecord(`"${'b'.repeat(700)}"`)]]).bytes
  const records: NewRecord[] = [valueRecord(`"${'c'.repeat(900)}"`), valueRecord(`"${'d'.repeat(800)}"`)]
  const frame = frameOf(records, 2)
  const behind = Buffer.alloc(3000)

  async function found(torn: Uint8Array, rest: Uint8Array = behind) {
    const files = new MemoryFiles()
    files.put(OPEN, Buffer.concat([before, torn, rest]))
    return await opened(memoryPlatform(1, files))
  }

  /** The frame's sectors, as places in it. */
  const sectors: { from: number; to: number }[] = []
  for (let from = 0; from < frame.length; ) {
    const to = Math.min(frame.length, from + SECTOR_BYTES - ((before.length + from) % SECTOR_BYTES))
    sectors.push({ from, to })
    from = to
  }

  test('is cut, whichever of its sectors are on the disk', async () => {
    expect(sectors.length).toBeGreaterThan(3)
    for (let missing = 1; missing < 2 ** sectors.length; missing++) {
      const torn = Buffer.from(frame)
      sectors.forEach(({ from, to }, i) => {
        if (missing & (1 << i)) torn.fill(0, from, to)
      })
      const it = await found(torn)
      expect((await it.records()).map(({ text }) => text[1])).toEqual(['a', 'b'])
      const isAllGone = missing === 2 ** sectors.length - 1
      expect([missing, it.kinds.includes('journal-torn-tail')]).toEqual([missing, !isAllGone])
      expect(it.platform.files.get(SEALED)?.length).toBe(before.length + SEAL_BYTES)
      expect(it.counted).toEqual(await it.onDisk())
    }
  })

  test('is cut where its header straddles two sectors and only one of them came', async () => {
    for (let inFirst = 1; inFirst < 32; inFirst++) {
      const fill = SECTOR_BYTES - ((before.length + inFirst) % SECTOR_BYTES)
      const filler = frameOf([valueRecord(`"${'f'.repeat(fill + SECTOR_BYTES - 32 - 24 - 7 - 2)}"`)], 2)
      const start = before.length + filler.length
      expect((start + inFirst) % SECTOR_BYTES).toBe(0)
      for (const isFirst of [true, false]) {
        const torn = Buffer.from(frameOf(records, 3))
        if (isFirst) torn.fill(0, inFirst, inFirst + SECTOR_BYTES)
        else torn.fill(0, 0, inFirst)
        const it = await found(filler, Buffer.concat([torn, behind]))
        expect([inFirst, it.kinds.includes('journal-torn-tail')]).toEqual([inFirst, true])
        expect(it.platform.files.get(SEALED)?.length).toBe(start + SEAL_BYTES)
      }
    }
  })

  test('is cut where its end is missing, from any byte on', async () => {
    for (let length = 1; length < frame.length; length++) {
      const torn = Buffer.from(frame).fill(0, length)
      const it = await found(torn)
      expect([length, it.kinds.includes('journal-torn-tail')]).toEqual([length, true])
      expect(it.platform.files.get(SEALED)?.length).toBe(before.length + SEAL_BYTES)
    }
  })

  test('is kept, to be set aside, where all of it came and a bit is wrong: it may have been acked', async () => {
    for (let at = 0; at < frame.length; at++) {
      // A length beyond the file's end is that of one that was cut there.
      if (at >= 12 && at < 16) continue
      const damaged = Buffer.from(frame)
      damaged[at] = (damaged[at] as number) ^ 0x01
      const it = await found(damaged)
      expect([at, it.kinds.includes('journal-torn-tail')]).toEqual([at, false])
      const kept = Buffer.from(it.platform.files.get(SEALED) as Uint8Array)
      expect(kept.subarray(before.length, before.length + frame.length).equals(damaged)).toBe(true)
    }
  })

  test('is kept, too, where something is behind it: the next frame is written when this one is on the disk', async () => {
    const torn = Buffer.from(frame)
    const { from, to } = sectors[1] as { from: number; to: number }
    torn.fill(0, from, to)
    const next = Buffer.from(frameOf([valueRecord(`"${'e'.repeat(600)}"`)], 4))
    next.fill(0, 300, 400)
    const it = await found(torn, Buffer.concat([next, behind]))
    expect(it.kinds).not.toContain('journal-torn-tail')
  })

  test.each([
    ['can be read', 363],
    ['is partly in it', 373],
  ])('is kept where its header %s and frames are behind it, of which the last is torn', async (_what, characters) => {
    const value = (length: number) => valueRecord(`"${'v'.repeat(length)}"`)
    const { bytes, starts } = segmentOf(HEADER, [[value(characters)], [value(700)], [value(300)]])
    const [, second = 0, third = 0] = starts
    expect(second).toBeLessThan(SECTOR_BYTES)
    expect(second + 32).toBeGreaterThan(SECTOR_BYTES)
    const damaged = Buffer.from(bytes).fill(0, SECTOR_BYTES, 2 * SECTOR_BYTES)
    expect(third).toBeGreaterThan(2 * SECTOR_BYTES)
    const files = new MemoryFiles()
    files.put(OPEN, Buffer.concat([damaged.subarray(0, third + 150), behind]))
    const it = await opened(memoryPlatform(1, files))
    expect(it.kinds).not.toContain('journal-torn-tail')
    const kept = it.platform.files.get(SEALED)
    expect(kept?.subarray(second, third + 150)).toEqual(new Uint8Array(damaged.subarray(second, third + 150)))
  })

  test('is kept where its header tells that what is behind it is another’s', async () => {
    const value = (length: number) => valueRecord(`"${'v'.repeat(length)}"`)
    const { bytes, starts } = segmentOf(HEADER, [[value(363)], [value(700)], [value(300)]])
    const [, second = 0, third = 0] = starts
    const damaged = Buffer.from(bytes)
      .fill(0, SECTOR_BYTES, 2 * SECTOR_BYTES)
      .fill(0, third, 3 * SECTOR_BYTES)
    expect(bytes.length).toBeGreaterThan(3 * SECTOR_BYTES)
    const files = new MemoryFiles()
    files.put(OPEN, damaged)
    const it = await opened(memoryPlatform(1, files))
    expect(it.kinds).not.toContain('journal-torn-tail')
    expect(it.platform.files.get(SEALED)?.subarray(second, second + 20)).toEqual(
      new Uint8Array(bytes.subarray(second, second + 20)),
    )
  })
})
