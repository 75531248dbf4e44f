/** What a start makes of what it finds: whole frames are kept, torn tails cut, damage left in its place, strangers left alone. */

import { describe, expect, test } from 'bun:test'
import type { NewRecord, SealedSegment } from '../../src/journal/journal.ts'
import { encodeHeader, HEADER_BYTES, LAYOUT_VERSION, SEAL_BYTES } from '../../src/journal/layout.ts'
import { Fault } from '../../src/observe/errors.ts'
import { MemoryFiles } from '../memory-files.ts'
import { memoryPlatform, quiet, SeededRandom } from '../memory-platform.ts'
import { LANE, opened } from './opened.ts'
import { frameOf, HEADER, recordsIn, segmentOf, valueRecord } from './segment-files.ts'

const FRAMES: readonly (readonly NewRecord[])[] = [
  [valueRecord('"a"'), valueRecord('"b"')],
  [valueRecord('[1,2,3]', { kind: 'array', payloads: 3 })],
  [valueRecord('"d"', { source: 'ü' }), valueRecord('"e"')],
]
const SEGMENT = segmentOf(HEADER, FRAMES)
const OPEN = `${LANE}/0000000000000001.open`
const SEALED = `${LANE}/0000000000000001.sealed`
const NEXT = `${LANE}/0000000000000002.open`

/** Opens a journal in a lane that holds these files. */
async function found(contents: Record<string, Uint8Array>) {
  const files = new MemoryFiles()
  for (const [path, bytes] of Object.entries(contents)) files.put(path, bytes)
  return await opened(memoryPlatform(1, files))
}

const texts = (frames: readonly (readonly NewRecord[])[]) =>
  frames.flat().map(({ body }) => Buffer.from(body).toString())

/** `bytes` with one bit turned. */
function damaged(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[at] = (copy[at] as number) ^ 0x10
  return copy
}

/** Without the zeros at the end: they are room for frames that never came. */
function withoutRoom(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1)
}

