/** Lines come in pieces of any record and frame; whole objects of them are what a slow encoder makes, to the byte. */

import { describe, expect, test } from 'bun:test'
import { LineRuns } from '../../src/delivery/line-runs.ts'
import { Lines, RECORD_PAYLOADS_MAX } from '../../src/delivery/lines.ts'
import { BODY_PAYLOADS_MAX } from '../../src/intake/shapes.ts'
import type { NewRecord } from '../../src/journal/journal.ts'
import { readRecord, recordBytes, recordBytesAt, setPlace } from '../../src/journal/record.ts'
import { encoded, frameOf, RECEIPT_PREFIX, RECEIVED_AT_MS, recordOf } from './lines-of.ts'

const OUTPUT_BYTES = 64 * 1024
/** All tests one after the other in the same memory: what one leaves behind must not show in the next. */
const lines = new Lines()

/** A record, and the payloads that it holds as they have to stand in the lines. */
interface Sample {
  record: NewRecord
  payloads: readonly string[]
}

const flat = (text: string) => text.replace(/[\r\n]/g, ' ')

function value(text: string, more: Partial<NewRecord> = {}): Sample {
  return { record: { ...recordOf('value', text, 1), ...more }, payloads: [flat(text)] }
}

function array(payloads: readonly string[], more: Partial<NewRecord> = {}): Sample {
  return {
    record: { ...recordOf('array', `[${payloads.join(',')}]`, payloads.length), ...more },
    payloads: payloads.map(flat),
  }
}

const misfit: Sample = { record: recordOf('array', '[1,2]', 3), payloads: [] }
const empty = array([])

/** Some payloads of `bytes` bytes each, no two alike. */
function payloadsOf(count: number, bytes: number): string[] {
  return Array.from({ length: count }, (_, i) => `"${`${i}`.padEnd(bytes - 2, 'abcdefg')}"`)
}

/** A JSON text longer than `bytes` bytes, with line breaks between its tokens. */
function brokenText(bytes: number): string {
  return `[\n"${'é[\\"\\n,'.repeat(Math.ceil(bytes / 8))}",\r\n[{}\r]\n\n, -0.0]`
}

/** Encodes and compares with what the lines and runs have to be. */
async function expectLines(frames: readonly (readonly Sample[])[]) {
  const runs = new LineRuns()
  const expected: string[] = []
  const misfits: number[] = []
  let bytes = 0
  for (const [place, { record, payloads }] of frames.flat().entries()) {
    const { receivedAtMs, source } = record
    for (const [index, payload] of payloads.entries()) {
      const head = `{"receipt":"${RECEIPT_PREFIX}${place}","index":${index},"received_at":"${new Date(receivedAtMs).toISOString()}"`
      expected.push(`${head},"version":null,"source":${JSON.stringify(source)},"payload":${payload}}\n`)
    }
    if (payloads.length > 0) runs.add(place, payloads.length)
    if (payloads.length === record.payloads) bytes += recordBytes(record)
    else misfits.push(place)
  }
  const found = await encoded(
    frames.map((samples) => samples.map(({ record }) => record)),
    lines,
  )
  expect(found.text === expected.join('')).toBe(true)
  expect(found.runs).toEqual(runs.list())
  expect([found.payloads, found.misfits, found.recordBytes]).toEqual([expected.length, misfits, bytes])
  return found.statuses
}

describe('an output', () => {
  test('fills in the middle of records, at their ends and behind them, and everything goes on in the next', async () => {
    for (const each of [1, 2, 3, 7, 100, 499, 500, 501, 1000]) {
      const samples = Array.from({ length: Math.ceil(3000 / each) }, () => array(payloadsOf(each, 9)))
      const statuses = await expectLines([samples, samples])
      expect(statuses.output_full).toBeGreaterThan(8)
    }
  })

  test('holds lines of any length up to its own, wherever they begin in it', async () => {
    for (let bytes = OUTPUT_BYTES - 300; bytes < OUTPUT_BYTES + 40; bytes += 3) {
      await expectLines([[array(['1', ...payloadsOf(2, bytes), '2'])], [value(payloadsOf(1, bytes)[0]!)]])
    }
    for (const bytes of [20_000, 21_700, 32_000, 32_600, 32_768, 40_000]) {
      await expectLines([payloadsOf(9, bytes).map((text) => value(text)), [array(payloadsOf(9, bytes))]])
    }
  })

  test('is handed on when it has had to do with as many records as it tells apart', async () => {
    for (const count of [1023, 1024, 1025, 2048, 5000]) {
      const none = Array.from({ length: count }, () => empty)
      const statuses = await expectLines([[...none, value('1'), ...none], none, [array(['2', '3'])]])
      expect(statuses.output_full ?? 0).toBeGreaterThanOrEqual(Math.floor((2 * count) / 1024))
    }
  })
})

