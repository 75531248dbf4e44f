/** Delivery: a segment becomes objects whose names and lines are the same however often it is repeated, within its bounds. */

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import * as zlib from 'node:zlib'
import { createCompressor } from '../../src/delivery/compressor.ts'
import type { Delivered } from '../../src/delivery/deliver.ts'
import type { PutOutcome } from '../../src/destination/destination.ts'
import { HEADER, segmentOf, valueRecord } from '../journal/segment-files.ts'
import { MemoryFiles } from '../memory-files.ts'
import { quiet } from '../memory-platform.ts'
import { array, contextOf, filesWith, LANE, pathOf, type Store } from './memory-thread.ts'

const HOUR_MS = 3_600_000
const NOON_MS = Date.UTC(2026, 10, 21, 12)

/** Records of two sources around a full hour, in objects of three lines and a bit. */
const VARIED = [
  [array(0, 5, { receivedAtMs: NOON_MS - 1 }), array(100, 4, { source: 'b', receivedAtMs: NOON_MS - 1 })],
  [array(10, 4, { receivedAtMs: NOON_MS }), valueRecord('[]', { kind: 'array', payloads: 0 })],
  [array(20, 3, { receivedAtMs: NOON_MS + HOUR_MS - 1 })],
]
const VARIED_FILES = () => filesWith([{ header: { objectBytesMax: 500 }, frames: VARIED }])

describe('a delivery', () => {
  test('puts every payload once, in lines that name record and place, and says what it stored', async () => {
    const { run, store } = contextOf(
      filesWith([{ frames: [[array(1, 2), valueRecord('"x"')], [valueRecord('null')]] }]),
    )
    const name = 'default/date=2026-11-21/hour=01/k3v9x2ab-0-0000000000000001-0badcafe-0.ndjson'
    expect(await run()).toMatchObject({ kind: 'stored', objects: [{ name, lines: 4 }], payloads: 4, letters: [] })
    const rest = '"received_at":"2026-11-21T01:30:15.007Z","version":null,"source":"default","payload"'
    expect(store.lines()).toEqual({
      [name]: [
        `{"receipt":"k3v9x2ab-0-1-0badcafe-0","index":0,${rest}:1}`,
        `{"receipt":"k3v9x2ab-0-1-0badcafe-0","index":1,${rest}:2}`,
        `{"receipt":"k3v9x2ab-0-1-0badcafe-1","index":0,${rest}:"x"}`,
        `{"receipt":"k3v9x2ab-0-1-0badcafe-2","index":0,${rest}:null}`,
      ],
    })
  })

  test('leaves the segment to whoever removes it, and nothing open', async () => {
    const { run, platform } = contextOf(VARIED_FILES())
    await run()
    expect([platform.files.log, platform.files.breaches]).toEqual([[], []])
    expect(platform.files.get(pathOf(1))).toBeDefined()
  })

  test.each(['none', 'gzip', 'zstd'] as const)('compresses as the segment says: %s', async (compression) => {
    const { run, store } = contextOf(filesWith([{ header: { compression }, frames: [[array(1, 1000)]] }]))
    await run()
    const [object] = store.objects.values()
    if (!object) throw new Error('nothing was put')
    const opened = {
      none: () => Buffer.from(object.body),
      gzip: () => zlib.gunzipSync(object.body),
      zstd: () => zlib.zstdDecompressSync(object.body),
    }[compression]()
    expect(object.contentEncoding).toBe(compression === 'none' ? undefined : compression)
    expect(object.contentType).toBe('application/x-ndjson')
    expect(opened.toString().trimEnd().split('\n')).toHaveLength(1000)
    expect(Buffer.from(object.sha256)).toEqual(createHash('sha256').update(object.body).digest())
  })

  test('cuts an object where its lines reach the bound, and goes on with the next index in the next part', async () => {
    const frames = [[array(0, 40)], ...Array.from({ length: 20 }, (_, i) => [array(40 + 2 * i, 2)])]
    const { run, store } = contextOf(filesWith([{ header: { objectBytesMax: 1000 }, frames }]))
    expect(await run()).toMatchObject({ payloads: 80 })
    const objects = Object.entries(store.lines())
    expect(objects.map(([name]) => /-(\d+)\.ndjson$/.exec(name)?.[1])).toEqual(objects.map((_, part) => `${part}`))
    const lines = objects.flatMap(([, lines]) => lines)
    expect(lines.map((line) => JSON.parse(line).payload)).toEqual(Array.from({ length: 80 }, (_, i) => i))
    const indexes = lines.map((line) => JSON.parse(line).index)
    expect(indexes).toEqual(Array.from({ length: 80 }, (_, i) => (i < 40 ? i : i % 2)))
    for (const [i, [, lines]] of objects.entries()) {
      const bytes = lines.reduce((sum, line) => sum + line.length + 1, 0)
      if (i < objects.length - 1) expect(bytes).toBeGreaterThanOrEqual(1000)
      expect(bytes - (lines.at(-1)?.length ?? 0) - 1).toBeLessThan(1000)
    }
  })

  test('makes no empty object when the cut falls behind the last payload', async () => {
    const { run, store } = contextOf(filesWith([{ header: { objectBytesMax: 1 }, frames: [[array(0, 3)]] }]))
    expect(await run()).toMatchObject({ payloads: 3 })
    expect(Object.values(store.lines()).map((lines) => lines.length)).toEqual([1, 1, 1])
  })

  test('keeps sources and hours apart', async () => {
    const { run, store } = contextOf(filesWith([{ frames: VARIED }]))
    await run()
    const directories = [...store.objects.keys()].map((name) => name.slice(0, name.lastIndexOf('/')))
    expect(directories).toEqual([
      'default/date=2026-11-21/hour=11',
      'b/date=2026-11-21/hour=11',
      'default/date=2026-11-21/hour=12',
    ])
    for (const [name, lines] of Object.entries(store.lines())) {
      for (const line of lines) {
        const { received_at, source } = JSON.parse(line)
        expect(name).toStartWith(`${source}/date=${received_at.slice(0, 10)}/hour=${received_at.slice(11, 13)}/`)
      }
    }
  })
})

