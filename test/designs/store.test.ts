/** The stand-in for a store: so many uploads at once, each as long, every payload counted. */

import { expect, test } from 'bun:test'
import { idsIn, Store } from '../../src/designs/store.ts'
import { FakeClock } from '../memory-platform.ts'

/** Puts objects, each once the store has the one before; the statuses that they are answered with later. */
async function putAll(store: Store, clock: FakeClock, objects: Record<string, string>) {
  const answers: Promise<number>[] = []
  for (const [name, body] of Object.entries(objects)) {
    const pending = clock.pending
    answers.push(fetch(`${store.url}/${name}`, { method: 'PUT', body }).then(({ status }) => status))
    while (clock.pending === pending) await new Promise((resolve) => setImmediate(resolve))
  }
  return { statuses: () => Promise.all(answers) }
}

test('it works on so many at once, and the others wait for their turn', async () => {
  const clock = new FakeClock()
  await using store = new Store({ jobTimeMs: 20, workers: 2 }, clock)
  const puts = await putAll(store, clock, { a: '{"id":1}', b: '{"id":2}', c: '{"id":3}' })
  await clock.advance(19)
  expect(store.landed.size).toBe(0)
  await clock.advance(1)
  expect([...store.landed.keys()]).toEqual([1, 2])
  await clock.advance(19)
  expect(store.isQuiet).toBe(false)
  await clock.advance(1)
  expect([...store.landed.keys()]).toEqual([1, 2, 3])
  expect(store.isQuiet).toBe(true)
  expect(await puts.statuses()).toEqual([200, 200, 200])
})

test('a name that is taken stays as it is, and can be read', async () => {
  const clock = new FakeClock()
  await using store = new Store({ jobTimeMs: 1, workers: 8 }, clock)
  const first = await putAll(store, clock, { a: '{"id":1}' })
  await clock.advance(1)
  const again = await putAll(store, clock, { a: '{"id":2}' })
  await clock.advance(1)
  expect(await first.statuses()).toEqual([200])
  expect(await again.statuses()).toEqual([412])
  expect(await (await fetch(`${store.url}/a`)).text()).toBe('{"id":1}')
  expect((await fetch(`${store.url}/b`)).status).toBe(404)
})

test('a payload that comes in two objects came twice', async () => {
  const clock = new FakeClock()
  await using store = new Store({ jobTimeMs: 1, workers: 8 }, clock)
  await putAll(store, clock, { a: '{"payload":{"id":1}}\n{"payload":{"id":2}}\n', b: '{"payload":{"id":2}}\n' })
  await clock.advance(1)
  expect([store.landed.size, store.twice, store.landedOf([0, 1, 2])]).toEqual([2, 1, 2])
})

test('lines are counted as they are compressed', () => {
  const lines = '{"receipt":"r","payload":{"id":7}}\n{"receipt":"r","payload":{"id":8}}\n'
  expect(idsIn(Buffer.from(Bun.zstdCompressSync(lines)))).toEqual([7, 8])
  expect(idsIn(Buffer.from('{"id":9}'))).toEqual([9])
})