describe('an open segment that a crash left', () => {
  test('cut at any byte keeps exactly its whole frames, and says what was cut off', async () => {
    const { bytes, starts } = SEGMENT
    for (let length = HEADER_BYTES; length <= bytes.length; length++) {
      const whole = starts.filter((start) => start <= length).length - 1
      const end = starts[whole] as number
      const it = await found({ [OPEN]: bytes.subarray(0, length) })
      expect([length, (await it.records()).map(({ text }) => text)]).toEqual([length, texts(FRAMES.slice(0, whole))])
      const tails = it.events.filter(({ kind }) => kind === 'journal-torn-tail')
      const torn = withoutRoom(bytes.subarray(end, length)).length
      expect(tails).toEqual(length === end ? [] : [{ kind: 'journal-torn-tail', path: OPEN, bytes: torn }])
      expect(it.sealed.length).toBe(whole === 0 ? 0 : 1)
      expect(it.counted).toEqual(await it.onDisk())
    }
  })

  test('whose tail is full of zeros, or the beginning of a frame, is cut in the same place', async () => {
    const { bytes, starts } = SEGMENT
    const last = starts[2] as number
    for (const tail of [Buffer.alloc(500), Buffer.alloc(3 << 20), bytes.subarray(last, last + 40)]) {
      const it = await found({ [OPEN]: Buffer.concat([bytes.subarray(0, last), tail]) })
      expect((await it.records()).map(({ text }) => text)).toEqual(texts(FRAMES.slice(0, 2)))
      const tails = it.events.filter(({ kind }) => kind === 'journal-torn-tail')
      const torn = withoutRoom(tail).length
      expect(tails).toEqual(torn === 0 ? [] : [{ kind: 'journal-torn-tail', path: OPEN, bytes: torn }])
      expect(it.platform.files.get(SEALED)?.length).toBe(last + SEAL_BYTES)
    }
  })

  test('whose last frame is whole in length and wrong in content may have been acked: nothing of it is cut', async () => {
    const { bytes, starts } = SEGMENT
    const last = starts[2] as number
    const behind = [
      damaged(bytes.subarray(last), bytes.length - last - 1),
      Buffer.concat([Buffer.from('not a frame, then its magic: 1FRM'), Buffer.alloc(100)]),
      Buffer.concat([Buffer.alloc(32), bytes.subarray(0, 64)]),
    ]
    for (const tail of behind) {
      const it = await found({ [OPEN]: Buffer.concat([bytes.subarray(0, last), tail]) })
      expect((await it.records()).map(({ text }) => text)).toEqual(texts(FRAMES.slice(0, 2)))
      expect(it.kinds).not.toContain('journal-torn-tail')
      const kept = Buffer.from(it.platform.files.get(SEALED) as Uint8Array)
      const data = withoutRoom(tail)
      expect(kept.subarray(last, last + data.length)).toEqual(Buffer.from(data))
      expect(it.counted).toEqual(await it.onDisk())
    }
  })

  test('with nothing in it but damage is kept, to be set aside', async () => {
    const it = await found({ [OPEN]: Buffer.concat([SEGMENT.bytes.subarray(0, HEADER_BYTES), Buffer.alloc(80, 1)]) })
    expect(it.sealed.map(({ payloads }) => payloads)).toEqual([0])
  })

  test.each(['write', 'datasync'] as const)('is kept and announced when its seal fails at %s', async (operation) => {
    const files = new MemoryFiles()
    files.put(OPEN, SEGMENT.bytes)
    files.fail(operation, /0001\.open$/, 'ENOSPC', 50)
    const it = await opened(memoryPlatform(1, files))
    expect(files.get(OPEN)).toEqual(new Uint8Array(SEGMENT.bytes))
    expect(files.get(SEALED)).toBeUndefined()
    expect(it.sealed.map(({ payloads }) => payloads)).toEqual([7])
    expect(it.counted).toEqual(await it.onDisk())
  })

  test('becomes byte for byte the file that a close would have left', async () => {
    const it = await found({ [OPEN]: SEGMENT.bytes })
    expect(it.platform.files.get(SEALED)).toEqual(new Uint8Array(SEGMENT.sealed))
    expect(it.platform.files.get(OPEN)).toBeUndefined()
  })

  test('with its seal written already gets no second one, and a seal cut at any byte is written anew', async () => {
    for (let missing = 0; missing <= SEAL_BYTES; missing++) {
      const it = await found({ [OPEN]: SEGMENT.sealed.subarray(0, SEGMENT.sealed.length - missing) })
      expect(it.platform.files.get(SEALED)).toEqual(new Uint8Array(SEGMENT.sealed))
    }
  })

  test('is durable under its new name before it is announced', async () => {
    const it = await found({ [OPEN]: SEGMENT.bytes.subarray(0, SEGMENT.bytes.length - 1) })
    expect(it.platform.files.log.slice(1, 6)).toEqual([
      `truncate ${OPEN} ${SEGMENT.starts[2]}`,
      `write ${OPEN} ${SEGMENT.starts[2]}+${SEAL_BYTES}`,
      `datasync ${OPEN}`,
      `rename ${OPEN} ${SEALED}`,
      `sync-directory ${LANE}`,
    ])
    expect(it.platform.files.breaches).toEqual([])
  })

  test('keeps the places of its records in their receipts', async () => {
    const it = await found({ [OPEN]: SEGMENT.bytes })
    const receipts = (await it.records()).map(({ receipt }) => receipt)
    expect(receipts).toEqual([0, 1, 2, 3, 4].map((place) => `k3v9x2ab-0-1-0badcafe-${place}`))
  })

  test('with nothing in it stays, and is announced as empty, until its number is accounted for', async () => {
    const it = await found({ [OPEN]: SEGMENT.bytes.subarray(0, HEADER_BYTES) })
    expect([...it.platform.files.all().keys()]).toEqual([OPEN, NEXT])
    expect([it.events, it.sealed]).toEqual([[], []])
    expect(it.empty).toMatchObject([{ path: OPEN, number: 1, tag: HEADER.tag, records: 0, payloads: 0 }])
    expect(it.counted).toEqual(await it.onDisk())
    await it.journal.remove(it.empty[0] as SealedSegment)
    expect([...it.platform.files.all().keys()]).toEqual([NEXT])
    expect(it.counted).toEqual(await it.onDisk())
  })

  test.each([0, 1, 63])(
    'that was cut while it was made, at %i bytes, was never written to: no damage',
    async (length) => {
      const it = await found({ [OPEN]: SEGMENT.bytes.subarray(0, length) })
      expect(it.empty).toMatchObject([{ path: OPEN, number: 1, tag: '', records: 0 }])
      expect(it.kinds).not.toContain('journal-damage')
      expect(it.counted).toEqual(await it.onDisk())
    },
  )

  test('has a number that is not given again, and neither is one that is known from elsewhere', async () => {
    const files = new MemoryFiles()
    files.put(OPEN, SEGMENT.bytes)
    const it = await opened(memoryPlatform(1, files), { lastNumberGone: 41 })
    expect(it.append('1')).toBeDefined()
    await quiet()
    expect(it.answers[0]?.receipt).toContain('-0-42-')
  })
})

