/** Object names: the same for the same segment, one for each part, sorted by hour, unlike those of any other node. */

import { expect, test } from 'bun:test'
import { objectName } from '../../src/delivery/object-name.ts'
import { HEADER } from '../journal/segment-files.ts'

const partition = { source: 'default', receivedAtMs: Date.UTC(2026, 10, 21, 1, 59, 59, 999) }

test('a name says source, date, hour, node, lane, segment, tag and part', () => {
  expect(objectName({ ...HEADER, number: 42, lane: 3, compression: 'zstd' }, partition, 7)).toBe(
    'default/date=2026-11-21/hour=01/k3v9x2ab-3-0000000000000042-0badcafe-7.ndjson.zst',
  )
})

test('its ending says how the object is compressed', () => {
  const endings = (['none', 'gzip', 'zstd'] as const).map((compression) =>
    objectName({ ...HEADER, compression }, partition, 0).replace(/^.*-0/, ''),
  )
  expect(endings).toEqual(['.ndjson', '.ndjson.gz', '.ndjson.zst'])
})

test.each([
  [Date.UTC(2026, 10, 21, 1, 59, 59, 999), 'date=2026-11-21/hour=01'],
  [Date.UTC(2026, 10, 21, 2), 'date=2026-11-21/hour=02'],
  [Date.UTC(2026, 11, 31, 23, 59, 59, 999), 'date=2026-12-31/hour=23'],
  [Date.UTC(2027, 0, 1), 'date=2027-01-01/hour=00'],
  [Date.UTC(2028, 1, 29, 12), 'date=2028-02-29/hour=12'],
  [0, 'date=1970-01-01/hour=00'],
])('the hour is UTC and begins at its first millisecond: %p', (receivedAtMs, directory) => {
  expect(objectName(HEADER, { source: 's', receivedAtMs }, 0)).toStartWith(`s/${directory}/`)
})

test('no two parts, segments, tags, lanes or nodes share a name', () => {
  const names = [
    objectName(HEADER, partition, 0),
    objectName(HEADER, partition, 1),
    objectName({ ...HEADER, number: 2 }, partition, 0),
    objectName({ ...HEADER, tag: '0badcaff' }, partition, 0),
    objectName({ ...HEADER, lane: 1 }, partition, 0),
    objectName({ ...HEADER, node: 'other' }, partition, 0),
    objectName(HEADER, { ...partition, source: 'other' }, 0),
  ]
  expect(new Set(names).size).toBe(names.length)
})
