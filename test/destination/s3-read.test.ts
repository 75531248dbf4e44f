/** Reading from S3 against a stand-in: signed HEADs and GETs, bytes as they are stored, and trouble as a value. */

import { afterEach, expect, test } from 'bun:test'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { ATTEMPT_MS, ATTEMPT_MS_PER_MIB } from '../../src/destination/attempt.ts'
import { type Answering, destinationAt, s3Error, standIn } from './s3-stand-in.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const NEVER = new AbortController().signal
const NAME = 'ünï/date=2026-11-21/hour=01/n-0-1-0.ndjson.gz'
const BYTES = gzipSync('a line\n'.repeat(1000))

function start(answering: Answering) {
  const store = standIn(answering)
  closers.push(store.stop)
  return { store, ...destinationAt({ endpoint: store.endpoint }) }
}

const withObject = () => start(() => new Response(BYTES, { headers: { etag: '"e"', 'content-encoding': 'gzip' } }))

/** Reads an object whole. */
async function readWhole(destination: ReturnType<typeof start>['destination'], name = NAME) {
  const pieces: Uint8Array[] = []
  const found = await destination.read(name, (piece) => void pieces.push(piece), NEVER)
  return { found, bytes: Buffer.concat(pieces) }
}

test('the size comes from one signed HEAD', async () => {
  const { store, destination, clock } = withObject()
  expect(await destination.sizeOf(NAME, NEVER)).toEqual({ kind: 'found', bytes: BYTES.length })
  expect(store.seen.map(({ method, key, problems }) => [method, key, problems])).toEqual([['HEAD', `p/${NAME}`, []]])
  expect(clock.timers.every(({ cancelled }) => cancelled)).toBe(true)
})

test('the bytes come as they are stored, nothing decompressed, in one signed GET', async () => {
  const { store, destination } = withObject()
  const { found, bytes } = await readWhole(destination)
  expect(found).toEqual({ kind: 'found', bytes: BYTES.length })
  expect(bytes).toEqual(BYTES)
  expect(store.seen.map(({ method, key, problems }) => [method, key, problems])).toEqual([['GET', `p/${NAME}`, []]])
})

test('an object that is not there is missing, to both; a HEAD’s 404 is explained by a GET', async () => {
  const { store, destination } = start(() => s3Error(404, 'NoSuchKey'))
  expect(await destination.sizeOf(NAME, NEVER)).toEqual({ kind: 'missing' })
  expect((await readWhole(destination)).found).toEqual({ kind: 'missing' })
  expect(store.seen.map(({ method }) => method)).toEqual(['HEAD', 'GET', 'GET'])
})

test.each([
  [404, 'NoSuchBucket', false, /404 NoSuchBucket.*Create bucket 'logs'/],
  [
    403,
    'AccessDenied',
    false,
    /Allow these credentials s3:GetObject on .*logs\/p\/\* and s3:ListBucket on arn:aws:s3:::logs$/,
  ],
  [403, 'SignatureDoesNotMatch', false, /Check AWS_ACCESS_KEY_ID/],
  [404, '', false, /404/],
  [301, 'PermanentRedirect', false, /AWS_REGION/],
  [503, 'SlowDown', true, /503 SlowDown/],
  [500, 'InternalError', true, /500 InternalError/],
])('%p %p is no answer, passing: %p', async (status, code, passing, reason) => {
  const { destination } = start(() => s3Error(status, code))
  const expected = { kind: 'failed' as const, passing, reason: expect.stringMatching(reason) }
  expect(await destination.sizeOf(NAME, NEVER)).toEqual(expected)
  expect((await readWhole(destination)).found).toEqual(expected)
})

test('an answer that ends too early is no answer: the next try begins anew', async () => {
  const server = createHttpServer((_, response) => {
    response.writeHead(200, { 'content-length': BYTES.length })
    response.write(BYTES.subarray(0, 10), () => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { found } = await readWhole(destinationAt({ endpoint }).destination)
  expect(found).toMatchObject({ kind: 'failed', passing: true })
})

test('a store that is gone, keys that there are none of, and a stop are no answers', async () => {
  const { store, destination } = withObject()
  const stopped = AbortSignal.abort()
  expect(await destination.sizeOf(NAME, stopped)).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('stopping'),
  })
  await store.stop()
  expect(await destination.sizeOf(NAME, NEVER)).toMatchObject({
    kind: 'failed',
    passing: true,
    reason: expect.stringContaining('connection refused'),
  })
  const noKeys = destinationAt({ endpoint: store.endpoint }, () => Promise.reject(new Error('none here'))).destination
  expect((await readWhole(noKeys)).found).toMatchObject({
    kind: 'failed',
    passing: false,
    reason: expect.stringContaining('none here'),
  })
})

test('an attempt has its time, and more once the length is known; what takes longer is given up', async () => {
  const arrived = Promise.withResolvers<void>()
  const { destination, clock } = start(({ method }) => {
    if (method === 'GET') return new Response(new Uint8Array(2 ** 21))
    arrived.resolve()
    return new Promise<Response>(() => {})
  })
  await readWhole(destination)
  expect(clock.timers.map(({ delayMs }) => delayMs)).toContain(ATTEMPT_MS + 2 * ATTEMPT_MS_PER_MIB)
  const size = destination.sizeOf(NAME, NEVER)
  await arrived.promise
  clock.timers.findLast(({ delayMs }) => delayMs === ATTEMPT_MS)?.callback()
  expect(await size).toMatchObject({
    kind: 'failed',
    passing: true,
    reason: expect.stringContaining('no answer within 60 s'),
  })
})

test('a fault of whoever takes the bytes is his own', async () => {
  const { destination } = withObject()
  const take = () => {
    throw new Error('no room')
  }
  expect(destination.read(NAME, take, NEVER)).rejects.toThrow('no room')
})

test.each(['a/../b', 'a//b', '..'])(
  'a name that a URL would change is missing, and not asked for: %s',
  async (name) => {
    const { store, destination } = withObject()
    expect(await destination.sizeOf(name, NEVER)).toEqual({ kind: 'missing' })
    expect((await readWhole(destination, name)).found).toEqual({ kind: 'missing' })
    expect(store.seen).toEqual([])
  },
)
