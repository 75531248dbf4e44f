/** Group commit: nothing is acknowledged before it is durable, and what arrives together is synced together. */

import { describe, expect, test } from 'bun:test'
import { FRAME_HEADER_BYTES, HEADER_BYTES, SEAL_BYTES } from '../../src/journal/layout.ts'
import { memoryPlatform, quiet } from '../memory-platform.ts'
import { LANE, opened } from './opened.ts'
import { recordsIn, valueRecord } from './segment-files.ts'

const FIRST = `${LANE}/0000000000000001`
const SECOND = `${LANE}/0000000000000002`

const large = (name: string, bytes: number) => `"${name}${'x'.repeat(bytes)}"`

/** What follows opening in the log. */
const after = (log: readonly string[]) => log.slice(log.lastIndexOf(`sync-directory ${LANE}`) + 1)

describe('an append', () => {
  test('is answered after the write and the sync of its frame, in this order', async () => {
    const { platform, append } = bound(await opened())
    append('"a"')
    await quiet()
    expect(after(platform.files.log)).toEqual([
      `write ${FIRST}.open 64+${FRAME_HEADER_BYTES + 24 + 7 + 3}`,
      `datasync ${FIRST}.open`,
      'receipt for "a"',
    ])
  })

  test('finds the segment durable with its header and its name', async () => {
    const { platform } = await opened()
    expect(platform.files.log.slice(-4)).toEqual([
      `open ${FIRST}.open`,
      `write ${FIRST}.open 0+64`,
      `datasync ${FIRST}.open`,
      `sync-directory ${LANE}`,
    ])
  })

  test('is not answered while its sync runs, however long that takes', async () => {
    const { platform, append } = bound(await opened())
    const release = platform.files.hold('datasync', /0001\.open$/)
    const answer = append('1')
    await platform.clock.advance(60_000)
    expect(answer.receipt).toBeUndefined()
    release()
    await quiet()
    expect(answer.receipt).toEndWith('-0')
  })

  test('right after an answer is answered too: nobody is forgotten between two commits', async () => {
    const { journal } = await opened()
    const record = { kind: 'value', body: Buffer.from('1'), payloads: 1, receivedAtMs: 0, source: 'x' } as const
    const receipts: string[] = []
    const append = () =>
      new Promise<string>((kept, refused) => {
        journal.append(record, { kept, refused })
      })
    // An append that comes so many turns after an answer: whenever the commits pause, it must start them again.
    for (let turns = 0; turns < 12; turns++) {
      void (async () => {
        await append()
        for (let turn = 0; turn < turns; turn++) await undefined
        receipts.push(await append())
      })()
      await quiet()
      expect(receipts).toHaveLength(turns + 1)
    }
  })

  test('copies the body before the sync, and says so once: its memory may be used again', async () => {
    const it = await opened()
    const copied: string[] = []
    for (const text of ['"kept"', large('waits', 600_000), large('waits too', 600_000)]) {
      const record = valueRecord(text)
      const free = () => {
        copied.push(text.slice(0, 8))
        record.body.fill(0x20)
      }
      it.journal.append(record, { copied: free, kept() {}, refused() {} })
    }
    // The third doesn't fit the frame.
    expect(copied).toEqual(['"kept"', '"waitsxx'])
    await quiet()
    expect(copied).toEqual(['"kept"', '"waitsxx', '"waits t'])
    expect((await it.records()).map(({ text }) => text.slice(0, 8))).toEqual(copied)
  })

  test('of a body that is gone is a fault, and nothing is acked for it', async () => {
    const it = await opened()
    const waiter = { kept: () => it.platform.files.log.push('kept'), refused() {} }
    expect(() => it.journal.append(valueRecord(''), waiter)).toThrow('gone before it was copied')
    await quiet()
    expect(it.platform.files.log).not.toContain('kept')
  })
})

