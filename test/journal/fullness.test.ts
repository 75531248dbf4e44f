/** When a segment is full: with one source when its lines fill an object, with several when they would fill one for each, up to four. */

import { expect, test } from 'bun:test'
import { Fullness } from '../../src/journal/fullness.ts'
import type { NewRecord } from '../../src/journal/journal.ts'
import type { ObjectFormat } from '../../src/journal/layout.ts'
import { Stage } from '../../src/journal/stage.ts'
import { valueRecord } from './segment-files.ts'

/** A record's own length, and what its line has beside it. */
const RECORD_BYTES = 24 + 2 + 100
const LINE_BYTES = RECORD_BYTES + 50

const record = (source: string, more: Partial<NewRecord> = {}) => valueRecord('1'.repeat(100), { source, ...more })

function stageOf(records: readonly NewRecord[]): Stage {
  const stage = new Stage(1 << 16)
  for (const one of records) stage.add(one, { kept() {}, refused() {} })
  return stage
}

/** How many frames of one record each are in a segment when it is full; the nth is of the nth source, round and round. */
function framesOf(sources: readonly string[], objects: number, format: ObjectFormat = 'lines'): number {
  const options = { format, objectBytesMax: objects * LINE_BYTES, lineExtraBytes: 50 }
  const fullness = new Fullness(options)
  const stage = new Stage(1 << 16)
  for (let frames = 0; ; frames++) {
    stage.add(record(sources[frames % sources.length] as string), { kept() {}, refused() {} })
    if (fullness.isFullWith(stage)) return frames
    fullness.add(stage)
    stage.refuse('stopping')
  }
}

test('a segment holds as many lines as an object of each of its sources, up to four', () => {
  expect(framesOf(['s1'], 10)).toBe(10)
  expect(framesOf(['s1', 's2'], 10)).toBe(20)
  expect(framesOf(['s1', 's2', 's1', 's3'], 10)).toBe(30)
  expect(
    framesOf(
      Array.from({ length: 90 }, (_, i) => `s${i % 9}`),
      10,
    ),
  ).toBe(40)
})

test('with an object for each payload there is nothing to wait for', () => {
  expect(framesOf(['s1', 's2'], 10, 'payload')).toBe(10)
})

test('the next segment begins with nothing', () => {
  const fullness = new Fullness({ format: 'lines', objectBytesMax: 4 * LINE_BYTES, lineExtraBytes: 50 })
  const many = stageOf(['s1', 's2', 's3', 's4'].map((source) => record(source)))
  fullness.add(many)
  expect(fullness.isFullWith(many)).toBe(false)
  fullness.clear()
  const five = stageOf(Array.from({ length: 5 }, () => record('s1')))
  expect(fullness.isFullWith(five)).toBe(true)
  // The next frame's sources count: it would be in it.
  fullness.clear()
  fullness.add(stageOf([record('s1'), record('s1'), record('s1'), record('s1')]))
  expect(fullness.isFullWith(stageOf([record('s1')]))).toBe(true)
  expect(fullness.isFullWith(stageOf([record('s2')]))).toBe(false)
})

test('lines that are made already are as long as they are', () => {
  const fullness = new Fullness({ format: 'lines', objectBytesMax: 10 * RECORD_BYTES, lineExtraBytes: 50 })
  fullness.add(stageOf(Array.from({ length: 9 }, () => record('s1', { kind: 'made' }))))
  expect(fullness.isFullWith(stageOf([record('s1', { kind: 'made' })]))).toBe(false)
  expect(fullness.isFullWith(stageOf([record('s1')]))).toBe(true)
})