describe('a repeat', () => {
  test('has the same names and the same bytes', async () => {
    const first = contextOf(VARIED_FILES(), { seed: 1 })
    const again = contextOf(VARIED_FILES(), { seed: 2, bodyBytesMax: 1 })
    expect(await again.run()).toEqual(await first.run())
    expect(again.store.puts).toEqual(first.store.puts)
    expect(again.store.lines()).toEqual(first.store.lines())
    expect(first.store.objects.size).toBe(5)
  })

  test('after a stop at any put stores what was missing under the names it would have had', async () => {
    const whole = contextOf(VARIED_FILES())
    const expected = await whole.run()
    for (let stopAt = 1; stopAt <= whole.store.puts.length; stopAt++) {
      const first = contextOf(VARIED_FILES())
      first.store.answer = (_, put) => {
        if (put < stopAt) return { kind: 'stored', already: false }
        first.stop.abort()
        return { kind: 'retry', reason: 'stopped' }
      }
      expect(await first.run()).toEqual({ kind: 'stopped' })
      expect(first.store.objects.size).toBe(stopAt - 1)
      const again = contextOf(first.platform.files)
      for (const [name, object] of first.store.objects) again.store.objects.set(name, object)
      again.store.answer = ({ name }) => ({ kind: 'stored', already: again.store.objects.has(name) })
      expect(await again.run()).toEqual(expected)
      expect(again.store.lines()).toEqual(whole.store.lines())
    }
  })

  test('leaves the body of a put that was given up alone, since that may still be at it; others are released', async () => {
    const { run, store, stop, context } = contextOf(VARIED_FILES())
    let released = 0
    context.compress = (compression) => {
      const compressor = createCompressor(compression)
      const end = async (last?: Uint8Array) => ({ ...(await compressor.end(last)), release: () => released++ })
      return { write: (chunk) => compressor.write(chunk), end, abandon: () => compressor.abandon() }
    }
    store.answer = (_, put) => {
      if (put < 3) return { kind: 'stored', already: false }
      stop.abort()
      return { kind: 'retry', reason: 'the signal' }
    }
    expect(await run()).toEqual({ kind: 'stopped' })
    expect(released).toBe(2)
  })

  test('counts what stored objects leave behind, and nothing of one that it was told to stop at', async () => {
    const { run, store, stop, context } = contextOf(VARIED_FILES())
    const garbage: number[] = []
    context.garbage.add = (bytes) => void garbage.push(bytes)
    store.answer = (_, put) => {
      if (put < 3) return { kind: 'stored', already: false }
      stop.abort()
      return { kind: 'retry', reason: 'the signal' }
    }
    expect(await run()).toEqual({ kind: 'stopped' })
    expect(garbage).toEqual([...store.objects.values()].map(({ body }) => body.length))
    expect(garbage).toHaveLength(2)
  })

  test('of a put that failed is one object, put until it is stored', async () => {
    const { run, store, platform, troubles } = contextOf(VARIED_FILES())
    store.answer = (_, put) => (put % 3 === 0 ? { kind: 'stored', already: false } : { kind: 'retry', reason: 'busy' })
    let delivered: Delivered | undefined
    void run().then((outcome) => {
      delivered = outcome
    })
    await platform.clock.advance(60_000)
    expect(delivered).toMatchObject({ kind: 'stored', payloads: 16 })
    expect(troubles).toHaveLength(2 * 5)
    const whole = contextOf(VARIED_FILES())
    await whole.run()
    expect(store.lines()).toEqual(whole.store.lines())
  })
})