describe('records that arrive during a sync', () => {
  test('share the next frame and one sync', async () => {
    const { platform, append, answers } = bound(await opened())
    const release = platform.files.hold('datasync', /0001\.open$/)
    append('0')
    await quiet()
    for (let i = 1; i <= 450; i++) append(`${i}`)
    await quiet()
    expect(answers.filter(({ receipt }) => receipt)).toHaveLength(0)
    release()
    await quiet()
    const log = after(platform.files.log)
    // Two frames, and room behind the second.
    expect(log.filter((line) => line.startsWith('write'))).toHaveLength(3)
    expect(log.filter((line) => line.startsWith('datasync'))).toHaveLength(2)
    expect(answers.filter(({ receipt }) => receipt)).toHaveLength(451)
  })

  test('and those before them get receipts that are unique and name their segment and place', async () => {
    const it = await opened()
    const { platform, append, answers } = bound(it)
    for (let i = 0; i < 20; i++) {
      append(`${i}`)
      if (i % 3 === 0) await quiet()
      if (i === 10) await platform.clock.advance(5000)
    }
    await quiet()
    expect(new Set(answers.map(({ receipt }) => receipt)).size).toBe(20)
    const found = new Map((await it.records()).map(({ receipt, text }) => [receipt, text]))
    for (const { receipt, text } of answers) expect([receipt, found.get(receipt ?? '')]).toEqual([receipt, text])
    expect(answers[0]?.receipt).toMatch(/^k3v9x2ab-0-1-[0-9a-f]{8}-0$/)
    expect(answers[19]?.receipt).toMatch(/^k3v9x2ab-0-2-[0-9a-f]{8}-8$/)
  })
})

describe('more than a frame holds', () => {
  test('goes into the frames after it, in the order of arrival, small records behind large ones too', async () => {
    const it = await opened()
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const sizes = [400_000, 700_000, 10, 600_000, 10, 500_000, 1_000_000, 10]
    for (const [i, name] of names.entries()) it.append(large(name, sizes[i] as number))
    await quiet()
    expect((await it.records()).map(({ text }) => text[1])).toEqual(names)
    const receipts = it.answers.map(({ receipt }) => Number(receipt?.split('-').at(-1)))
    expect(receipts).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    // a | b c | d e | f | g h: each frame takes what fits in 1 MiB.
    const lengths = it.platform.files.log.flatMap(
      (line) => /write .* \d+\+(\d{5,})/.exec(line)?.slice(1).map(Number) ?? [],
    )
    expect(lengths).toHaveLength(5)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1 << 20)
  })

  test('in one record still goes into one frame', async () => {
    const it = await opened()
    const before = it.append('1')
    const huge = it.append(large('huge', 3 << 20))
    const behind = it.append('2')
    await quiet()
    expect([before, huge, behind].map(({ receipt }) => receipt?.split('-').at(-1))).toEqual(['0', '1', '2'])
    expect((await it.records()).map(({ text }) => text.length)).toEqual([1, (3 << 20) + 6, 1])
    expect(it.counted).toEqual(await it.onDisk())
  })

  test('that waits is refused with the rest when the sync fails, and counted no longer', async () => {
    const it = await opened()
    it.platform.files.fail('datasync', /0001\.open$/, 'EIO')
    for (const name of ['a', 'b', 'c', 'd']) it.append(large(name, 600_000))
    await quiet()
    expect(it.answers.map(({ refusal }) => refusal)).toEqual(Array(4).fill('journal_failed'))
    expect(it.journal.payloads).toBe(0)
  })
})

