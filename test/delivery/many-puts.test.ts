/** Many puts of one segment: how many are begun at once, and that none is forgotten that waits for others. */

import { expect, test } from 'bun:test'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { ManyPuts } from '../../src/delivery/many-puts.ts'
import { Parking } from '../../src/delivery/parking.ts'
import { PutLimit } from '../../src/delivery/put-limit.ts'
import { Body } from '../../src/destination/body.ts'
import type { Found } from '../../src/destination/destination.ts'
import { FakeClock, quiet, SeededRandom } from '../memory-platform.ts'

/** Puts whose objects are stored when they are told to be. */
class Puts {
  readonly begun: string[] = []
  readonly over: [name: string, isStored: boolean][] = []
  readonly many: ManyPuts
  readonly #stored: (() => void)[] = []

  constructor(together: number) {
    const clock = new FakeClock()
    const put = async ({ name }: { name: string }, signal: AbortSignal) => {
      this.begun.push(name)
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
    this.many = new ManyPuts(context, together)
  }

  async start(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const name = `${this.many.underWay}`
      const object = { name, body: new Body([Uint8Array.of(1)]), sha256: new Uint8Array(32) }
      this.many.start({ ...object, contentType: '', contentEncoding: undefined }, (there) =>
        this.over.push([name, there !== undefined]),
      )
    }
    await quiet()
  }

  async storeAll(): Promise<void> {
    for (const stored of this.#stored.splice(0)) stored()
    await quiet()
  }
}

test('as many are begun at once as was said, and those before them count as under way', async () => {
  const puts = new Puts(3)
  await puts.start(2)
  expect([puts.begun.length, puts.many.underWay]).toEqual([0, 2])
  await puts.start(2)
  expect([puts.begun.length, puts.many.underWay]).toEqual([3, 4])
})

test('whoever waits for them has all of them begun; who has no need to wait does not', async () => {
  const puts = new Puts(3)
  await puts.start(2)
  expect(await puts.many.fewerThan(3)).toBe('fewer')
  expect(puts.begun).toEqual([])
  const are = puts.many.fewerThan(1)
  await quiet()
  expect(puts.begun).toEqual(['0', '1'])
  await puts.storeAll()
  expect(await are).toBe('fewer')
  expect(puts.over).toEqual([
    ['0', true],
    ['1', true],
  ])
})

test('those that were not begun are over as well when all are given up, and none of them is put', async () => {
  const puts = new Puts(3)
  await puts.start(4)
  puts.many.abandon()
  await quiet()
  expect(puts.over.toSorted()).toEqual(['0', '1', '2', '3'].map((name) => [name, false]))
  expect(puts.begun).toEqual(['0', '1', '2'])
  expect(puts.many.underWay).toBe(0)
})
