/** Delivery in format `payload`: an object for each payload, many being put at once, within bounds, and the same at a repeat. */

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { objectsOf } from '../../src/delivery/whereabouts.ts'
import type { PutOutcome } from '../../src/destination/destination.ts'
import { HEADER, valueRecord } from '../journal/segment-files.ts'
import { quiet } from '../memory-platform.ts'
import { array, contextOf, filesWith, takenWhereThere } from './memory-thread.ts'

const HOUR_MS = 3_600_000
const NOON_MS = Date.UTC(2026, 10, 21, 12)
const header = { format: 'payload' as const, compression: 'zstd' as const }

/** Records of two sources around a full hour. */
const VARIED = [
  [array(0, 5, { receivedAtMs: NOON_MS - 1 }), array(100, 4, { source: 'b', receivedAtMs: NOON_MS - 1 })],
  [array(10, 4, { receivedAtMs: NOON_MS }), valueRecord('[]', { kind: 'array', payloads: 0 })],
  [array(20, 3, { receivedAtMs: NOON_MS + HOUR_MS - 1 })],
]
const VARIED_FILES = () => filesWith([{ header, frames: VARIED }])
const RECEIPT = `${HEADER.node}-0-1-${HEADER.tag}`

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest()

describe('a delivery', () => {
  test('puts each payload under its receipt and index, its bytes as they were posted, uncompressed', async () => {
    const texts = ['{"a":\n 1}', '"ü"', '-0.0']
    const { run, store } = contextOf(
      filesWith([{ header, frames: [[valueRecord(`[ ${texts.join(' ,\r\n')}]`, { kind: 'array', payloads: 3 })]] }]),
    )
    expect(await run()).toMatchObject({ kind: 'stored', format: 'payload', payloads: 3, letters: [] })
    const directory = 'default/date=2026-11-21/hour=01'
    const found = [...store.objects.values()].map(({ name, body, ...more }) => [name, `${Buffer.from(body)}`, more])
    expect(found).toEqual(
      texts.map((text, index) => [
        `${directory}/${RECEIPT}-0-${index}`,
        text,
        { sha256: sha256(text), contentType: 'application/octet-stream', contentEncoding: undefined },
      ]),
    )
  })

  test('tells the ledger of each source and hour: how many, how long together, and one checksum over theirs', async () => {
    const { run, store } = contextOf(VARIED_FILES())
    const delivered = await run()
    if (delivered.kind !== 'stored') throw new Error('it was not told to stop')
    expect(delivered.objects.map(({ name, lines, runs }) => [name, lines, runs])).toEqual([
      [`default/date=2026-11-21/hour=11/${RECEIPT}`, 5, [[0, 1, 5]]],
      [`b/date=2026-11-21/hour=11/${RECEIPT}`, 4, [[1, 1, 4]]],
      [
        `default/date=2026-11-21/hour=12/${RECEIPT}`,
        7,
        [
          [2, 1, 4],
          [4, 1, 3],
        ],
      ],
    ])
    for (const set of delivered.objects) {
      const all = [...store.objects.values()].filter(({ name }) => name.startsWith(`${set.name}-`))
      expect(set.bytes).toBe(all.reduce((sum, { body }) => sum + body.length, 0))
      expect(set.sha256).toBe(sha256(Buffer.concat(all.map(({ sha256 }) => sha256))).toString('hex'))
    }
    const named = [0, 1, 2, 4].map((place) => objectsOf(delivered as never, place))
    expect(named).toEqual([
      [{ name: `default/date=2026-11-21/hour=11/${RECEIPT}-0-[0-4]`, payloads: 5 }],
      [{ name: `b/date=2026-11-21/hour=11/${RECEIPT}-1-[0-3]`, payloads: 4 }],
      [{ name: `default/date=2026-11-21/hour=12/${RECEIPT}-2-[0-3]`, payloads: 4 }],
      [{ name: `default/date=2026-11-21/hour=12/${RECEIPT}-4-[0-2]`, payloads: 3 }],
    ])
    expect(objectsOf(delivered as never, 3)).toEqual([])
  })

  test('keeps what it tells small, however many records of differing lengths there are', async () => {
    const frames = [Array.from({ length: 2000 }, (_, i) => array(i, 1 + ((i * 7) % 3)))]
    const { run } = contextOf(filesWith([{ header, frames }]))
    const delivered = await run()
    expect(JSON.stringify(delivered).length).toBeLessThan(10_000)
    const [object, ...others] = objectsOf(delivered as never, 1000)
    expect(others).toEqual([])
    expect(object).toEqual({ name: `default/date=2026-11-21/hour=01/${RECEIPT}-1000-*`, payloads: undefined })
  })
})

