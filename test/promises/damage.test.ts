/** A damaged journal: the start succeeds, the damage is set aside and reported, and everything else is delivered. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { LAYOUT_VERSION, SEAL_BYTES } from '../../src/journal/layout.ts'
import { verify } from '../commands/whole-data.ts'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { BUCKET, s3Env } from '../s3-store.ts'
import { seeded } from '../seeded.ts'

/** How many records each of the segments holds, in a frame of its own each. */
const RECORDS = 20
/** What the journal holds, which was acked and not delivered: three segments that a start has sealed, and an open one. */
const SEGMENTS = {
  first: '0000000000000001.sealed',
  second: '0000000000000002.sealed',
  third: '0000000000000003.sealed',
  open: '0000000000000004.open',
}
const NEW = '"posted after the start"'

/** Made once by the real program; each test spoils a copy. */
const made = new Scratch()
const ledger = new Ledger(seeded(1))

beforeAll(async () => {
  const args = ['--data', made.at('data'), '--to', `s3://${BUCKET}`, '--linger', '10m']
  for (let segment = 1; segment <= Object.keys(SEGMENTS).length; segment++) {
    await using millrace = await Millrace.start(args, s3Env('http://127.0.0.1:9'))
    // One client: each post is synced alone.
    await ledger.run(millrace.url, 1, () => ledger.kept.size === segment * RECORDS)
    await millrace.kill()
  }
  expect(readdirSync(made.at('data/lane-0')).sort()).toEqual(Object.values(SEGMENTS))
})

afterAll(() => made[Symbol.dispose]())

/** What a test did to the journal, and what has to come of it. */
interface Spoiled {
  /** Receipts of what it destroyed. */
  damaged?: readonly string[]
  /** A stretch that is set aside: the segment, and its bytes from `offset` to `end` as they were found. */
  setAside?: { segment: string; offset: number; end: number }
  /** What the log says, and how often it says `error` or `warning`. */
  says: readonly RegExp[]
  /** How many payloads the ledger then has as dead, where that is known. */
  dead?: number
}

