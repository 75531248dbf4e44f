/** The S3 destination against a stand-in: what it sends, and that trouble on the way is an outcome, never an exception. */

import { afterEach, expect, test } from 'bun:test'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { ANSWER_BYTES_MAX, ATTEMPT_MS, ATTEMPT_MS_PER_MIB } from '../../src/destination/attempt.ts'
import type { PutOutcome } from '../../src/destination/destination.ts'
import { type Answering, destinationAt, KEYS, objectOf, s3Error, standIn, UNTRUSTED_TLS } from './s3-stand-in.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const NEVER = new AbortController().signal

function start(answering?: Answering) {
  const store = standIn(answering)
  closers.push(store.stop)
  return store
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** For what a stand-in on 127.0.0.1 can't see. */
function replaceFetch(answer: (url: string) => Response): void {
  const real = globalThis.fetch
  closers.push(() => {
    globalThis.fetch = real
  })
  globalThis.fetch = Object.assign(async (url: string | URL | Request) => answer(String(url)), {
    preconnect: real.preconnect,
  })
}

function reasonOf(outcome: PutOutcome): string {
  return outcome.kind === 'stored' ? 'stored' : outcome.reason
}

test('an object goes out in one PUT, signed as SigV4 says, with all that S3 has to know', async () => {
  const store = start()
  const { destination, clock } = destinationAt({ endpoint: store.endpoint })
  const object = objectOf()
  expect(await destination.put(object, NEVER)).toEqual({ kind: 'stored', already: false })

  expect(store.seen).toHaveLength(1)
  const [seen] = store.seen
  expect(seen?.problems).toEqual([])
  expect(seen?.key).toBe(`p/${object.name}`)
  expect(seen?.body).toEqual(object.body.whole())
  expect(seen?.headers.get('content-type')).toBe('application/x-ndjson')
  expect(seen?.headers.get('content-encoding')).toBe('zstd')
  expect(seen?.headers.get('x-amz-acl')).toBe('private')
  expect(seen?.headers.get('x-amz-date')).toBe('20261121T013000Z')
  expect(seen?.headers.get('authorization')).toContain('/20261121/eu-west-1/s3/aws4_request')
  expect(seen?.signedHeaders).toEqual([
    'content-encoding',
    'content-type',
    'host',
    'if-none-match',
    'x-amz-acl',
    'x-amz-checksum-sha256',
    'x-amz-content-sha256',
    'x-amz-date',
  ])
  // The attempt's and the credentials' own.
  expect(clock.timers.map((timer) => timer.cancelled)).toEqual([true, true])
})

test('an object without a content coding has no Content-Encoding, and an empty one is an object too', async () => {
  const store = start()
  const { destination } = destinationAt({ endpoint: store.endpoint })
  await destination.put({ ...objectOf('empty', 0), contentEncoding: undefined }, NEVER)
  expect(store.seen[0]?.problems).toEqual([])
  expect(store.seen[0]?.headers.has('content-encoding')).toBe(false)
})

test('a session token is sent and signed', async () => {
  const store = start()
  const keys = { ...KEYS, sessionToken: 'FwoGZXIvYXdzE+/=' }
  const { destination } = destinationAt({ endpoint: store.endpoint }, () => Promise.resolve(keys))
  await destination.put(objectOf(), NEVER)
  expect(store.seen[0]?.problems).toEqual([])
  expect(store.seen[0]?.headers.get('x-amz-security-token')).toBe(keys.sessionToken)
  expect(store.seen[0]?.signedHeaders).toContain('x-amz-security-token')
})

test.each([
  'sp ace/date=2026-11-21/a-b_c.d~e',
  'ünï/日本/emoji😀',
  "plus+star*bang!quote'paren()",
  '100%/pct%20literal/%2F',
  'semi;colon:at@amp&dollar$comma,hash#question?equals=',
  'back\\slash"less<more>caret^tick`pipe|brace{}bracket[]',
  '...',
])('a key with odd characters arrives as it is, and its signature holds: %s', async (name) => {
  const store = start()
  const { destination } = destinationAt({ endpoint: store.endpoint, prefix: `pre fix/ü+${name}` })
  expect(await destination.put(objectOf(name), NEVER)).toEqual({ kind: 'stored', already: false })
  expect(store.seen[0]?.problems).toEqual([])
  expect(store.seen[0]?.key).toBe(`pre fix/ü+${name}/${name}`)
})

test.each(['a/../b', './a', 'a//b', 'a/..'])('a name that a URL would change is not sent: %s', async (name) => {
  const store = start()
  const { destination } = destinationAt({ endpoint: store.endpoint })
  const outcome = await destination.put(objectOf(name), NEVER)
  expect(outcome).toMatchObject({ kind: 'park', reason: expect.stringContaining(name) })
  expect(store.seen).toHaveLength(0)
})

test('without a prefix keys begin at the root of the bucket, and the URL says where objects go', async () => {
  const store = start()
  const { destination } = destinationAt({ endpoint: store.endpoint, prefix: '' })
  await destination.put(objectOf('a/b'), NEVER)
  expect(store.seen[0]?.key).toBe('a/b')
  expect(destination.url).toBe('s3://logs')
  expect(destinationAt({ prefix: 'x/y' }).destination.url).toBe('s3://logs/x/y')
})

test.each([
  [{ bucket: 'logs', region: 'eu-west-1' }, 'https://logs.s3.eu-west-1.amazonaws.com/p/o'],
  [{ bucket: 'my.logs', region: 'eu-west-1' }, 'https://s3.eu-west-1.amazonaws.com/my.logs/p/o'],
  [{ bucket: 'logs', region: 'cn-north-1' }, 'https://logs.s3.cn-north-1.amazonaws.com.cn/p/o'],
  [{ bucket: 'logs', endpoint: 'https://x.example/storage/s3' }, 'https://x.example/storage/s3/logs/p/o'],
])('the host follows from bucket, region and endpoint: %j', async (place, url) => {
  const urls: string[] = []
  replaceFetch((url) => {
    urls.push(url)
    return new Response(null, { headers: { etag: '"e"' } })
  })
  await destinationAt(place).destination.put(objectOf('o'), NEVER)
  expect(urls).toEqual([url])
})

test('an attempt that takes longer than its time is given up and tried again', async () => {
  const arrived = Promise.withResolvers<void>()
  const forever = new Promise<Response>(() => {})
  const store = start(() => {
    arrived.resolve()
    return forever
  })
  const { destination, clock } = destinationAt({ endpoint: store.endpoint })
  const outcome = destination.put(objectOf('o', 2 ** 20), NEVER)
  await arrived.promise
  expect(clock.timers[0]?.delayMs).toBe(ATTEMPT_MS + ATTEMPT_MS_PER_MIB)
  clock.timers[0]?.callback()
  expect(await outcome).toEqual({
    kind: 'retry',
    reason: `s3://logs at ${store.endpoint}: no answer within 65 s`,
    throttled: { retryAfterMs: undefined },
  })
})

test('a put ends with retry when its caller aborts, before, during and after; and lets go of the signal', async () => {
  const arrived = Promise.withResolvers<void>()
  const store = start(({ key }) => {
    if (key === 'p/quick') return undefined
    arrived.resolve()
    return new Promise<Response>(() => {})
  })
  const { destination } = destinationAt({ endpoint: store.endpoint })
  const caller = new AbortController()
  const held = new Set<unknown>()
  const { addEventListener, removeEventListener } = caller.signal
  caller.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    held.add(args[1])
    addEventListener.apply(caller.signal, args)
  }
  caller.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    held.delete(args[1])
    removeEventListener.apply(caller.signal, args)
  }
  expect((await destination.put(objectOf('quick'), caller.signal)).kind).toBe('stored')
  expect(held.size).toBe(0)

  const outcome = destination.put(objectOf(), caller.signal)
  await arrived.promise
  expect(held.size).toBe(1)
  caller.abort()
  expect(await outcome).toMatchObject({ kind: 'retry', reason: expect.stringContaining('stopping') })
  expect(held.size).toBe(0)

  const before = store.seen.length
  expect(await destination.put(objectOf(), caller.signal)).toMatchObject({ kind: 'retry' })
  expect(store.seen).toHaveLength(before)
})