describe('puts beside each other', () => {
  const frames = [[array(0, 100)], [array(100, 100)]]

  test('are as many as the bound, no more, and all end', async () => {
    const { run, store } = contextOf(filesWith([{ header, frames }]), { putsMax: 7 })
    let most = 0
    store.answer = async () => {
      most = Math.max(most, store.underWay)
      await quiet()
      return { kind: 'stored', already: false }
    }
    expect(await run()).toMatchObject({ payloads: 200 })
    expect(most).toBe(7)
    expect(store.objects.size).toBe(200)
  })

  test('never hold more bytes than the budget', async () => {
    const { run, store } = contextOf(filesWith([{ header, frames }]), { putsMax: 50, bodyBytesMax: 10 })
    store.answer = async () => {
      await quiet()
      return { kind: 'stored', already: false }
    }
    expect(await run()).toMatchObject({ payloads: 200 })
    expect(store.bytesMost).toBeLessThanOrEqual(10)
    expect(store.bytesMost).toBeGreaterThan(6)
  })

  test('go on while one of them is tried again and again; the delivery ends only when that is stored, too', async () => {
    const { run, store, platform, troubles } = contextOf(filesWith([{ header, frames }]), { putsMax: 3 })
    store.answer = ({ name }) =>
      name.endsWith('-0-5') && platform.clock.monotonicMs() < 60_000
        ? { kind: 'retry', reason: 'busy' }
        : { kind: 'stored', already: false }
    let isOver = false
    const delivery = run().finally(() => {
      isOver = true
    })
    await platform.clock.advance(30_000)
    expect([store.objects.size, isOver]).toEqual([199, false])
    await platform.clock.advance(60_000)
    expect(await delivery).toMatchObject({ payloads: 200 })
    expect(new Set(troubles.map(({ object }) => object)).size).toBe(1)
  })

  test('that all fail are told of as one: a store that is down is not as many lines as there are puts', async () => {
    const { run, store, platform, troubles } = contextOf(filesWith([{ header, frames }]), { putsMax: 50 })
    store.answer = () =>
      platform.clock.monotonicMs() < 60_000 ? { kind: 'retry', reason: 'down' } : { kind: 'stored', already: false }
    const delivery = run()
    await platform.clock.advance(59_000)
    expect(store.puts.length).toBeGreaterThan(200)
    expect(troubles.length).toBeLessThan(20)
    await platform.clock.advance(60_000)
    expect(await delivery).toMatchObject({ payloads: 200 })
  })

  test('that were parked are told of as mended with the first that is stored, long before all of them are', async () => {
    const { run, store, platform, troubles } = contextOf(filesWith([{ header, frames }]), { putsMax: 4 })
    store.answer = async () => {
      if (platform.clock.monotonicMs() < 5000) return { kind: 'park', reason: 'no such bucket' }
      await platform.clock.sleep(1000)
      return { kind: 'stored', already: false }
    }
    const delivery = run()
    await platform.clock.advance(20_000)
    expect(troubles.map(({ kind }) => kind)).toEqual([...troubles.slice(1).map(() => 'park' as const), 'mended'])
    expect(store.objects.size).toBeLessThan(100)
    await platform.clock.advance(120_000)
    expect(await delivery).toMatchObject({ payloads: 200 })
    expect(troubles.filter(({ kind }) => kind === 'mended')).toHaveLength(1)
  })

  test('of names that are taken are mended by nothing but being stored: others are, all the while', async () => {
    const { run, store, platform, troubles } = contextOf(filesWith([{ header, frames }]), { putsMax: 4 })
    takenWhereThere(store)
    const whole = contextOf(filesWith([{ header, frames }]))
    await whole.run()
    const taken = [...whole.store.objects].filter(([name]) => /-0-[57]$/.test(name))
    for (const [name, object] of taken) store.objects.set(name, { ...object, body: new Uint8Array([0x31, 0x32]) })
    let isOver = false
    const delivery = run().finally(() => {
      isOver = true
    })
    await platform.clock.advance(300_000)
    expect([store.objects.size, isOver]).toEqual([200, false])
    expect(new Set(troubles.map(({ kind }) => kind))).toEqual(new Set(['taken']))
    for (const [name] of taken) store.objects.delete(name)
    await platform.clock.advance(60_000)
    expect(await delivery).toEqual(await whole.run())
    expect([...store.objects].sort()).toEqual([...whole.store.objects].sort())
    expect(troubles.filter(({ kind }) => kind === 'mended')).toHaveLength(1)
  })

  test('hold bytes of their own: the memory that the segment is read into is used again meanwhile', async () => {
    const texts = Array.from({ length: 4 }, (_, i) => JSON.stringify(`${i}`.repeat(700_000)))
    const { run, store } = contextOf(filesWith([{ header, frames: texts.map((text) => [valueRecord(text)]) }]))
    const all = Promise.withResolvers<PutOutcome>()
    store.answer = () => {
      if (store.underWay === texts.length) all.resolve({ kind: 'stored', already: false })
      return all.promise
    }
    await run()
    expect([...store.objects.values()].map(({ body }) => Buffer.from(body).toString() === texts.shift())).toEqual(
      Array.from({ length: 4 }, () => true),
    )
  })

  test('let the next segment be read while the last of them are on their way', async () => {
    const files = filesWith([
      { header, frames: [[array(0, 2)]] },
      { header, frames: [[array(10, 2)]] },
    ])
    const { run, store } = contextOf(files)
    store.answer = () => new Promise<PutOutcome>(() => {})
    void run(1)
    void run(2)
    await quiet()
    expect(store.underWay).toBe(4)
  })
})