const SPOILS: Readonly<Record<string, (lane: string) => Spoiled>> = {
  'a bit that flipped in the middle of a sealed segment': (lane) => flipped(lane, SEGMENTS.second, 10),
  'a bit that flipped in the middle of an open segment': (lane) => flipped(lane, SEGMENTS.open, 10),
  'a bit that flipped in the last record of an open segment': (lane) => flipped(lane, SEGMENTS.open, RECORDS - 1),
  'a sealed segment that was truncated': (lane) => {
    const { start, middle } = recordIn(lane, SEGMENTS.second, 10)
    truncateSync(`${lane}/${SEGMENTS.second}`, middle)
    return {
      damaged: receiptsIn(SEGMENTS.second).slice(10),
      setAside: { segment: SEGMENTS.second, offset: start, end: middle },
      says: [/error: .*0002\.sealed: \d+ bytes at \d+ are damaged and kept in .*; the rest is delivered/],
    }
  },
  'a sealed segment that is empty': (lane) => {
    truncateSync(`${lane}/${SEGMENTS.second}`, 0)
    return {
      damaged: receiptsIn(SEGMENTS.second),
      setAside: { segment: SEGMENTS.second, offset: 0, end: 0 },
      says: [/error: .*0002\.sealed: 0 bytes at 0 are damaged/],
    }
  },
  'a sealed segment that was cut where a record ends': (lane) => {
    const { start } = recordIn(lane, SEGMENTS.second, 10)
    truncateSync(`${lane}/${SEGMENTS.second}`, start)
    return {
      damaged: receiptsIn(SEGMENTS.second).slice(10),
      says: [new RegExp(`error: .*0002\\.sealed: its seal is missing: what was behind offset ${start} is unknown`)],
      dead: 0,
    }
  },
  'a sealed segment without its seal': (lane) => {
    const path = `${lane}/${SEGMENTS.second}`
    truncateSync(path, statSync(path).size - SEAL_BYTES)
    return { says: [/error: .*0002\.sealed: its seal is missing/], dead: 0 }
  },
  'a sealed segment that a record was cut out of': (lane) => {
    const path = `${lane}/${SEGMENTS.second}`
    const { start, end } = recordIn(lane, SEGMENTS.second, 10)
    const bytes = readFileSync(path)
    writeFileSync(path, Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]))
    return {
      damaged: [receiptsIn(SEGMENTS.second)[10] as string],
      says: [/error: .*0002\.sealed: its frames are not those of its seal: 19 with \d+ payloads, .* 20 and \d+/],
      dead: ledger.kept.get(receiptsIn(SEGMENTS.second)[10] as string)?.length ?? 0,
    }
  },
  'two sealed segments whose names are exchanged': (lane) => {
    const [one, two] = [`${lane}/${SEGMENTS.first}`, `${lane}/${SEGMENTS.second}`]
    const bytes = readFileSync(one)
    cpSync(two, one)
    writeFileSync(two, bytes)
    return {
      damaged: [...receiptsIn(SEGMENTS.first), ...receiptsIn(SEGMENTS.second)],
      says: [
        /error: .*0001\.sealed: its header is that of segment 2 of lane 0/,
        /error: .*0001\.sealed: [\d,]+ bytes at 0 are damaged/,
        /error: .*0002\.sealed: its header is that of segment 1 of lane 0/,
        /error: .*0002\.sealed: [\d,]+ bytes at 0 are damaged/,
      ],
    }
  },
  'a sealed segment that is there under another number as well': (lane) => {
    cpSync(`${lane}/${SEGMENTS.second}`, `${lane}/0000000000000005.sealed`)
    return { says: [/0005\.sealed: its header is that of segment 2 of/, /0005\.sealed: [\d,]+ bytes at 0 are damaged/] }
  },
  'a header that is broken': (lane) => {
    const bytes = flipBit(`${lane}/${SEGMENTS.third}`, 50)
    return {
      damaged: receiptsIn(SEGMENTS.third),
      setAside: { segment: SEGMENTS.third, offset: 0, end: bytes.length },
      says: [/error: .*0003\.sealed: [\d,]+ bytes at 0 are damaged/],
    }
  },
  'the beginning of a frame at the end of the open segment': (lane) => {
    const path = `${lane}/${SEGMENTS.open}`
    const { start, middle } = recordIn(lane, SEGMENTS.open, 0)
    const { end } = recordIn(lane, SEGMENTS.open, RECORDS - 1)
    const bytes = readFileSync(path)
    writeFileSync(path, Buffer.concat([bytes.subarray(0, end), bytes.subarray(start, middle)]))
    return { says: [/warning: .*0004\.open: cut \d+ bytes that a crash left half-written/] }
  },
  'a frame in the room of the open segment, of which a sector came': (lane) => {
    const path = `${lane}/${SEGMENTS.open}`
    const { start, end: frameEnd } = recordIn(lane, SEGMENTS.open, 0)
    const { end } = recordIn(lane, SEGMENTS.open, RECORDS - 1)
    const bytes = readFileSync(path)
    const isRoom = bytes.subarray(end, end + (frameEnd - start)).every((byte) => byte === 0)
    expect([isRoom, bytes.length > end + (frameEnd - start)]).toEqual([true, true])
    const cut = 512 - (end % 512)
    bytes.copy(bytes, end, start, Math.min(frameEnd - 1, start + cut))
    writeFileSync(path, bytes)
    return { says: [/warning: .*0004\.open: cut \d+ bytes that a crash left half-written/] }
  },
  'an open segment that is empty': (lane) => {
    writeFileSync(`${lane}/0000000000000005.open`, '')
    return { says: [] }
  },
  'files of others': (lane) => {
    writeFileSync(`${lane}/notes.txt`, 'mine')
    writeFileSync(`${lane}/${SEGMENTS.first}.bak`, 'mine')
    mkdirSync(`${lane}/lost+found`)
    return {
      says: [
        /warning: .*\/notes\.txt is not a segment; left alone/,
        /warning: .*\.sealed\.bak is not a segment; left alone/,
        /warning: .*\/lost\+found is not a segment; left alone/,
      ],
    }
  },
}