test('a refused connection is tried again', async () => {
  const store = standIn()
  await store.stop()
  const outcome = await destinationAt({ endpoint: store.endpoint }).destination.put(objectOf(), NEVER)
  expect(outcome).toEqual({ kind: 'retry', reason: `s3://logs at ${store.endpoint}: no answer: connection refused` })
})

test.each([
  ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ['closed', (socket: Socket) => socket.destroy()],
  ['answered with what is not HTTP', (socket: Socket) => socket.end('220 mail.example ESMTP\r\n\r\n')],
])('a connection that is %s is tried again', async (_, end) => {
  const endpoint = await listen(createServer((socket) => socket.on('error', () => {}).once('data', () => end(socket))))
  const outcome = await destinationAt({ endpoint }).destination.put(objectOf(), NEVER)
  expect(outcome).toMatchObject({ kind: 'retry', reason: expect.stringContaining('no answer: ') })
})

test('a certificate that is not trusted waits for somebody; a store that speaks no TLS is tried again', async () => {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', tls: UNTRUSTED_TLS, fetch: () => new Response() })
  closers.push(() => server.stop(true))
  const untrusted = destinationAt({ endpoint: `https://127.0.0.1:${server.port}` }).destination
  const outcome = await untrusted.put(objectOf(), NEVER)
  expect(outcome).toMatchObject({ kind: 'park', reason: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT') })

  const endpoint = (await listen(createServer((socket) => socket.on('error', () => {}).end('what?\r\n')))).replace(
    'http:',
    'https:',
  )
  const noTls = await destinationAt({ endpoint }).destination.put(objectOf(), NEVER)
  expect(noTls).toMatchObject({ kind: 'retry', reason: expect.stringContaining('TLS') })
})

test('every answer is read to its end, so that puts one after another share a connection', async () => {
  let connections = 0
  let answers = 0
  const xml = `<Error><Code>SlowDown</Code><!--${'x'.repeat(4000)}--></Error>`
  const server = createHttpServer((request, response) => {
    request.resume().on('end', () => {
      if (++answers % 2) response.writeHead(503, { 'content-length': xml.length }).end(xml)
      else response.writeHead(200, { etag: '"e"', 'content-length': 0 }).end()
    })
  }).on('connection', () => connections++)
  const { destination } = destinationAt({ endpoint: await listen(server) })
  for (let i = 0; i < 20; i++) await destination.put(objectOf(`o${i}`), NEVER)
  expect({ answers, connections }).toEqual({ answers: 20, connections: 1 })
})

test('an answer without end is cut off, and its connection let go', async () => {
  const chunk = new TextEncoder().encode(`<Message>${'x'.repeat(ANSWER_BYTES_MAX / 2)}`)
  let pulls = 0
  let cancelled = false
  const body = new ReadableStream({
    pull(controller) {
      pulls++
      controller.enqueue(chunk)
    },
    cancel() {
      cancelled = true
    },
  })
  replaceFetch(() => new Response(body, { status: 403 }))
  expect(await destinationAt({}).destination.put(objectOf(), NEVER)).toEqual({ kind: 'park', reason: 's3://logs: 403' })
  expect(cancelled).toBe(true)
  expect(pulls).toBeLessThan(5)
})

test('a redirect is not followed: neither the signature nor the data goes to another host', async () => {
  const elsewhere = start()
  const store = start(() => Response.redirect(`${elsewhere.endpoint}/x?token=1`, 307))
  const outcome = await destinationAt({ endpoint: store.endpoint }).destination.put(objectOf(), NEVER)
  expect(outcome.kind).toBe('park')
  expect(reasonOf(outcome)).toContain(`it points to ${elsewhere.endpoint})`)
  expect(elsewhere.seen).toHaveLength(0)
})

test('a bucket that takes no ACL gets the object without one, and stays remembered', async () => {
  const store = start(({ headers }) => {
    return headers.has('x-amz-acl') ? s3Error(400, 'AccessControlListNotSupported') : undefined
  })
  const { destination } = destinationAt({ endpoint: store.endpoint })
  expect(await destination.put(objectOf(), NEVER)).toMatchObject({ kind: 'retry' })
  expect(await destination.put(objectOf(), NEVER)).toEqual({ kind: 'stored', already: false })
  expect(await destination.put(objectOf(), NEVER)).toEqual({ kind: 'stored', already: false })
  expect(store.seen.map(({ problems }) => problems)).toEqual([[], [], []])
})

test('a secret in the words of a store stays out of the reason', async () => {
  const keys = { ...KEYS, sessionToken: 'TOKENTOKENTOKEN' }
  const words = `<Message>key ${keys.secretAccessKey} token ${keys.sessionToken}</Message>`
  const store = start(() => new Response(`<Error><Code>Odd</Code>${words}</Error>`, { status: 400 }))
  const { destination } = destinationAt({ endpoint: store.endpoint }, () => Promise.resolve(keys))
  const reason = reasonOf(await destination.put(objectOf(), NEVER))
  expect(reason).toBe(`s3://logs at ${store.endpoint}: 400 Odd: key (secret) token (secret)`)
})
