/** Many puts of one segment: how many are begun at once, and that none is forgotten that waits for others. */

import { expect, test } from 'bun:test'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { type Flow, ManyPuts } from '../../src/delivery/many-puts.ts'
import { Parking } from '../../src/delivery/parking.ts'
import { PutLimit } from '../../src/delivery/put-limit.ts'
import { Body } from '../../src/destination/body.ts'
import type { Found } from '../../src/destination/destination.ts'
import { FakeClock, quiet, SeededRandom } from '../memory-platform.ts'

/** Puts whose objects are stored when they are told to be, or tried again after a pause that never ends here. */
class Puts {
  readonly begun: string[] = []
  readonly over: [name: string, isStored: boolean][] = []
  readonly many: ManyPuts
  readonly #stored: (() => void)[] = []
  #next = 0
  /** The next that are put fail. */
  isFailing = false

  constructor(flow: Partial<Flow>) {
    const clock = new FakeClock()
    const put = async ({ name }: { name: string }, signal: AbortSignal) => {
      this.begun.push(name)
      if (this.isFailing) return { kind: 'retry', reason: 'away' } as const
      await new Promise<void>((resolve) => {
        this.#stored.push(resolve)
        signal.addEventListener('abort', () => resolve())
      })
      return signal.aborted
        ? ({ kind: 'retry', reason: 'told to stop' } as const)
        : ({ kind: 'stored', already: false } as const)
    }
    const context = {
      clock,
      random: new SeededRandom(1),
      parking: new Parking(clock),
      limit: new PutLimit(clock, 64),
      destination: { url: 'test:', put, read: (): Promise<Found> => Promise.resolve({ kind: 'missing' }) },
      decompress: createDecompressor,
      format: 'lines',
      signal: new AbortController().signal,
      onTrouble: () => {},
    } as const
    this.many = new ManyPuts(context, { underWayMax: 100, together: 3, togetherBytes: 1e9, ...flow })
  }

  async start(count: number, bytes = 1): Promise<void> {
    for (let i = 0; i < count; i++) {
      const name = `${this.#next++}`
      const object = { name, body: new Body([new Uint8Array(bytes)]), sha256: new Uint8Array(32) }
      this.many.start({ ...object, contentType: '', contentEncoding: undefined }, (there) =>
        this.over.push([name, there !== undefined]),
      )
    }
    await quiet()
  }

  async store(count: number): Promise<void> {
    for (const stored of this.#stored.splice(0, count)) stored()
    await quiet()
  }
}

test('as many are begun at once as was said, and those before them count as under way', async () => {
  const puts = new Puts({})
  await puts.start(2)
  expect([puts.begun.length, puts.many.underWay]).toEqual([0, 2])
  await puts.start(2)
  expect([puts.begun.length, puts.many.underWay]).toEqual([3, 4])
})

test('whoever waits for them has all of them begun; who has no need to wait does not', async () => {
  const puts = new Puts({})
  await puts.start(2)
  expect(await puts.many.fewerThan(3)).toBe('fewer')
  expect(puts.begun).toEqual([])
  const are = puts.many.fewerThan(1)
  await quiet()
  expect(puts.begun).toEqual(['0', '1'])
  await puts.store(2)
  expect(await are).toBe('fewer')
  expect(puts.over).toEqual([
    ['0', true],
    ['1', true],
  ])
})

test('those that were not begun are over as well when all are given up, and none of them is put', async () => {
  const puts = new Puts({})
  await puts.start(4)
  puts.many.abandon()
  await quiet()
  expect(puts.over.toSorted()).toEqual(['0', '1', '2', '3'].map((name) => [name, false]))
  expect(puts.begun).toEqual(['0', '1', '2'])
  expect(puts.many.underWay).toBe(0)
})

test('long ones do not wait for others', async () => {
  const puts = new Puts({ togetherBytes: 1000 })
  await puts.start(1, 1000)
  expect(puts.begun).toEqual(['0'])
  await puts.start(1, 999)
  expect(puts.begun).toEqual(['0'])
  await puts.start(1)
  expect(puts.begun).toEqual(['0', '1', '2'])
})

test('when they are full there is room once as many are stored as are begun at once', async () => {
  const puts = new Puts({ underWayMax: 6 })
  await puts.start(5)
  expect(puts.many.isFull).toBe(false)
  await puts.start(1)
  expect(puts.many.isFull).toBe(true)
  let are: string | undefined
  void puts.many.room().then((said) => {
    are = said
  })
  await puts.store(2)
  expect(are).toBeUndefined()
  await puts.store(1)
  expect(are).toBe('fewer')
})

test('those in trouble leave room to others as long as there is any', async () => {
  const puts = new Puts({ underWayMax: 6 })
  puts.isFailing = true
  await puts.start(3)
  await puts.start(2)
  void puts.many.fewerThan(1)
  await quiet()
  puts.isFailing = false
  for (let more = 0; more < 4; more++) {
    await puts.start(1)
    expect(puts.many.isFull).toBe(true)
    const room = puts.many.room(16)
    await quiet()
    await puts.store(1)
    expect(await room).toBe('fewer')
  }
  expect(puts.over).toHaveLength(4)
})