describe('sealing', () => {
  test('happens at the age of the first record, and not before', async () => {
    const it = await opened()
    await it.platform.clock.advance(60_000)
    it.append('1')
    await it.platform.clock.advance(3000)
    it.append('2')
    await it.platform.clock.advance(1999)
    expect(it.sealed).toEqual([])
    await it.platform.clock.advance(1)
    const bytes = it.platform.files.get(`${FIRST}.sealed`)?.length as number
    expect(it.sealed).toMatchObject([{ path: `${FIRST}.sealed`, number: 1, records: 2, payloads: 2, bytes }])
    expect(it.events).toEqual([{ kind: 'segment-sealed', segment: 1, payloads: 2, bytes }])
  })

  test('never happens to a segment without records', async () => {
    const it = await opened()
    await it.platform.clock.advance(3_600_000)
    expect([...it.platform.files.all().keys()]).toEqual([`${FIRST}.open`])
    expect(it.sealed).toEqual([])
  })

  test('makes the next file durable before the full one loses its name', async () => {
    const it = await opened()
    it.append('1')
    await it.platform.clock.advance(5000)
    expect(after(it.platform.files.log.slice(0, -1)).slice(-3)).toEqual([
      `write ${FIRST}.open ${64 + 32 + 24 + 7 + 1}+64`,
      `datasync ${FIRST}.open`,
      `rename ${FIRST}.open ${FIRST}.sealed`,
    ])
    expect(it.platform.files.log.at(-1)).toBe(`sync-directory ${LANE}`)
    const log = it.platform.files.log
    expect(log.indexOf(`write ${SECOND}.open 0+64`)).toBeLessThan(log.indexOf(`rename ${FIRST}.open ${FIRST}.sealed`))
  })

  test('happens before the lines of a segment come to more than an object holds', async () => {
    const it = await opened(memoryPlatform(), { objectBytesMax: 1000, lineExtraBytes: 100 })
    for (let i = 0; i < 30; i++) {
      it.append(`"${'y'.repeat(i * 7)}"`)
      await quiet()
    }
    await it.journal.close()
    expect(it.sealed.length).toBeGreaterThan(6)
    for (const { path } of it.sealed) {
      const records = await recordsIn(it.platform.files, path)
      const lineBytes = records.reduce((sum, { text, source }) => sum + 24 + source.length + text.length + 100, 0)
      expect(lineBytes).toBeLessThanOrEqual(1000)
    }
    // None was sealed while there was room: two neighbours never fit into one.
    const lineBytes = it.sealed.map(({ bytes, payloads }) => bytes - HEADER_BYTES - SEAL_BYTES + payloads * (100 - 32))
    for (let i = 1; i < lineBytes.length; i++) {
      expect((lineBytes[i - 1] as number) + (lineBytes[i] as number)).toBeGreaterThan(1000)
    }
  })

  test('gives a record that is larger than an object a segment of its own', async () => {
    const it = await opened(memoryPlatform(), { objectBytesMax: 1000 })
    for (const size of [10, 5000, 10]) {
      it.append(`"${'y'.repeat(size)}"`)
      await quiet()
    }
    await it.journal.close()
    expect(it.sealed.map(({ payloads }) => payloads)).toEqual([1, 1, 1])
  })

  test('does not keep the next records waiting', async () => {
    const it = await opened()
    const release = it.platform.files.hold('rename', /0001\.open$/)
    it.append('1')
    await it.platform.clock.advance(5000)
    const next = it.append('2')
    await quiet()
    expect(next.receipt).toContain('-0-2-')
    expect(it.sealed).toEqual([])
    release()
    await quiet()
    expect(it.sealed).toHaveLength(1)
  })

  test('announces segments in the order of their numbers, each once', async () => {
    const it = await opened(memoryPlatform(), { objectBytesMax: 150 })
    const release = it.platform.files.hold('rename', /0001\.open$/)
    for (let i = 0; i < 6; i++) {
      it.append(`${i}`)
      await quiet()
    }
    expect(it.sealed).toEqual([])
    release()
    await quiet()
    expect(it.sealed.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5])
  })
})

describe('close', () => {
  test('answers the appends in flight, seals what holds records, and refuses what comes later', async () => {
    const it = await opened()
    const release = it.platform.files.hold('datasync', /0001\.open$/)
    it.append('1')
    await quiet()
    it.append('2')
    const closed = it.journal.close()
    const late = it.append('3')
    await quiet()
    expect(late.refusal).toBe('stopping')
    release()
    await closed
    expect(it.answers.map(({ receipt }) => receipt?.split('-').at(-1))).toEqual(['0', '1', undefined])
    expect(it.sealed.map(({ payloads }) => payloads)).toEqual([2])
    expect([...it.platform.files.all().keys()]).toEqual([`${FIRST}.sealed`, `${SECOND}.open`])
    expect(it.append('4').receipt).toBeUndefined()
    await it.platform.clock.advance(60_000)
    expect(it.sealed).toHaveLength(1)
    expect(it.platform.files.breaches).toEqual([])
  })

  test('leaves an empty segment as it is, so that its number is never used again', async () => {
    const it = await opened()
    await it.journal.close()
    expect([...it.platform.files.all().keys()]).toEqual([`${FIRST}.open`])
    const next = await opened(memoryPlatform(2, it.platform.files.killed()))
    expect([...next.platform.files.all().keys()]).toEqual([`${FIRST}.open`, `${SECOND}.open`])
    expect(next.empty.map(({ number }) => number)).toEqual([1])
  })
})

test('numbers never go back over restarts, whatever was delivered and removed in between', async () => {
  let platform = memoryPlatform(1)
  const numbers: number[] = []
  for (let start = 0; start < 6; start++) {
    const it = await opened(platform)
    it.append('1')
    await quiet()
    numbers.push(Number(it.answers[0]?.receipt?.split('-')[2]))
    if (start % 2 === 0) await it.journal.close()
    for (const segment of it.sealed) await it.journal.remove(segment)
    platform = memoryPlatform(start + 2, it.platform.files.killed())
  }
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  expect(new Set(numbers).size).toBe(6)
})

function bound(it: Awaited<ReturnType<typeof opened>>) {
  return { ...it, platform: it.platform, answers: it.answers, append: it.append.bind(it) }
}
