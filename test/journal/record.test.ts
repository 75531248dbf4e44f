/** One record's bytes: whatever intake accepted comes back as it was. */

import { expect, test } from 'bun:test'
import type { NewRecord, RecordKind } from '../../src/journal/journal.ts'
import { readRecords, recordBytes, writeRecord } from '../../src/journal/record.ts'
import { SeededRandom } from '../memory-platform.ts'
import { valueRecord } from './segment-files.ts'

const KINDS: readonly RecordKind[] = ['collection', 'value', 'array', 'lines', 'made']

function bodyOf(records: readonly NewRecord[], before = 0): Buffer {
  const bytes = Buffer.alloc(before + records.reduce((sum, record) => sum + recordBytes(record), 0), 0xee)
  let at = before
  for (const record of records) at = writeRecord(bytes, at, record)
  expect(at).toBe(bytes.length)
  return bytes.subarray(before)
}

function plain({ kind, payloads, receivedAtMs, source, body }: NewRecord) {
  return { kind, payloads, receivedAtMs, source, body: Buffer.from(body).toString('hex') }
}

test('records of every kind and shape come back in order, byte for byte', () => {
  const random = new SeededRandom(20261121)
  const sources = ['', 'default', 'ä', '日本語', 's'.repeat(255)]
  for (let round = 0; round < 200; round++) {
    const records = Array.from({ length: random.below(6) }, () => ({
      kind: KINDS[random.below(KINDS.length)] as RecordKind,
      body: random.bytes(random.below(300)),
      payloads: random.below(2 ** 32),
      receivedAtMs: random.unit() * 2 ** 43,
      source: sources[random.below(sources.length)] as string,
    }))
    expect([...readRecords(bodyOf(records))].map(plain)).toEqual(records.map(plain))
  }
})

test('a record takes exactly the bytes it said it would, wherever it is put', () => {
  const record = valueRecord('{"ü":1}', { source: 'größe' })
  expect(bodyOf([record], 13).equals(bodyOf([record]))).toBe(true)
})

test('the same record has the same bytes in a dirty buffer and in a clean one', () => {
  const record = valueRecord('[]')
  const clean = Buffer.alloc(recordBytes(record))
  writeRecord(clean, 0, record)
  expect(bodyOf([record]).equals(clean)).toBe(true)
})

test('a body is a view into the frame: nothing is copied when it is read', () => {
  const frameBody = bodyOf([valueRecord('"view"')])
  const [record] = [...readRecords(frameBody)]
  expect(record?.body.buffer).toBe(frameBody.buffer)
})

test('a record that runs over the end of its frame throws instead of reading what lies behind', () => {
  const two = bodyOf([valueRecord('"first"'), valueRecord('"second"')])
  expect(() => [...readRecords(two.subarray(0, two.length - 1))]).toThrow('does not fit its frame')
})

test('a kind that this version does not know throws instead of being taken for another', () => {
  const bytes = bodyOf([valueRecord('1')])
  bytes[16] = KINDS.length
  expect(() => [...readRecords(bytes)]).toThrow('does not fit its frame')
})
