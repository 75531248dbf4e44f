/** Journal, dispatch and delivery as they are joined: what becomes of a segment when the disk fails it on the way. */

import { expect, test } from 'bun:test'
import type { Event } from '../src/observe/events.ts'
import { Ledger } from '../src/observe/ledger.ts'
import { startPipeline } from '../src/pipeline.ts'
import { valueRecord } from './journal/segment-files.ts'
import { memoryPlatform, quiet } from './memory-platform.ts'

const OPTIONS = {
  laneDirectory: 'data/lane-0',
  node: 'k3v9x2ab',
  lane: 0,
  lingerMs: 1000,
  compression: 'none',
  objectBytesMax: 1 << 20,
  maxWorkers: 1,
  destination: 'test:',
  noteWindowMs: 1000,
} as const

test('a delivered segment that cannot be removed is removed later, and its bytes count until then', async () => {
  const platform = memoryPlatform()
  const events: Event[] = []
  const pipeline = await startPipeline(
    platform,
    OPTIONS,
    async ({ payloads, recordBytes: bytes }) => ({ kind: 'stored', objects: [], payloads, bytes, letters: [] }),
    await Ledger.open(platform.files, platform.clock, 'data/ledger', 30),
    (event) => events.push(event),
    () => {},
  )
  platform.files.fail('remove', /\.sealed$/, 'EIO')
  pipeline.journal.append(valueRecord('1'), { kept() {}, refused() {} })
  await quiet()
  await platform.clock.advance(1000)
  expect(pipeline.backlog()).toEqual({ segments: 0, payloads: 0 })
  const { bytes } = pipeline.journal
  expect(events.map(({ kind }) => kind)).toContain('delivery-crash')
  await platform.clock.advance(1000)
  expect(pipeline.journal.bytes).toBeLessThan(bytes)
  expect(events.map(({ kind }) => kind)).toContain('segment-stored')
})