describe('a repeat', () => {
  test('has the same names, the same bytes, and says the same', async () => {
    const first = contextOf(VARIED_FILES(), { seed: 1 })
    const again = contextOf(VARIED_FILES(), { seed: 2, bodyBytesMax: 1, putsMax: 1 })
    expect(await again.run()).toEqual(await first.run())
    expect(again.store.puts).toEqual(first.store.puts)
    expect([...again.store.objects.values()]).toEqual([...first.store.objects.values()])
  })

  test('after a stop at any put stores what was missing, and nothing stays taken of what deliveries share', async () => {
    const whole = contextOf(VARIED_FILES(), { putsMax: 3 })
    const expected = await whole.run()
    for (let stopAt = 1; stopAt <= whole.store.puts.length; stopAt++) {
      const first = contextOf(VARIED_FILES(), { putsMax: 3, bodyBytesMax: 4 })
      first.store.answer = (_, put) => {
        if (put < stopAt) return { kind: 'stored', already: false }
        first.stop.abort()
        return { kind: 'retry', reason: 'stopped' }
      }
      expect(await first.run()).toEqual({ kind: 'stopped' })
      await quiet()
      await first.context.puts.take(3)
      await first.context.bodies.take(4)
      const again = contextOf(first.platform.files)
      for (const [name, object] of first.store.objects) again.store.objects.set(name, object)
      again.store.answer = ({ name }) => ({ kind: 'stored', already: again.store.objects.has(name) })
      expect(await again.run()).toEqual(expected)
      expect([...again.store.objects.keys()].sort()).toEqual([...whole.store.objects.keys()].sort())
    }
  })

  test('is left to whoever runs it when a put fails as it never should: the delivery fails, and puts no more', async () => {
    const { run, store, context } = contextOf(VARIED_FILES(), { putsMax: 2 })
    store.answer = async (_, put) => {
      await quiet()
      if (put === 5) throw new Error('a bug')
      return { kind: 'stored', already: false }
    }
    await expect(run()).rejects.toThrow('a bug')
    await quiet()
    expect(store.puts.length).toBeLessThan(9)
    await context.puts.take(2)
  })
})