describe('a payload that is longer than an output', () => {
  const long = value(brokenText(70_000))

  test('becomes a line, without the line breaks between its tokens', async () => {
    JSON.parse(long.payloads[0]!)
    expect(long.payloads[0]).not.toBe(Buffer.from(long.record.body).toString())
    expect(await expectLines([[long]])).toMatchObject({ long_payload: 1 })
  })

  test('belongs to its own record, wherever in it and whatever comes next', async () => {
    const text = Buffer.from(long.record.body).toString()
    const other = { source: 'other' }
    for (const record of [long, array([text]), array(['1', text]), array([text, '2']), array(['1', text, text, '2'])]) {
      for (const next of [value('3'), array(['4', '5']), empty, misfit, value('6', other), value(text, other), long]) {
        await expectLines([[record, next, value('7')]])
        await expectLines([[record], [next], [value('8'), record]])
        await expectLines([
          [next, record],
          [record, next],
        ])
      }
    }
  })
})

test('records without payloads take a place and make no line', async () => {
  await expectLines([[empty]])
  await expectLines([[empty, value('1'), empty, empty, array(['2', '3']), empty], [empty], [value('4')]])
})

test('misfits are passed over wherever they are, and what is around them stays whole', async () => {
  const many = array(payloadsOf(1500, 30))
  const broken: Sample[] = [
    misfit,
    ...['', ' ', '[', '[1', '["1]', '{"data":[1]}', '[[1]', '["\\"]'].map((body) => ({
      record: recordOf('array', body, 1),
      payloads: [],
    })),
    ...['', '[]', '{', '{"data"', '{"data":', '{"data":[1]', '{"data":[1],', '{"a', '{"\\', '{"data":1', '{"\\u00'].map(
      (body) => ({ record: recordOf('collection', body, 1), payloads: [] }),
    ),
    { record: recordOf('lines', '1\n2', 1), payloads: [] },
    { record: recordOf('value', ' ', 1), payloads: [] },
  ]
  for (const bad of broken) {
    // Behind a broken body there may be what it lacks: a bracket, a quote, a member. The next record's first byte is the
    // length of its body: that of a bracket, too.
    const nexts = [']', '"]', '}', '":[1]}', '0'.padEnd(0x5d), '0'.padEnd(0x7d), '0'.padEnd(0x22)].map((text) => ({
      record: recordOf('value', text, 1),
      payloads: [text.trim()],
    }))
    for (const next of nexts) {
      await expectLines([[bad], [value('1'), bad, next, bad], [next, bad, next]])
    }
    await expectLines([[many, bad, many, bad], [many]])
  }
})

test('a reason says why a record is a misfit, in the memory of a frame', () => {
  expect(lines.misfit(recordOf('array', '[1,2]', 3))).toBe('the array holds 2 payloads where intake counted 3')
  expect(lines.misfit(recordOf('collection', '{"data":[1}', 1))).toBe('the body is not the collection that intake saw')
  expect(lines.misfit(recordOf('lines', '1\n\n2', 2))).toBeUndefined()
})

test('a record that does not fit its frame is a bug, and is not read past the end', () => {
  const records = [value('1').record, value('2').record, value('3').record]
  const whole = frameOf(records)
  const third = 2 * recordBytes(records[0]!)
  for (let length = third + 1; length < whole.length; length++) {
    const frame = whole.subarray(0, length)
    lines.begin(RECEIPT_PREFIX)
    lines.load(frame, 0, 0, 0)
    expect(lines.run(0, 1 << 20)).toBe('new_group')
    lines.group(readRecord(frame, 0))
    expect(lines.run(0, 1 << 20)).toBe('new_group')
    expect([lines.position, lines.place]).toEqual([third, 2])
    expect(() => readRecord(frame, third)).toThrow()
  }
})

test('a frame may be longer than the memory that is kept, and short ones come after it', async () => {
  const long = array(payloadsOf(30_000, 100))
  expect(recordBytes(long.record)).toBeGreaterThan(3_000_000)
  const short = [value('1'), array(payloadsOf(100, 50))]
  await expectLines([short, [long], short, [value('2'), long, long, value('3')], short])
  await expectLines([short])
})

test('milliseconds and sources in any order are told apart', async () => {
  const sources = ['a', 'b', '', 'ab', '\ufeffa', 's'.repeat(255), 's'.repeat(254), 'ü', '"\\\n']
  const samples = Array.from({ length: 2000 }, (_, i) => {
    const source = sources[(i * i) % sources.length]!
    const receivedAtMs = RECEIVED_AT_MS + ((i >> 2) % 3) * 3_599_999
    return array(payloadsOf(i % 4, 8 + (i % 50)), { source, receivedAtMs, note: Buffer.alloc(i % 5, '[') })
  })
  await expectLines([samples, samples.slice(7), samples])
})

