/** Rising load: what has no answer counts, and what was answered is known by its id. */

import { expect, test } from 'bun:test'
import { Load } from '../../src/designs/load.ts'
import { FakeClock } from '../memory-platform.ts'

test('a request without an answer counts for as long as it waited, sent or not', async () => {
  const ended = Promise.withResolvers<void>()
  await using server = serverThat(async () => {
    await ended.promise
    return new Response('{}')
  })
  const clock = new FakeClock()
  using load = await Load.open(server.url, clock)
  // 1,000 requests, one a millisecond: the connections are few enough that most of them wait for one.
  const step = load.step(1000, 1000)
  await clock.advance(1000)
  const { acked, p50Ms, p99Ms } = await step
  ended.resolve()
  expect(acked).toBe(0)
  expect(p50Ms).toBeWithin(499, 502)
  expect(p99Ms).toBeWithin(989, 992)
})

test('what is answered with 2xx is acked, and nothing else', async () => {
  const seen: number[] = []
  const answered = Promise.withResolvers<void>()
  await using server = serverThat(async (request) => {
    const { data } = (await request.json()) as { data: { id: number }[] }
    seen.push(...data.map(({ id }) => id))
    if (seen.length === 10) answered.resolve()
    return new Response('{}', { status: (data[0]?.id ?? 0) % 2 === 0 ? 202 : 503 })
  })
  const clock = new FakeClock()
  using load = await Load.open(server.url, clock)
  const step = load.step(10, 1000)
  await clock.advance(999)
  await answered.promise
  while (load.acked.length < 5) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(1)
  expect((await step).acked).toBe(5)
  expect(load.acked.toSorted()).toEqual([0, 2, 4, 6, 8])
})

test('it is quiet once each request is answered or its connection is gone, whatever becomes of those never used', async () => {
  let requests = 0
  const two = Promise.withResolvers<void>()
  const server = serverThat(() => {
    requests += 1
    if (requests === 2) two.resolve()
    return requests === 1 ? new Response('{}') : new Promise(() => {})
  })
  const clock = new FakeClock()
  using load = await Load.open(server.url, clock)
  const step = load.step(20, 100)
  await clock.advance(100)
  await step
  await two.promise
  const quiet = load.quiet()
  await server[Symbol.asyncDispose]()
  await quiet
  expect(load.acked).toHaveLength(1)
})

function serverThat(fetch: (request: Request) => Response | Promise<Response>) {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
  return { url: `http://127.0.0.1:${server.port}/payload`, [Symbol.asyncDispose]: () => server.stop(true) }
}
