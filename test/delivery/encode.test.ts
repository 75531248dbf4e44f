/** An object's lines: compact, one a payload, the payload last and byte for byte as it was received. */

import { describe, expect, test } from 'bun:test'
import { ChunkPool } from '../../src/delivery/chunk-pool.ts'
import { CHUNK_BYTES, ObjectEncoder } from '../../src/delivery/encode.ts'
import { Lines } from '../../src/delivery/lines.ts'
import { Body } from '../../src/destination/body.ts'
import type { NewRecord } from '../../src/journal/journal.ts'
import { quiet, SeededRandom } from '../memory-platform.ts'
import * as linesOf from './lines-of.ts'
import { RECEIVED_AT_MS, recordOf } from './lines-of.ts'

const HOUR_MS = 3_600_000

/** What an object holds after these records, as text. */
async function encoded(records: readonly NewRecord[]): Promise<string> {
  const { text, payloads, runs } = await linesOf.encoded([records])
  expect(payloads).toBe(text.split('\n').length - 1)
  expect(runs.reduce((sum, [, records = 0, each = 0, lines]) => sum + (lines ?? records * each), 0)).toBe(payloads)
  return text
}

/** The line that a payload is expected to make. */
function line(payload: string, { place = 0, index = 0, version = 'null', source = '"default"' } = {}): string {
  const head = `{"receipt":"n-0-1-t-${place}","index":${index},"received_at":"2026-11-21T01:30:15.007Z"`
  return `${head},"version":${version},"source":${source},"payload":${payload}}\n`
}

describe('a value', () => {
  test.each([
    '{"id":12345678901234567890123,"e":1e400,"z":-0.0,"f":0.1000}',
    '{"b":1,"a":2,"b":3}',
    '"\\u0041\\ud83d\\ude00 \\/ \\n"',
    '"日本語 🦀 \u2028"',
    '{ "a" :\t[ 1 , 2 ] }',
    'null',
    '-1E-2',
    '""',
    '[]',
  ])('keeps its bytes: %s', async (payload) => {
    expect(await encoded([recordOf('value', payload, 1)])).toBe(line(payload))
  })

  test('loses the white space around it', async () => {
    expect(await encoded([recordOf('value', ' \r\n\t{"a":1}\n ', 1)])).toBe(line('{"a":1}'))
  })

  test('gets a space for each line break between its tokens, and keeps those written as escapes', async () => {
    const payload = '{\r\n  "text": "a\\r\\nb",\n\t"list": [1,\n2]\r}'
    expect(await encoded([recordOf('value', payload, 1)])).toBe(line('{    "text": "a\\r\\nb", \t"list": [1, 2] }'))
  })
})

describe('a collection', () => {
  test('makes a line of each element of its data, numbered from 0, with its version as it was written', async () => {
    const body = '{"version":"1.4\\u00e9","token":"t","data":[{"a":1}, "zwei" ,\t3.00,null,[ ]]}'
    const payloads = ['{"a":1}', '"zwei"', '3.00', 'null', '[ ]']
    const lines = payloads.map((payload, index) => line(payload, { index, version: '"1.4\\u00e9"' }))
    expect(await encoded([recordOf('collection', body, 5)])).toBe(lines.join(''))
  })

  test('is read as JSON.parse reads it: the last of equal names counts, escaped names too', async () => {
    const body = '{"data":[1,2],"version":"old","d\\u0061ta":["new"],"extra":{"data":[9]},"version":"new","token":"t"}'
    expect(await encoded([recordOf('collection', body, 1)])).toBe(line('"new"', { version: '"new"' }))
  })

  test('flattens the elements that have line breaks, each by itself', async () => {
    const body = '{\n"version": "1",\n"token": "t",\n"data": [\n  {"a":\n1},\n  {"b":2}\n]\n}'
    const lines = [line('{"a": 1}', { version: '"1"' }), line('{"b":2}', { index: 1, version: '"1"' })]
    expect(await encoded([recordOf('collection', body, 2)])).toBe(lines.join(''))
  })

  test('without payloads makes no line', async () => {
    expect(await encoded([recordOf('collection', '{"version":"1","token":"t","data":[]}', 0)])).toBe('')
  })
})

describe('an array and lines', () => {
  test('make a line of each element, however the white space around it looks', async () => {
    const body = ' [\n1 ,"a,]\\"" ,\r\n{"x":[1,\n2]}\t] '
    const lines = ['1', '"a,]\\""', '{"x":[1, 2]}'].map((payload, index) => line(payload, { index }))
    expect(await encoded([recordOf('array', body, 3)])).toBe(lines.join(''))
  })

  test('make a line of each line that holds something, CRLF and a missing last line break included', async () => {
    const body = '{"a":1}\r\n\r\n  {"b":2}  \n\t\n"c\\n"'
    const lines = ['{"a":1}', '{"b":2}', '"c\\n"'].map((payload, index) => line(payload, { index }))
    expect(await encoded([recordOf('lines', body, 3)])).toBe(lines.join(''))
  })

  test('that do not hold what intake counted are told apart', () => {
    const lines = new Lines()
    expect(lines.misfit(recordOf('array', '[1,2]', 3))).toBe('the array holds 2 payloads where intake counted 3')
    expect(lines.misfit(recordOf('array', '[1,2', 2))).toBe('the body is not the array that intake saw')
    expect(lines.misfit(recordOf('array', '[1,2]', 2))).toBeUndefined()
  })
})