describe('damage', () => {
  test('in the middle leaves every frame around it, wherever it is, in an open segment', async () => {
    const { bytes, starts } = SEGMENT
    for (let at = starts[1] as number; at < (starts[2] as number); at++) {
      const it = await found({ [OPEN]: damaged(bytes, at) })
      expect([at, (await it.records()).map(({ text }) => text)]).toEqual([at, ['"a"', '"b"', '"d"', '"e"']])
      expect((await it.records()).map(({ receipt }) => receipt.split('-').at(-1))).toEqual(['0', '1', '3', '4'])
      expect(it.sealed.map(({ payloads }) => payloads)).toEqual([4])
      expect(it.kinds).not.toContain('journal-torn-tail')
    }
  })

  test('of many bytes, longer than what is read at once, is passed over to the next frame', async () => {
    const tail = frameOf(FRAMES[2] ?? [], 7)
    const junk = Buffer.from(new SeededRandom(5).bytes(3 << 20))
    // What looks like a frame and isn't one: the magic alone, just before a read's end, and across it.
    for (const at of [100, (1 << 20) - 2, (2 << 20) + 1, junk.length - 60]) junk.write('1FRM', at, 'latin1')
    junk.writeUInt8(1, 100 + 9)
    const it = await found({ [OPEN]: Buffer.concat([SEGMENT.bytes, junk, tail]) })
    expect((await it.records()).map(({ text }) => text)).toEqual([...texts(FRAMES), '"d"', '"e"'])
  })

  test('that ends just where a read ends hides no frame', async () => {
    for (let length = (1 << 20) - 5; length <= (1 << 20) + 5; length++) {
      const damage = Buffer.alloc(length, 0x7e)
      const it = await found({ [OPEN]: Buffer.concat([SEGMENT.bytes, damage, frameOf([valueRecord('"last"')], 5)]) })
      expect([length, (await it.records()).at(-1)?.text]).toEqual([length, '"last"'])
    }
  })

  test('of the seal only makes the start read the frames', async () => {
    for (let at = SEGMENT.bytes.length; at < SEGMENT.sealed.length; at++) {
      const it = await found({ [SEALED]: damaged(SEGMENT.sealed, at) })
      expect([at, it.sealed[0]?.payloads]).toEqual([at, SEGMENT.totals.payloads])
    }
  })

  test('of the header leaves the whole file to its delivery, which sets it aside; the start goes on', async () => {
    for (let at = 0; at < HEADER_BYTES; at++) {
      const bytes = damaged(SEGMENT.bytes, at)
      const it = await found({ [OPEN]: bytes })
      expect(it.sealed).toMatchObject([{ path: SEALED, number: 1, tag: '', payloads: 0, bytes: bytes.length }])
      expect(it.platform.files.get(SEALED)).toEqual(bytes)
    }
  })
})

describe('a sealed segment', () => {
  test('is announced with what its seal says, unread', async () => {
    const it = await found({ [SEALED]: SEGMENT.sealed })
    const { records, payloads, recordBytes } = SEGMENT.totals
    const { tag } = HEADER
    const bytes = SEGMENT.sealed.length
    expect(it.sealed).toEqual([{ path: SEALED, number: 1, tag, records, payloads, recordBytes, bytes }])
    expect(it.platform.files.get(NEXT)).toHaveLength(HEADER_BYTES)
    expect(it.platform.files.get(SEALED)).toEqual(new Uint8Array(SEGMENT.sealed))
  })

  test('without a seal is counted by reading it', async () => {
    const it = await found({ [SEALED]: SEGMENT.bytes })
    const { recordBytes } = SEGMENT.totals
    expect(it.sealed).toMatchObject([{ records: 5, payloads: 7, recordBytes, bytes: SEGMENT.bytes.length }])
  })

  test('that is empty or has no header does not stop the start', async () => {
    const other = `${LANE}/0000000000000009.sealed`
    const it = await found({ [SEALED]: new Uint8Array(0), [other]: damaged(SEGMENT.bytes, 3) })
    expect(it.sealed.map(({ number, payloads }) => [number, payloads])).toEqual([
      [1, 0],
      [9, 0],
    ])
  })
})