test('moments of one hour are one group, up to its last millisecond, and each line has its own', async () => {
  const hourAtMs = RECEIVED_AT_MS - (RECEIVED_AT_MS % 3_600_000)
  const moments = [0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 59_999, 60_000, 599_999, 600_000, 3_599_999]
  const within = [...moments, ...moments.toReversed(), ...Array.from({ length: 997 }, (_, i) => i * 3607)]
  const at = (ms: number) => value('1', { receivedAtMs: hourAtMs + ms })
  expect(await expectLines([within.map(at)])).toMatchObject({ new_group: 1 })
  for (const beyond of [-1, 3_600_000]) {
    expect(await expectLines([[0, beyond, 3_599_999].map(at)])).toMatchObject({ new_group: 3 })
  }
  for (const year of [1970, 9999, 12_026]) {
    const from = Date.UTC(year, 11, 31, 23)
    await expectLines([[7, 3_599_998].map((ms) => value('1', { receivedAtMs: from + ms }))])
  }
})

test('records that hold their places have them in their lines, and among the runs', async () => {
  const places = [7, 8, 3, 4_000_000_000, 0]
  const frame = frameOf(places.map((_, i) => array(payloadsOf(i, 20)).record))
  let at = 0
  for (const place of places) {
    setPlace(frame, at, place)
    at += recordBytesAt(frame, at)
  }
  lines.begin(RECEIPT_PREFIX)
  lines.load(frame, 0, 'held', 0)
  expect(lines.run(0, 1 << 20)).toBe('new_group')
  expect(lines.place).toBe(7)
  lines.group(readRecord(frame, 0))
  expect(lines.run(0, 1 << 20)).toBe('frame_done')
  expect(places.map((_, nth) => [lines.tallyPlace(nth), lines.tally(nth)])).toEqual(
    places.map((place, i) => [place, i]),
  )
  const found = Buffer.from(lines.output).toString().trimEnd().split('\n')
  const receipts = found.map((line) => JSON.parse(line).receipt)
  expect(receipts).toEqual(places.flatMap((place, i) => Array(i).fill(RECEIPT_PREFIX + place)))
})

test('the most payloads that intake takes are the most that are found', () => {
  expect(RECORD_PAYLOADS_MAX).toBe(BODY_PAYLOADS_MAX)
  const zeros = (count: number) => recordOf('array', `[${'0,'.repeat(count - 1)}0]`, count)
  expect(lines.misfit(zeros(RECORD_PAYLOADS_MAX))).toBeUndefined()
  expect(lines.misfit(zeros(RECORD_PAYLOADS_MAX + 1))).toBeDefined()
  const feeds = recordOf('lines', '0\n'.repeat(RECORD_PAYLOADS_MAX + 1), RECORD_PAYLOADS_MAX + 1)
  expect(lines.misfit(feeds)).toBeDefined()
})

describe('lines that are made already', () => {
  const madeOf = (payloads: readonly string[]) =>
    payloads.map(
      (payload, i) =>
        `{"receipt":"edge-0-1-t-0","index":${i},"received_at":"x","version":null,"source":"s","payload":${payload}}\n`,
    )
  const made = (texts: readonly string[]) => recordOf('made', texts.join(''), texts.length)

  test('are what comes out, between others and in any length', async () => {
    const short = madeOf(payloadsOf(3000, 30))
    const long = madeOf([brokenText(100_000).replace(/[\r\n]/g, ' '), '1', `"${'x'.repeat(OUTPUT_BYTES)}"`])
    const own = array(payloadsOf(5, 20)).record
    const { text, payloads, misfits, runs } = await encoded(
      [
        [own, made(short), own],
        [made(long), own],
      ],
      lines,
    )
    expect(misfits).toEqual([])
    expect(payloads).toBe(3000 + 3 + 15)
    const foreign = text.split('\n').filter((line) => line.startsWith('{"receipt":"edge'))
    expect(foreign.join('\n') === [...short, ...long].join('').trimEnd()).toBe(true)
    expect(text.split('\n').filter((line) => line.startsWith(`{"receipt":"${RECEIPT_PREFIX}`))).toHaveLength(15)
    expect(runs).toEqual([
      [0, 1, 5],
      [1, 1, 3000],
      [2, 1, 5],
      [3, 1, 3],
      [4, 1, 5],
    ])
  })

  test('are payloads as wholes for whoever wants payloads', () => {
    const texts = madeOf(['1', '{"a":[]}'])
    const record = made(texts)
    expect(lines.misfit(record)).toBeUndefined()
    const whole = texts.map((_, i) =>
      Buffer.from(record.body.subarray(lines.payloadStart(i), lines.payloadEnd(i))).toString(),
    )
    expect(whole.map((text) => `${text}\n`)).toEqual(texts)
  })

  test('of another number than intake counted are a misfit', async () => {
    expect((await encoded([[recordOf('made', madeOf(['1', '2']).join(''), 3)]], lines)).misfits).toEqual([0])
  })
})
