/** Journal, dispatch and delivery as they are joined: what becomes of a segment when the disk fails it on the way. */

import { describe, expect, test } from 'bun:test'
import type { Deliver, Delivered } from '../src/delivery/deliver.ts'
import { HURRY_MS, Hurry } from '../src/delivery/hurry.ts'
import { parseSegmentName } from '../src/journal/name.ts'
import type { Event } from '../src/observe/events.ts'
import { Ledger } from '../src/observe/ledger.ts'
import { readLedger } from '../src/observe/ledger-files.ts'
import { type Pipeline, startPipeline } from '../src/pipeline.ts'
import { valueRecord } from './journal/segment-files.ts'
import type { MemoryFiles } from './memory-files.ts'
import { type MemoryPlatform, memoryPlatform, quiet } from './memory-platform.ts'

const OPTIONS = {
  laneDirectory: 'data/lane-0',
  node: 'k3v9x2ab',
  lane: 0,
  lingerMs: 1000,
  format: 'lines',
  compression: 'none',
  objectBytesMax: 1 << 20,
  maxWorkers: 2,
  destination: 'test:',
  noteWindowMs: 1000,
} as const

const LEDGER = 'data/ledger'

const deliveries = ({ clock }: MemoryPlatform, deliver: Deliver) => ({ deliver, hurry: new Hurry(clock) })

/** A process on this machine whose deliveries all succeed. */
async function start(platform: MemoryPlatform, events: Event[] = []) {
  return await startPipeline(
    platform,
    OPTIONS,
    deliveries(platform, async ({ payloads, recordBytes: bytes }) => ({
      kind: 'stored',
      format: 'lines',
      objects: [],
      payloads,
      bytes,
      letters: [],
    })),
    await Ledger.open(platform.files, platform.clock, LEDGER, 30),
    (event) => events.push(event),
    () => {},
  )
}

/** A record that is sealed by its age, and all that follows from that. */
async function deliverOne(platform: MemoryPlatform, { journal }: Pipeline): Promise<void> {
  journal.append(valueRecord('1'), { kept() {}, refused() {} })
  await quiet()
  await platform.clock.advance(1000)
  await quiet()
}

const linesOf = (files: MemoryFiles) => Array.fromAsync(readLedger(files, LEDGER))
const segmentsIn = async (files: MemoryFiles) =>
  (await files.list(OPTIONS.laneDirectory)).filter((name) => parseSegmentName(name))

test('a segment that never held a record leaves a line, found at a start or after trouble, and then goes', async () => {
  const before = memoryPlatform()
  await (await start(before)).drain(1000)
  const platform = memoryPlatform(2, before.files.killed())
  const pipeline = await start(platform)
  await quiet()
  expect(await segmentsIn(platform.files)).toEqual(['0000000000000002.open'])
  platform.files.fail('datasync', /0002\.open$/, 'EIO')
  await deliverOne(platform, pipeline)
  expect(await segmentsIn(platform.files)).toEqual(['0000000000000003.open'])
  expect((await linesOf(platform.files)).map(({ segment, records, objects }) => [segment, records, objects])).toEqual([
    [1, 0, []],
    [2, 0, []],
  ])
  expect(pipeline.backlog()).toEqual({ segments: 0, payloads: 0 })
})

test('a lane whose files are all gone goes on behind the highest number that the ledger knows', async () => {
  const before = memoryPlatform()
  const first = await start(before)
  await deliverOne(before, first)
  const platform = memoryPlatform(2, before.files.killed())
  for (const name of await segmentsIn(platform.files)) await platform.files.remove(`${OPTIONS.laneDirectory}/${name}`)
  await start(platform)
  expect(await segmentsIn(platform.files)).toEqual(['0000000000000002.open'])
})

test.each(['never came', 'failed'])(
  'a line whose sync %s before its process was killed outlives a power loss',
  async (how) => {
    for (let seed = 1; seed <= 20; seed++) {
      const before = memoryPlatform()
      if (how === 'failed') before.files.fail('datasync', /\.ndjson$/, 'EIO')
      else before.files.hold('datasync', /\.ndjson$/)
      await deliverOne(before, await start(before))
      const platform = memoryPlatform(2, before.files.killed())
      await (await start(platform)).drain(1000)
      expect(await segmentsIn(platform.files)).toEqual(['0000000000000003.open'])
      const after = platform.files.crash(memoryPlatform(seed).random)
      const numbers = new Set((await linesOf(after)).map(({ segment }) => segment))
      expect([seed, [...numbers].sort()]).toEqual([seed, [1, 2]])
    }
  },
)