test('segments are announced in the order of their numbers, and their totals reported', async () => {
  const segment = (number: number) => segmentOf({ ...HEADER, number }, FRAMES)
  const name = (number: number, state: string) => `${LANE}/${`${number}`.padStart(16, '0')}.${state}`
  const it = await found({
    [name(12, 'open')]: segment(12).bytes,
    [name(2, 'sealed')]: segment(2).sealed,
    [name(10, 'sealed')]: segment(10).sealed,
  })
  expect(it.sealed.map(({ number }) => number)).toEqual([2, 10, 12])
  const bytes = SEGMENT.sealed.length * 3
  expect(it.events).toEqual([{ kind: 'journal-recovered', segments: 3, payloads: 21, bytes }])
  expect(it.platform.files.get(name(13, 'open'))).toHaveLength(HEADER_BYTES)
  expect(it.counted).toEqual(await it.onDisk())
})

test.each(['open', 'sealed'])(
  'an %s segment of a newer version stops the start, and nothing was changed',
  async (state) => {
    const header = Buffer.from(encodeHeader({ ...HEADER, number: 2 }))
    header.writeUInt16LE(LAYOUT_VERSION + 1, 8)
    header.writeUInt32LE(Bun.hash.crc32(header.subarray(0, 60)), 60)
    const files = new MemoryFiles()
    files.put(OPEN, SEGMENT.bytes.subarray(0, SEGMENT.bytes.length - 5))
    files.put(`${LANE}/0000000000000002.${state}`, header)
    const before = files.all()
    const error = await opened(memoryPlatform(1, files)).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(Fault)
    expect((error as Fault).code).toBe('journal_newer')
    expect((error as Fault).message).toContain(`0000000000000002.${state} has layout version ${LAYOUT_VERSION + 1}`)
    expect(files.all()).toEqual(before)
    expect(files.log).toEqual(['sync-directory data'])
  },
)

test('files of others are left alone and reported; the directories for set-aside bytes are not', async () => {
  const note = `${LANE}/notes.txt`
  const backup = `${LANE}/0000000000000001.sealed.bak`
  const kept = `${LANE}/corrupt/0000000000000001-64.bytes`
  const contents = {
    [note]: Buffer.from('mine'),
    [backup]: SEGMENT.sealed,
    [kept]: Buffer.from('x'),
    [`${LANE}/dead/1`]: Buffer.from('y'),
  }
  const it = await found(contents)
  expect(it.events).toEqual([
    { kind: 'journal-foreign-file', path: backup },
    { kind: 'journal-foreign-file', path: note },
  ])
  for (const [path, bytes] of Object.entries(contents))
    expect(it.platform.files.get(path)).toEqual(Uint8Array.from(bytes))
})

test('how far a delivery has come stays with its segment, and goes where that is gone', async () => {
  const own = SEALED.replace('.sealed', '.progress')
  const orphan = `${LANE}/0000000000000099.progress`
  const it = await found({ [SEALED]: SEGMENT.sealed, [own]: Buffer.from('a'), [orphan]: Buffer.from('b') })
  expect(it.events.filter(({ kind }) => kind === 'journal-foreign-file')).toEqual([])
  expect([it.platform.files.get(own), it.platform.files.get(orphan)]).toEqual([Uint8Array.from([0x61]), undefined])
})

test('a start after a start finds the same, whatever it was that it found', async () => {
  const cases = [
    SEGMENT.bytes,
    SEGMENT.sealed,
    SEGMENT.bytes.subarray(0, SEGMENT.bytes.length - 3),
    damaged(SEGMENT.bytes, (SEGMENT.starts[1] as number) + 40),
  ]
  for (const bytes of cases) {
    const first = await found({ [OPEN]: bytes })
    const again = await opened(memoryPlatform(2, first.platform.files.killed()))
    expect(again.sealed).toEqual(first.sealed)
    expect(again.platform.files.get(SEALED)).toEqual(first.platform.files.get(SEALED))
    expect(await recordsIn(again.platform.files, SEALED)).toEqual(await recordsIn(first.platform.files, SEALED))
  }
})
