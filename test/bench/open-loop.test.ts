/** The open loop keeps its schedule, and a server that stalls can't hide what should have been sent meanwhile. */

import { afterAll, expect, test } from 'bun:test'
import { writeBodies } from '../../bench/bodies.ts'
import { openLoad } from '../../bench/load-open.ts'
import { newHistogram, recordMs } from '../../src/designs/latency.ts'
import { FakeClock } from '../memory-platform.ts'
import { Scratch } from '../millrace.ts'

const scratch = new Scratch()
afterAll(() => scratch[Symbol.dispose]())
const bodies = writeBodies(scratch.path, 1)

/** A server that answers nothing until it is let go. */
function heldServer(status: number) {
  const letGo = Promise.withResolvers<void>()
  const first = Promise.withResolvers<void>()
  let posts = 0
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      await request.arrayBuffer()
      posts += 1
      first.resolve()
      await letGo.promise
      return new Response('{}', { status })
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}/payload`,
    first: first.promise,
    letGo: letGo.resolve,
    get posts() {
      return posts
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

test('latency counts from when a request was due, though it could only be sent after a stall', async () => {
  await using server = heldServer(202)
  const clock = new FakeClock()
  const load = { url: server.url, bodies, connections: 1, postsPerSecond: 1000, warmupSeconds: 0, seconds: 0.1 }
  const outcome = openLoad(load, clock)
  await server.first
  await clock.advance(99)
  expect(server.posts).toBe(1)
  server.letGo()
  // Time stands still from here on: the first waited 99 ms, the last not at all.
  const { p50Ms, maxMs, postsPerSecond, refused, broken, generatorLateP99Ms } = await outcome
  expect(server.posts).toBe(100)
  expect({ postsPerSecond, refused, broken }).toEqual({ postsPerSecond: 1000, refused: 0, broken: 0 })
  expect(p50Ms).toBeWithin(49, 51)
  expect(maxMs).toBeWithin(98.9, 99.2)
  expect(generatorLateP99Ms).toBeLessThan(0.1)
})

test('what comes in the warm-up is posted and not counted', async () => {
  await using server = heldServer(202)
  const clock = new FakeClock()
  const load = { url: server.url, bodies, connections: 4, postsPerSecond: 1000, warmupSeconds: 0.09, seconds: 0.01 }
  const outcome = openLoad(load, clock)
  await server.first
  await clock.advance(99)
  server.letGo()
  const { maxMs, postsPerSecond } = await outcome
  expect(server.posts).toBe(100)
  expect(postsPerSecond).toBe(1000)
  expect(maxMs).toBeWithin(8.9, 9.1)
})

test('refusals are counted and have no latency', async () => {
  await using server = heldServer(503)
  const clock = new FakeClock()
  const load = { url: server.url, bodies, connections: 2, postsPerSecond: 100, warmupSeconds: 0, seconds: 0.1 }
  const outcome = openLoad(load, clock)
  await server.first
  await clock.advance(90)
  server.letGo()
  expect(await outcome).toMatchObject({ refused: 10, broken: 0, postsPerSecond: 0 })
})

test('requests that get no answer are broken', async () => {
  await using server = heldServer(202)
  const clock = new FakeClock()
  const load = { url: server.url, bodies, connections: 2, postsPerSecond: 100, warmupSeconds: 0, seconds: 0.1 }
  const outcome = openLoad(load, clock)
  await server.first
  await clock.advance(90)
  await clock.advance(10_000)
  expect(await outcome).toMatchObject({ refused: 0, broken: 10, postsPerSecond: 0 })
  server.letGo()
})

test('percentiles of the histogram are within a thousandth', () => {
  const histogram = newHistogram()
  for (let ms = 1; ms <= 10_000; ms++) recordMs(histogram, ms)
  for (const percentile of [50, 99, 99.9]) {
    const exactMicros = percentile * 100_000
    expect(Math.abs(histogram.percentile(percentile) / exactMicros - 1)).toBeLessThan(0.001)
  }
  // Neither too little nor too much for it is lost.
  recordMs(histogram, 0)
  recordMs(histogram, 1e9)
  expect(histogram.count).toBe(10_002)
  expect(histogram.max).toBeGreaterThan(59e6)
})