describe('deliveries beside each other', () => {
  const MANY = Array.from({ length: 8 }, (_, i) => ({
    header: { objectBytesMax: 500 },
    frames: [[array(i * 100, 30)], [array(i * 100 + 50, 10)]],
  }))

  test('encode one at a time: without the turn a delivery reads nothing', async () => {
    const { run, store, context } = contextOf(filesWith(MANY))
    const leave = await context.turn.take()
    const deliveries = [1, 2, 3].map(run)
    await quiet()
    expect(store.puts).toEqual([])
    store.answer = () => new Promise(() => {})
    leave()
    await quiet()
    // Each has one object at the destination: whoever waits there has given the turn to the next.
    expect(store.underWay).toBe(3)
    expect(deliveries).toHaveLength(3)
  })

  test('take the turn again for each object: without it a delivery makes no other', async () => {
    const { run, store, context } = contextOf(filesWith(MANY))
    const { promise: stored, resolve: store1 } = Promise.withResolvers<PutOutcome>()
    store.answer = (_, put) => (put === 1 ? stored : { kind: 'stored', already: false })
    const delivery = run(1)
    await quiet()
    const leave = await context.turn.take()
    store1({ kind: 'stored', already: false })
    await quiet()
    expect(store.puts).toHaveLength(1)
    leave()
    expect(await delivery).toMatchObject({ payloads: 40 })
  })

  test('never hold more finished bytes than the budget, and all of them end', async () => {
    const bodyBytesMax = 2000
    const { run, store } = contextOf(filesWith(MANY), { bodyBytesMax })
    store.answer = async () => {
      await quiet()
      return { kind: 'stored', already: false }
    }
    const all = await Promise.all(MANY.map((_, i) => run(i + 1)))
    expect(all.map((delivered) => delivered.kind === 'stored' && delivered.payloads)).toEqual(MANY.map(() => 40))
    expect(store.bytesMost).toBeLessThanOrEqual(bodyBytesMax)
    expect(store.bytesMost).toBeGreaterThan(bodyBytesMax / 2)
  })

  test('hold what they would hold alone: memory they lend each other is not in use twice', async () => {
    const texts = (store: Store) => {
      const bodies = [...store.objects].map(([name, { body }]) => [name, zlib.zstdDecompressSync(body).toString()])
      return Object.fromEntries(bodies)
    }
    const segments = MANY.map(({ frames }) => ({
      header: { objectBytesMax: 500, compression: 'zstd' as const },
      frames,
    }))
    const together = contextOf(filesWith(segments))
    await Promise.all(segments.map((_, i) => together.run(i + 1)))
    const alone = contextOf(filesWith(segments))
    for (let number = 1; number <= segments.length; number++) await alone.run(number)
    expect(texts(together.store)).toEqual(texts(alone.store))
    expect(Object.keys(texts(alone.store)).length).toBeGreaterThan(50)
  })

  test('go on when one of them fails or is stopped: neither turn nor bytes stay with it', async () => {
    const files = filesWith(MANY)
    files.put(pathOf(1), segmentOf({ ...HEADER, number: 1 }, [[array(0, 3, { payloads: 4 })]]).sealed)
    const { run, store } = contextOf(files, { bodyBytesMax: 1 })
    const broken = run(1)
    const others = [2, 3].map(run)
    files.fail('mkdir', /dead/, 'EIO')
    await expect(broken).rejects.toThrow('EIO')
    expect(await Promise.all(others)).toMatchObject([{ payloads: 40 }, { payloads: 40 }])
    expect(store.underWay).toBe(0)
  })
})

