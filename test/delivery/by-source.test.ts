/** Segments of many sources: the same objects as ever, made one at a time, in memory that doesn't grow with their number. */

import { describe, expect, test } from 'bun:test'
import { BySource, type RecordFrame } from '../../src/delivery/by-source.ts'
import { createCompressor } from '../../src/delivery/compressor.ts'
import type { PutOutcome } from '../../src/destination/destination.ts'
import { forwardDestination } from '../../src/destination/forward.ts'
import type { NewRecord } from '../../src/journal/journal.ts'
import { readRecords, recordBytes } from '../../src/journal/record.ts'
import { HEADER, segmentOf, valueRecord } from '../journal/segment-files.ts'
import { MemoryFiles } from '../memory-files.ts'
import { memoryPlatform, quiet, SeededRandom } from '../memory-platform.ts'
import { frameOf, RECEIVED_AT_MS } from './lines-of.ts'
import { array, contextOf, filesWith, pathOf, takenWhereThere } from './memory-thread.ts'

const HOUR_MS = 3_600_000

/** `count` records in frames of 50, of so many sources, in an order without one. */
function mixedFrames(count: number, sources: number, payloads = 1): NewRecord[][] {
  const random = new SeededRandom(count + sources)
  const records = Array.from({ length: count }, (_, i) => {
    return array(i * payloads, payloads, { source: `s${random.below(sources)}`, receivedAtMs: RECEIVED_AT_MS + i })
  })
  return Array.from({ length: Math.ceil(count / 50) }, (_, i) => records.slice(50 * i, 50 * i + 50))
}

describe('records by source', () => {
  /** What comes out, as place and body, and how many pieces that was. */
  async function sorted(frames: readonly (readonly NewRecord[])[], gatheredBytes: number, readingsMax = 1e9) {
    const read: RecordFrame[] = []
    let next = 0
    for (const records of frames) {
      read.push({ body: frameOf(records), firstRecord: next })
      // Between frames some may be missing: damage was there.
      next += records.length + 3
    }
    const records = new BySource(gatheredBytes, readingsMax)
    for (const { body } of read) records.count(body)
    const found: { place: number; body: string; source: string; receivedAtMs: number }[] = []
    let readings = 0
    async function* again() {
      readings += 1
      yield* read
    }
    for await (const piece of records.pieces(again)) {
      let position = 0
      for (const record of readRecords(piece)) {
        const { body, source, receivedAtMs } = record
        found.push({ place: piece.readUInt32LE(position + 20), body: `${body}`, source, receivedAtMs })
        position += recordBytes(record)
      }
    }
    return { found, readings }
  }

  test('are all there, those of each source and hour together and in their order, however little is gathered at a time', async () => {
    const frames = mixedFrames(700, 40, 3)
    for (const [nth, record] of frames.flat().entries()) if (nth % 7 === 0) record.receivedAtMs += HOUR_MS
    const placed = frames.flatMap((records, frame) =>
      records.map((record, nth) => ({ ...record, place: 53 * frame + nth, body: `${Buffer.from(record.body)}` })),
    )
    const keys = new Map<string, typeof placed>()
    for (const record of placed) {
      const key = `${record.source}/${Math.floor(record.receivedAtMs / HOUR_MS)}`
      keys.set(key, [...(keys.get(key) ?? []), record])
    }
    const expected = [...keys.values()].flat().map(({ place, body, source, receivedAtMs }) => {
      return { place, body, source, receivedAtMs }
    })
    expect(keys.size).toBeGreaterThan(60)
    for (const [gatheredBytes, readings] of [
      [1 << 20, 1],
      [10_000, 3],
      [1000, 26],
      [1, 700],
    ] as const) {
      const { found, readings: times } = await sorted(frames, gatheredBytes)
      expect(found).toEqual(expected)
      expect(times).toBeGreaterThanOrEqual(readings)
    }
  })

  test('are gathered in larger parts where that would be too many', async () => {
    const { readings } = await sorted(mixedFrames(700, 40, 3), 1, 8)
    expect(readings).toBeWithin(7, 10)
  })

  test('may be longer than what is gathered at a time, and than a piece', async () => {
    const long = 'x'.repeat(1_500_000)
    const frames = [
      [valueRecord('1'), valueRecord(`"${long}"`, { source: 'b' })],
      [valueRecord('2'), valueRecord('3', { source: 'b' })],
    ]
    for (const gatheredBytes of [1, 1_500_000, 16 << 20]) {
      const { found } = await sorted(frames, gatheredBytes)
      expect(found.map(({ place, body }) => [place, body.length])).toEqual([
        [0, 1],
        [5, 1],
        [1, 1_500_002],
        [6, 1],
      ])
    }
  })

  test('are not guessed where a frame is no longer what was counted', async () => {
    const bodies = mixedFrames(200, 20).map((records) => frameOf(records))
    for (let missing = 0; missing < bodies.length; missing++) {
      const records = new BySource(1000, 1e9)
      for (const body of bodies) records.count(body)
      let readings = 0
      async function* frames() {
        readings += 1
        for (const [nth, body] of bodies.entries()) {
          if (readings < 3 || nth !== missing) yield { body, firstRecord: 50 * nth }
        }
      }
      const pieces: Buffer[] = []
      const reading = (async () => {
        for await (const piece of records.pieces(frames)) pieces.push(Buffer.from(piece))
      })()
      await expect(reading).rejects.toThrow('the segment has changed')
      expect(readings).toBe(3)
      // What came before that is right, and nothing came after.
      expect(pieces).toHaveLength(2)
    }
  })

  test('are none where there are none', async () => {
    expect(await sorted([], 100)).toEqual({ found: [], readings: 0 })
  })
})

