/** What each design loses when it is killed follows from how it is made: here with a store that ends no upload before the kill. */

import { expect, test } from 'bun:test'
import { type Contender, REQUESTS_MAX, startContender } from '../../src/designs/contender.ts'
import type { DesignName } from '../../src/designs/designs.ts'
import { measureDesign } from '../../src/designs/measure.ts'
import { Store } from '../../src/designs/store.ts'
import { type Clock, systemClock } from '../../src/platform/clock.ts'
import { Scratch } from '../millrace.ts'

const SETTINGS = { jobTimeMs: 1, workers: 2, queue: 10, rates: [1], stepTimeMs: 1 }
const MOST_MS = 60_000

test.each<[DesignName, posts: number, uploading: number]>([
  ['perRequest', 300, REQUESTS_MAX],
  ['oneConsumer', 11, 1],
  ['workerPool', 12, 2],
])('%s says yes to %d payloads and loses all but the %d that it is uploading', async (name, posts, uploading) => {
  using scratch = new Scratch()
  const held = Promise.withResolvers<void>()
  let begun = 0
  const clock: Clock = {
    ...systemClock,
    sleep() {
      begun += 1
      return held.promise
    },
  }
  await using store = new Store(SETTINGS, clock)
  const contender = await startContender(name, { settings: SETTINGS, store: store.url, directory: scratch.path })
  await using child = contender.child
  const acked = await postAll(contender, posts)
  while (begun < uploading) await new Promise((resolve) => setImmediate(resolve))
  child.kill()
  await child.exited
  held.resolve()
  expect(await store.until(() => store.landed.size === uploading && store.isQuiet, MOST_MS)).toBe(true)
  expect(acked.length - store.landedOf(acked)).toBe(posts - uploading)
})

test('Millrace says yes, is killed, is started again, and loses nothing', async () => {
  using scratch = new Scratch()
  await using store = new Store(SETTINGS, systemClock)
  const options = { settings: SETTINGS, store: store.url, directory: scratch.path }
  const contender = await startContender('millrace', options)
  await using child = contender.child
  const acked = await postAll(contender, 300)
  child.kill()
  await child.exited
  await using again = (await startContender('millrace', options)).child
  expect(await store.until(() => store.landedOf(acked) === acked.length, MOST_MS)).toBe(true)
  again.stop()
  await again.exited
  expect(store.twice).toBe(0)
})

test('a design that is killed while hardly used is measured, too', async () => {
  using scratch = new Scratch()
  const settings = { ...SETTINGS, rates: [5], stepTimeMs: 200 }
  const watcher = { begun() {}, measured() {} }
  const options = { name: 'perRequest', settings, directory: scratch.path, clock: systemClock, watcher } as const
  const { steps, crash } = await measureDesign(options)
  expect(steps).toHaveLength(1)
  expect(crash.lost).toBe(crash.acked - crash.landed)
})

async function postAll({ url }: Contender, count: number): Promise<number[]> {
  const ids = Array.from({ length: count }, (_, id) => id)
  for (const id of ids) {
    const body = JSON.stringify({ version: '1', token: 't', data: [{ id }] })
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(answer.ok).toBe(true)
    await answer.arrayBuffer()
  }
  return ids
}