describe('a record that can never be encoded', () => {
  test('is a dead letter with its body and the reason, and the records around it are delivered', async () => {
    const frames = [[array(0, 2), array(10, 3, { payloads: 4 }), array(20, 1)]]
    const { run, store, events, platform } = contextOf(filesWith([{ frames }]))
    const reason = 'the array holds 3 payloads where intake counted 4'
    const delivered = await run()
    expect(delivered).toMatchObject({ payloads: 3, letters: [{ place: 1, payloads: 4, reason }] })
    const lines = Object.values(store.lines()).flat()
    expect(lines.map((line) => JSON.parse(line).payload)).toEqual([0, 1, 20])
    const receipt = 'k3v9x2ab-0-1-0badcafe-1'
    expect(events).toEqual([{ kind: 'dead-letter', receipt, payloads: 4, reason }])
    const path = `${LANE}/dead/${receipt}.dead`
    const [line = '', body] = Buffer.from(platform.files.get(path) as Uint8Array)
      .toString()
      .split('\n')
    expect(JSON.parse(line)).toMatchObject({
      receipt,
      kind: 'array',
      payloads: 4,
      source: 'default',
      attempts: 1,
      reason,
    })
    expect(body).toBe('[10,11,12]')
    expect(platform.files.log.slice(-2)).toEqual([`datasync ${path}`, `sync-directory ${LANE}/dead`])
  })
})

describe('damage', () => {
  const { sealed, starts } = segmentOf({ ...HEADER, number: 1 }, [[array(0, 2)], [array(10, 2)], [array(20, 2)]])
  const [, second, third] = starts as [number, number, number]
  const files = (bytes: Uint8Array) => {
    const files = new MemoryFiles()
    files.put(pathOf(1), bytes)
    return files
  }
  const payloadsIn = (store: Store) =>
    Object.values(store.lines())
      .flat()
      .map((line) => JSON.parse(line).payload)

  test('in the middle is set aside and reported, and every frame around it delivered', async () => {
    const bytes = Uint8Array.from(sealed)
    bytes.fill(0xee, second + 40, second + 50)
    const { run, store, events, platform } = contextOf(files(bytes))
    expect(await run()).toMatchObject({ kind: 'stored', payloads: 4 })
    expect(payloadsIn(store)).toEqual([0, 1, 20, 21])
    expect(
      Object.values(store.lines())
        .flat()
        .map((line) => JSON.parse(line).receipt.at(-1)),
    ).toEqual(['0', '0', '2', '2'])
    const keptAt = `${LANE}/corrupt/0000000000000001-${second}.bytes`
    expect(events).toEqual([{ kind: 'journal-damage', path: pathOf(1), offset: second, bytes: third - second, keptAt }])
    expect(platform.files.get(keptAt)).toEqual(bytes.slice(second, third))
    expect(platform.files.log.slice(-2)).toEqual([`datasync ${keptAt}`, `sync-directory ${LANE}/corrupt`])
    await run()
    expect(platform.files.get(keptAt)).toEqual(bytes.slice(second, third))
  })

  test('of the header sets the whole file aside and delivers nothing', async () => {
    const bytes = Uint8Array.from(sealed)
    bytes[3] = 0
    const { run, store, platform } = contextOf(files(bytes))
    expect(await run()).toMatchObject({ kind: 'stored', objects: [], payloads: 0, bytes: 0 })
    expect(store.puts).toEqual([])
    expect(platform.files.get(`${LANE}/corrupt/0000000000000001-0.bytes`)).toEqual(bytes)
  })

  test('that cannot be set aside fails the delivery: the segment must stay', async () => {
    const bytes = Uint8Array.from(sealed)
    bytes[second + 40] = 0xee
    const { run, platform } = contextOf(files(bytes))
    platform.files.fail('datasync', /corrupt/, 'ENOSPC')
    await expect(run()).rejects.toThrow('ENOSPC')
    expect(await run()).toMatchObject({ kind: 'stored', payloads: 4 })
    expect(platform.files.breaches).toEqual([])
  })

  test('longer than a read is set aside whole', async () => {
    const junk = Buffer.alloc((2 << 20) + 77, 0x5a)
    for (const at of [9, 500_000, (1 << 20) - 2, 2 << 20]) junk.write('1FRM', at, 'latin1')
    const { run, platform, store, events } = contextOf(
      files(Buffer.concat([sealed.subarray(0, third), junk, sealed.subarray(third)])),
    )
    await run()
    expect(payloadsIn(store)).toEqual([0, 1, 10, 11, 20, 21])
    expect(events).toHaveLength(1)
    expect(platform.files.get(`${LANE}/corrupt/0000000000000001-${third}.bytes`)).toEqual(new Uint8Array(junk))
  })
})