describe('a segment of many sources', () => {
  const FRAMES = mixedFrames(3000, 300)
  const sourceOf = (name: string) => name.slice(0, name.indexOf('/'))

  test('becomes an object for each, with all of its lines and only those', async () => {
    const { run, store } = contextOf(filesWith([{ frames: FRAMES }]))
    expect(await run()).toMatchObject({ kind: 'stored', payloads: 3000 })
    const found = Object.entries(store.lines()).map(([name, lines]) => {
      return [sourceOf(name), lines.map((line) => JSON.parse(line)).map(({ receipt, payload }) => [receipt, payload])]
    })
    const expected: Record<string, [string, number][]> = {}
    for (const [place, { source, body }] of FRAMES.flat().entries()) {
      const receipt = `k3v9x2ab-0-1-0badcafe-${place}`
      expected[source] = [...(expected[source] ?? []), [receipt, JSON.parse(`${Buffer.from(body)}`)[0]]]
    }
    expect(Object.fromEntries(found)).toEqual(expected)
  })

  test('has a handful of objects in the making, and no more puts under way than are allowed', async () => {
    const { run, store, context } = contextOf(filesWith([{ frames: FRAMES }]))
    let [making, mostMaking, mostPuts] = [0, 0, 0]
    context.compress = (compression) => {
      const compressor = createCompressor(compression)
      making += 1
      mostMaking = Math.max(mostMaking, making)
      const over = () => {
        making -= 1
      }
      return {
        write: (chunk) => compressor.write(chunk),
        end: (last) => compressor.end(last).finally(over),
        abandon() {
          compressor.abandon()
          over()
        },
      }
    }
    store.answer = async () => {
      mostPuts = Math.max(mostPuts, store.underWay)
      await quiet()
      return { kind: 'stored', already: false }
    }
    expect(await run()).toMatchObject({ payloads: 3000 })
    expect(making).toBe(0)
    expect(mostMaking).toBeWithin(1, 7)
    // The limit of puts is that of all deliveries: 32 here.
    expect(mostPuts).toBeWithin(8, 33)
  })

  test('is put one object at a time where the destination notes something of each', async () => {
    const { run, store } = contextOf(filesWith([{ frames: FRAMES }]))
    store.isOneByOne = true
    let most = 0
    store.answer = async () => {
      most = Math.max(most, store.underWay)
      await quiet()
      return { kind: 'stored', already: false }
    }
    expect(await run()).toMatchObject({ payloads: 3000 })
    expect([most, store.objects.size]).toEqual([1, 300])
    expect(forwardDestination({ servers: [] }, memoryPlatform(1)).isOneByOne).toBe(true)
  })

  test('is stored once after a stop at any put, under the same names and in the same lines', async () => {
    const frames = mixedFrames(120, 30)
    const whole = contextOf(filesWith([{ frames }]))
    await whole.run()
    for (let stopAt = 1; stopAt <= 30; stopAt++) {
      const first = contextOf(filesWith([{ frames }]))
      first.store.answer = (_, put) => {
        if (put < stopAt) return { kind: 'stored', already: false }
        first.stop.abort()
        return { kind: 'retry', reason: 'stopped' }
      }
      expect(await first.run()).toEqual({ kind: 'stopped' })
      const again = contextOf(first.platform.files)
      for (const [name, object] of first.store.objects) again.store.objects.set(name, object)
      takenWhereThere(again.store)
      expect(await again.run()).toMatchObject({ kind: 'stored', payloads: 120 })
      expect(again.store.lines()).toEqual(whole.store.lines())
    }
  })

  test('whose first objects were stored before it was known to be mixed has them once', async () => {
    const frames = [[array(0, 200)], ...mixedFrames(200, 50)]
    const { run, store } = contextOf(filesWith([{ header: { objectBytesMax: 5000 }, frames }]))
    takenWhereThere(store)
    const delivered = await run()
    expect(delivered).toMatchObject({ kind: 'stored', payloads: 400 })
    expect(store.puts.length).toBeGreaterThan(store.objects.size)
    expect(Object.values(store.lines()).flat()).toHaveLength(400)
    if (delivered.kind === 'stored')
      expect(delivered.objects.map(({ name }) => name).toSorted()).toEqual([...store.objects.keys()].toSorted())
  })

  test('tells of damage and of what can not be made into lines once, however often it is read', async () => {
    const frames = mixedFrames(200, 50)
    frames[1]?.push(array(0, 3, { payloads: 4 }))
    const { sealed, starts } = segmentOf(HEADER, frames)
    const third = starts[2] as number
    sealed[third + 40] = 0xee
    const files = new MemoryFiles()
    files.put(pathOf(1), sealed)
    const { run, store, events } = contextOf(files)
    expect(await run()).toMatchObject({
      kind: 'stored',
      payloads: 150,
      letters: [{ place: undefined, bytes: (starts[3] as number) - third }, { place: 100 }],
    })
    expect(events.map(({ kind }) => kind)).toEqual(['journal-damage', 'dead-letter'])
    expect(Object.values(store.lines()).flat()).toHaveLength(150)
  })

  test('lets others go on while its last objects wait, and one at a time is sorted', async () => {
    const { run, store } = contextOf(
      filesWith([{ frames: mixedFrames(200, 50) }, { frames: mixedFrames(200, 40) }, { frames: [[array(0, 3)]] }]),
    )
    const { promise: stored, resolve } = Promise.withResolvers<PutOutcome>()
    let isFirst = true
    store.answer = () => {
      if (!isFirst) return { kind: 'stored', already: false }
      isFirst = false
      return stored
    }
    const first = run(1)
    await quiet()
    expect(await Promise.all([run(2), run(3)])).toMatchObject([{ payloads: 200 }, { payloads: 3 }])
    resolve({ kind: 'stored', already: false })
    expect(await first).toMatchObject({ payloads: 200 })
  })

  describe('whose names are taken by others', () => {
    /** `others` objects of the first segment are there already, with other lines; what comes behind it is delivered all the same. */
    async function expectOthersGoOn(segments: { frames: NewRecord[][] }[], others: number, bodyBytesMax?: number) {
      const whole = contextOf(filesWith(segments))
      const expected = await whole.run(1)
      const it = contextOf(filesWith(segments), bodyBytesMax === undefined ? {} : { bodyBytesMax })
      takenWhereThere(it.store)
      const taken = [...whole.store.objects].slice(0, others)
      for (const [name, object] of taken) it.store.objects.set(name, { ...object, body: Buffer.from('another\n') })
      const first = it.run(1)
      await it.platform.clock.advance(1000)
      const rest = Promise.all(segments.slice(1).map((_, i) => it.run(i + 2)))
      await it.platform.clock.advance(1000)
      for (const delivered of await rest) expect(delivered).toMatchObject({ kind: 'stored' })
      expect(it.troubles.at(-1)).toMatchObject({ kind: 'taken', isAlone: true })
      for (const [name] of taken) it.store.objects.delete(name)
      await it.platform.clock.advance(200_000)
      expect(await first).toEqual(expected)
      for (const [name, lines] of Object.entries(whole.store.lines())) expect(it.store.lines()[name]).toEqual(lines)
      return it
    }
    const SEGMENTS = [{ frames: mixedFrames(400, 120) }, { frames: mixedFrames(200, 40) }, { frames: [[array(0, 3)]] }]

    test.each([1, 15, 16, 70, 115])('waits for those, %d of them, and lets others go on', async (others) => {
      await expectOthersGoOn(SEGMENTS, others)
    })

    test('lets others go on, too, where all bytes that may be held would be those objects’', async () => {
      const { store } = await expectOthersGoOn(SEGMENTS, 115, 2000)
      expect(store.bytesMost).toBeLessThanOrEqual(2000)
    })

    test('holds no more than a little while it waits for the last of them', async () => {
      const long = (source: string, bytes: number) => [valueRecord(`"${'x'.repeat(bytes)}"`, { source })]
      const frames = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((source) => long(source, 300_000))
      await expectOthersGoOn([{ frames }, { frames: [long('a', 700_000)] }], 5, 2_100_000)
    })
  })
})
