/** What lanes ask one another: answers pass through as they are, and a lane that is down is an outcome, in bounded time. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { laneOfHeader } from '../../src/intake/idempotency.ts'
import { STATE_PATH } from '../../src/intake/listener.ts'
import { Sisters, socketPath } from '../../src/lanes/sisters.ts'
import { FakeClock } from '../memory-platform.ts'
import { Scratch } from '../millrace.ts'

let scratch: Scratch
beforeEach(() => {
  scratch = new Scratch()
})
afterEach(() => scratch[Symbol.dispose]())

const sistersOf = (clock = new FakeClock(), lanes = 2) =>
  new Sisters({ lane: 0, lanes, socketDirectory: scratch.path, postTimeoutMs: 5000 }, clock)

function serve(lane: number, answer: (request: Request) => Response | Promise<Response>) {
  return Bun.serve({ unix: socketPath(scratch.path, lane), fetch: answer })
}

/** Keys of the other lane, and of this one. */
const theirs = ['a', 'b', 'c', 'd', 'e'].find((key) => laneOfHeader(key, 2) === 1) as string
const ours = ['a', 'b', 'c', 'd', 'e'].find((key) => laneOfHeader(key, 2) === 0) as string
const post = (key: string) => ({
  path: '/payloads',
  ack: 'stored' as const,
  contentType: 'application/json; charset=utf-8',
  doubt: null,
  key,
  body: new TextEncoder().encode('[1]'),
})

test('a POST goes to the lane of its key with all that counts, and the answer comes back as it is', async () => {
  const seen: unknown[] = []
  const server = serve(1, async (request) => {
    const { pathname, search } = new URL(request.url)
    const { headers } = request
    seen.push([request.method, pathname + search, headers.get('content-type'), headers.get('idempotency-key')])
    seen.push(await request.text())
    return new Response('{"x":1}', {
      status: 422,
      headers: { 'content-type': 'application/problem+json', 'retry-after': '7' },
    })
  })
  const response = await sistersOf().passOn(post(theirs))
  expect(seen).toEqual([['POST', '/payloads?ack=stored', 'application/json; charset=utf-8', theirs], '[1]'])
  expect(response).toEqual({
    status: 422,
    contentType: 'application/problem+json',
    headers: { 'retry-after': '7' },
    body: '{"x":1}',
  })
  await server.stop(true)
})

test('a key of this lane, and what is no key, is not passed on; a key in quotes has the lane of the bare one', () => {
  expect(sistersOf().passOn(post(ours))).toBeUndefined()
  expect(sistersOf().passOn(post('mühle'))).toBeUndefined()
  for (const key of ['a', 'b', 'x y', '0']) expect(laneOfHeader(`"${key}"`, 7)).toBe(laneOfHeader(key, 7) as number)
})

test('a lane that is down: 503 with Retry-After, and its state says so', async () => {
  const response = await sistersOf().passOn(post(theirs))
  expect(response?.status).toBe(503)
  expect(response?.headers?.['retry-after']).toBe('1')
  expect(JSON.parse(response?.body ?? '')).toMatchObject({
    code: 'lane_down',
    detail: 'lane 1 does not answer (it is not running)',
  })
  const [state] = await sistersOf().states()
  expect(state).toEqual({ lane: 1, state: undefined, reason: 'lane 1 does not answer (it is not running)' })
})

const state = { balance: {}, destination: 'd', segments: 3 }

test('lanes are asked at once', async () => {
  const asked = Promise.withResolvers<void>()
  // The first answers only when the second was asked as well.
  const first = serve(1, async () => {
    await asked.promise
    return Response.json(state)
  })
  const second = serve(2, (request) => {
    if (request.url.endsWith(STATE_PATH)) asked.resolve()
    return Response.json(state)
  })
  expect(await sistersOf(new FakeClock(), 3).states()).toEqual([
    { lane: 1, state: state as never },
    { lane: 2, state: state as never },
  ])
  await first.stop(true)
  await second.stop(true)
})

test('a lane that hangs is given up in time', async () => {
  const clock = new FakeClock()
  const asked = Promise.withResolvers<void>()
  const hanging = serve(1, () => {
    asked.resolve()
    return new Promise<Response>(() => {})
  })
  const states = sistersOf(clock).states()
  await asked.promise
  await clock.advance(2000)
  expect(await states).toEqual([
    { lane: 1, state: undefined, reason: 'lane 1 does not answer (no answer within 2000 ms)' },
  ])
  await hanging.stop(true)
})