test.each(Object.entries(SPOILS))('%s', async (_name, spoil) => {
  using scratch = new Scratch()
  cpSync(made.at('data'), scratch.at('data'), { recursive: true })
  const lane = scratch.at('data/lane-0')
  const { damaged = [], setAside, says, dead } = spoil(lane)
  const found = setAside && readFileSync(`${lane}/${setAside.segment}`).subarray(setAside.offset, setAside.end)
  const isHeard = says.some((words) => String(words).startsWith('/error'))
  const isJournal = ({ kind }: { kind: string }) => kind === 'journal_damage'
  if (isHeard) expect((await verify(scratch.at('data'))).report.problems.filter(isJournal)).not.toEqual([])
  const others = readdirSync(lane).filter((name) => !/^\d{16}\.(open|sealed)$/.test(name))
  {
    await using millrace = await Millrace.start(['--data', scratch.at('data')])
    expect((await fetch(`${millrace.url}/healthz`)).status).toBe(200)
    expect((await millrace.post('/payloads', 'application/json', NEW)).status).toBe(202)
    expect(await millrace.stop()).toEqual({ code: 0, signal: null })
    for (const words of says) expect(millrace.output).toMatch(words)
    expect(millrace.output.match(/(error|warning): .*/g) ?? []).toHaveLength(says.length)
    expect(millrace.output).toMatch(/stopped; everything (accepted|else) is stored/)
  }
  const lines = readObjectsIn(scratch.at('data/objects'))
  const old = lines.filter(({ payload }) => payload !== NEW)
  expect(lines.length - old.length).toBe(1)
  ledger.expectKept(old, damaged)

  const after = (await verify(scratch.at('data'))).report
  expect(after.wrong > 0).toBe(says.some((words) => !String(words).startsWith('/warning')))
  if (dead !== undefined) expect(after.dead.payloads).toBe(dead)

  if (setAside && found) {
    const [copy = '', ...more] = readdirSync(`${lane}/corrupt`)
    expect(more).toEqual([])
    expect(copy).toBe(`${setAside.segment.slice(0, 16)}-${setAside.offset}.bytes`)
    expect(readFileSync(`${lane}/corrupt/${copy}`).equals(found)).toBe(true)
  }
  const left = readdirSync(lane).filter((name) => name !== 'corrupt' && !name.endsWith('.open'))
  expect(left.sort()).toEqual(others.sort())

  await using again = await Millrace.start(['--data', scratch.at('data')])
  expect(await again.stop()).toEqual({ code: 0, signal: null })
  // Reported once: it is in `corrupt` now. What others have put there stands there still.
  expect(again.output.match(/(error|warning): .*/g) ?? []).toHaveLength(others.length)
})

test('a segment of a newer version: the start is refused, nothing is changed, and nothing is lost', async () => {
  using scratch = new Scratch()
  cpSync(made.at('data'), scratch.at('data'), { recursive: true })
  const path = scratch.at('data/lane-0', SEGMENTS.third)
  const bytes = readFileSync(path)
  const newer = Buffer.from(bytes)
  newer.writeUInt16LE(LAYOUT_VERSION + 1, 8)
  newer.writeUInt32LE(crc32(newer.subarray(0, 60)), 60)
  writeFileSync(path, newer)
  const before = filesIn(scratch.at('data/lane-0'))

  await using refused = Millrace.spawn(['--port', '0', '--data', scratch.at('data')])
  expect(await refused.exited).toEqual({ code: 1, signal: null })
  expect(refused.output).toContain('The journal was written by a newer version (journal_newer)')
  expect(refused.output).toContain(
    `${path} has layout version ${LAYOUT_VERSION + 1}; this program reads up to ${LAYOUT_VERSION}.`,
  )
  expect(filesIn(scratch.at('data/lane-0'))).toEqual(before)

  writeFileSync(path, bytes)
  await using millrace = await Millrace.start(['--data', scratch.at('data')])
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  ledger.expectKept(readObjectsIn(scratch.at('data/objects')))
})

/** Flips a bit within a record's payload: its frame is lost, and no other. */
function flipped(lane: string, segment: string, place: number): Spoiled {
  const { start, middle, end } = recordIn(lane, segment, place)
  flipBit(`${lane}/${segment}`, middle)
  return {
    damaged: [receiptsIn(segment)[place] as string],
    setAside: { segment, offset: start, end },
    says: [/error: .*\d+\.(open|sealed): \d+ bytes at \d+ are damaged and kept in .*; the rest is delivered/],
  }
}

function flipBit(path: string, offset: number): Buffer {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 4, offset)
  writeFileSync(path, bytes)
  return bytes
}

/** Where a record's frame begins and ends, and the middle of its first payload. */
function recordIn(lane: string, segment: string, place: number): { start: number; middle: number; end: number } {
  const bytes = readFileSync(`${lane}/${segment}`)
  const payload = Buffer.from(ledger.kept.get(receiptsIn(segment)[place] as string)?.[0] ?? '')
  const at = bytes.indexOf(payload)
  const magic = Buffer.from('1FRM', 'latin1')
  const next = bytes.indexOf(magic, at)
  return {
    start: bytes.lastIndexOf(magic, at),
    middle: at + Math.floor(payload.length / 2),
    // Behind the last of an open one is room for more.
    end: next < 0 ? bytes.findLastIndex((byte) => byte !== 0) + 1 : next,
  }
}

/** The receipts of a segment's records, in order. */
function receiptsIn(segment: string): string[] {
  const number = String(Number(segment.slice(0, 16)))
  return [...ledger.kept.keys()].filter((receipt) => receipt.split('-')[2] === number)
}

function filesIn(directory: string): [string, string][] {
  return readdirSync(directory)
    .sort()
    .map((name) => [name, readFileSync(`${directory}/${name}`, 'base64')])
}