test('what belongs to a record stands on its own lines only', async () => {
  const records = [
    recordOf('collection', '{"version":"1","token":"t","data":[1,2]}', 2),
    recordOf('value', '3', 1, 'sähl"er\\'),
    recordOf('value', '4', 1),
  ]
  const version = '"1"'
  const source = '"sähl\\"er\\\\"'
  const lines = [
    line('1', { version }),
    line('2', { index: 1, version }),
    line('3', { place: 1, source }),
    line('4', { place: 2 }),
  ]
  expect(await encoded(records)).toBe(lines.join(''))
})

test('a source may be empty, long or in any script, and is quoted as JSON', async () => {
  for (const source of ['', 'ß', '日本', '"', '\u0000\n', 's'.repeat(255), 'ü'.repeat(127)]) {
    expect(await encoded([recordOf('value', '1', 1, source)])).toBe(line('1', { source: JSON.stringify(source) }))
  }
})

test('a version may be longer than any that is usual', async () => {
  const version = JSON.stringify('v'.repeat(5000))
  const body = `{"version":${version},"token":"t","data":[1,2]}`
  const lines = [line('1', { version }), line('2', { index: 1, version })]
  expect(await encoded([recordOf('collection', body, 2)])).toBe(lines.join(''))
})

test('the index of every element is its place, also past 9, 99 and 99,999', async () => {
  const count = 100_002
  const text = await encoded([recordOf('array', `[${'0,'.repeat(count - 1)}0]`, count)])
  const indexes = text.split('\n').flatMap((line) => /"index":(\d+),/.exec(line)?.[1] ?? [])
  expect(indexes).toHaveLength(count)
  for (const index of [0, 9, 10, 99, 100, 999, 1000, 99_999, 100_000, 100_001]) expect(indexes[index]).toBe(`${index}`)
})

test('every line is JSON whose payload is the one that was sent, over chunks and lines longer than chunks', async () => {
  const random = new SeededRandom(11)
  const values = Array.from({ length: 60 }, (_, i) => {
    const length = i % 20 === 7 ? 700_000 : random.below(60_000)
    return { i, text: String.fromCharCode(97 + random.below(26)).repeat(length) }
  })
  const records = values.map((value) => recordOf('value', JSON.stringify(value), 1))
  const lines = (await encoded(records)).trimEnd().split('\n')
  expect(lines.length).toBe(60)
  for (const [i, line] of lines.entries()) {
    const { receipt, payload } = JSON.parse(line)
    expect([receipt, payload]).toEqual([`n-0-1-t-${i}`, values[i]])
  }
})

test('a chunk is not written to again while the compressor works on it', async () => {
  const pieces: string[] = []
  const slow = {
    async write(chunk: Uint8Array) {
      const before = Buffer.from(chunk)
      for (let turns = 0; turns < 5; turns++) await quiet()
      expect(Buffer.from(chunk).equals(before)).toBe(true)
      pieces.push(before.toString())
    },
    async end(last: Uint8Array = new Uint8Array(0)) {
      await slow.write(last)
      return { body: new Body([]), sha256: new Uint8Array(0), release() {} }
    },
    abandon() {},
  }
  const encoder = new ObjectEncoder(slow, new ChunkPool(CHUNK_BYTES, 8))
  const piece = Buffer.alloc(60_000)
  for (let nth = 0; nth < 70; nth++) await encoder.add(piece.fill(`${nth} `), 1)
  await encoder.end()
  const expected = Array.from({ length: 70 }, (_, nth) => Buffer.alloc(60_000, `${nth} `).toString())
  expect(pieces.join('') === expected.join('')).toBe(true)
  expect([encoder.payloads, encoder.bytes]).toEqual([70, 70 * 60_000])
  expect(pieces.length).toBeGreaterThan(5)
})

test('each line has the time of its own record', async () => {
  const times = [0, 1, 1, HOUR_MS, 0].map((more) => RECEIVED_AT_MS + more)
  const text = await encoded(times.map((receivedAtMs) => ({ ...recordOf('value', '1', 1), receivedAtMs })))
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line) => Date.parse(JSON.parse(line).received_at))).toEqual(times)
})

test('a received-at is written with its milliseconds, in UTC, also at a fraction of one', async () => {
  const record = { ...recordOf('value', '1', 1), receivedAtMs: RECEIVED_AT_MS + 0.9 }
  expect(await encoded([record])).toBe(line('1'))
})
