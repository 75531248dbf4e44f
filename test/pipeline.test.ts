/** Journal, dispatch and delivery as they are joined: what becomes of a segment when the disk fails it on the way. */

import { expect, test } from 'bun:test'
import type { Event } from '../src/observe/events.ts'
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
} as const

test('a delivered segment that cannot be removed is removed later, and is counted until then', async () => {
  const platform = memoryPlatform()
  const events: Event[] = []
  const pipeline = await startPipeline(
    platform,
    OPTIONS,
    async ({ payloads }) => ({ kind: 'stored', objects: ['an object'], payloads }),
    (event) => events.push(event),
    () => {},
  )
  platform.files.fail('remove', /\.sealed$/, 'EIO')
  pipeline.journal.append(valueRecord('1'), { kept() {}, refused() {} })
  await quiet()
  await platform.clock.advance(1000)
  expect(pipeline.backlog()).toEqual({ segments: 1, payloads: 1 })
  expect(events.map(({ kind }) => kind)).toContain('delivery-crash')
  await platform.clock.advance(1000)
  expect(pipeline.backlog()).toEqual({ segments: 0, payloads: 0 })
  expect(events.map(({ kind }) => kind)).toContain('segment-stored')
})