test('a line that failed is repeated before any other, so that no number is given to two', async () => {
  const platform = memoryPlatform()
  const pipeline = await start(platform)
  platform.files.fail('datasync', /\.ndjson$/, 'EIO')
  await deliverOne(platform, pipeline)
  // Delivered while the first one's line is not there.
  pipeline.journal.append(valueRecord('2'), { kept() {}, refused() {} })
  await quiet()
  pipeline.journal.hasten(10)
  await platform.clock.advance(5000)
  const entries = (await linesOf(platform.files)).map(({ entry, segment }) => [entry, segment])
  expect(entries).toEqual([
    [1, 1],
    [1, 1],
    [2, 2],
  ])
})

test('a delivered segment that cannot be removed is removed later, and its bytes count until then', async () => {
  const platform = memoryPlatform()
  const events: Event[] = []
  const pipeline = await start(platform, events)
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

describe('a delivery', () => {
  /** A process whose deliveries go on until they are ended. */
  async function startHeld(platform: MemoryPlatform) {
    const begun: { hurry: AbortSignal; end: () => void }[] = []
    const pipeline = await startPipeline(
      platform,
      OPTIONS,
      deliveries(platform, ({ payloads, recordBytes: bytes }, hurry) => {
        const { promise, resolve } = Promise.withResolvers<Delivered>()
        const end = () => resolve({ kind: 'stored', format: 'lines', objects: [], payloads, bytes, letters: [] })
        begun.push({ hurry, end })
        return promise
      }),
      await Ledger.open(platform.files, platform.clock, LEDGER, 30),
      () => {},
      () => {},
    )
    const hurried = () => begun.map(({ hurry }) => hurry.aborted)
    const endAll = async () => {
      for (const { end } of begun) end()
      await quiet()
    }
    return { pipeline, hurried, endAll }
  }

  test('may rest until another segment is there, which may not; one that begins later may again, until it stops', async () => {
    const platform = memoryPlatform()
    const { pipeline, hurried, endAll } = await startHeld(platform)
    await deliverOne(platform, pipeline)
    expect(hurried()).toEqual([false])
    await deliverOne(platform, pipeline)
    expect(hurried()).toEqual([true, true])
    await endAll()
    await platform.clock.advance(HURRY_MS)
    await deliverOne(platform, pipeline)
    expect(hurried()).toEqual([true, true, false])
    const drained = pipeline.drain(1000)
    await quiet()
    expect(hurried()).toEqual([true, true, true])
    await endAll()
    await drained
  })

  test('that begins at a stop may not rest', async () => {
    const platform = memoryPlatform()
    const { pipeline, hurried, endAll } = await startHeld(platform)
    pipeline.journal.append(valueRecord('1'), { kept() {}, refused() {} })
    await quiet()
    const drained = pipeline.drain(1000)
    await quiet()
    expect(hurried()).toEqual([true])
    await endAll()
    await drained
  })
})

test.each([
  ['lines', 1],
  ['payload', 4],
] as const)(
  'in format %s a segment is over when its objects are: 16 payloads make %d segments',
  async (format, segments) => {
    const platform = memoryPlatform(1)
    const sealed = new Set<number>()
    const stored: number[] = []
    const { journal } = await startPipeline(
      platform,
      { ...OPTIONS, format, objectBytesMax: 20_000 },
      deliveries(platform, async ({ number, payloads, recordBytes: bytes }) => {
        sealed.add(number)
        return { kind: 'stored', format, objects: [], payloads, bytes, letters: [] }
      }),
      await Ledger.open(platform.files, platform.clock, LEDGER, 30),
      (event) => event.kind === 'segment-stored' && stored.push(event.objects),
      () => {},
    )
    for (let i = 0; i < 16; i++) {
      journal.append(valueRecord(`${i}`), { kept() {}, refused() {} })
      await quiet()
    }
    await platform.clock.advance(OPTIONS.lingerMs)
    expect(sealed.size).toBe(segments)
    // A set is named once, and is as many objects as it has payloads.
    expect(stored).toEqual(Array.from({ length: segments }, () => (format === 'payload' ? 16 / segments : 0)))
  },
)
