/** Forwarding to servers: to the less busy of two, never to two at once, and what is in doubt to the one that may have it. */

import { afterEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { attemptMsMax } from '../../src/destination/attempt.ts'
import { Body } from '../../src/destination/body.ts'
import type { Destination, OutgoingObject } from '../../src/destination/destination.ts'
import { DOUBT_MS_MAX, forwardDestination } from '../../src/destination/forward.ts'
import { SERVERS_MAX } from '../../src/destination/forward-options.ts'
import { CHECK_MS, CHECK_MS_MAX, EJECTED_MS } from '../../src/destination/forward-server.ts'
import { parsePlace } from '../../src/destination/place.ts'
import { type MemoryPlatform, memoryPlatform, SeededRandom } from '../memory-platform.ts'
import { ForwardStandIn, type Way } from './forward-stand-in.ts'

const DIRECTORY = 'default/date=2026-11-21/hour=01'
const never = new AbortController().signal
const STORED = { kind: 'stored', already: false, at: expect.stringMatching(/^http:\/\/127/) } as const
const open: ForwardStandIn[] = []

afterEach(async () => {
  const used = open.splice(0)
  await Promise.all(used.map((server) => server.close()))
  expect(used.flatMap(({ wrongs }) => wrongs)).toEqual([])
})

/** Object `part` of segment 7. */
function objectOf(part = 0): OutgoingObject {
  const body = new Body([new Uint8Array(Buffer.from(`object ${part}`))])
  return {
    name: `${DIRECTORY}/n-0-0000000000000007-0badcafe-${part}.ndjson.zst`,
    body,
    sha256: new Uint8Array(32),
    contentType: 'application/x-ndjson',
    contentEncoding: 'zstd',
    sentPath: 'lane-0/0000000000000007.sent',
  }
}

const digestOf = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 16)
const keyOf = (part: number) => `n-0-0000000000000007-0badcafe-${part}-${digestOf(objectOf(part).name)}`

/** So many servers, and a destination that forwards to them. */
async function serving(count: number, platform = memoryPlatform()) {
  await platform.files.makeDirectory('lane-0')
  const servers = await Promise.all(Array.from({ length: count }, () => ForwardStandIn.start()))
  open.push(...servers)
  return { servers, platform, ...again(servers, platform) }
}

/** The same servers, as a process after it sees them. */
function again(servers: readonly ForwardStandIn[], platform: MemoryPlatform) {
  const destination = forwardDestination({ servers: servers.map(({ url }) => url) }, platform)
  return { destination, put: (part = 0) => destination.put(objectOf(part), never) }
}

const cameTo = (servers: readonly ForwardStandIn[]) => servers.map(({ came }) => came.length)
const keptAt = (servers: readonly ForwardStandIn[], part = 0) => servers.filter(({ kept }) => kept.has(keyOf(part)))
const sentFile = ({ files }: MemoryPlatform) => {
  const bytes = files.all().get('lane-0/0000000000000007.sent')
  return bytes && Buffer.from(bytes).toString()
}

test('an object comes as it is, under a key that follows from its name', async () => {
  const { servers, put } = await serving(1)
  expect(await put(3)).toEqual(STORED)
  expect(servers[0]?.came).toEqual([{ key: keyOf(3), doubt: undefined, encoding: 'zstd', body: 'object 3' }])
})

test('objects of one segment that differ in their hour only have keys of their own', async () => {
  const { servers, destination } = await serving(1)
  for (const hour of ['hour=01', 'hour=02']) {
    const object = { ...objectOf(), name: objectOf().name.replace('hour=01', hour) }
    expect(await destination.put(object, never)).toEqual(STORED)
  }
  expect(servers[0]?.kept.size).toBe(2)
})

describe('where it goes', () => {
  test('to all of them, and to the less busy of two', async () => {
    const { servers, put } = await serving(3)
    let part = 0
    // Each is known to be open.
    while (Math.min(...cameTo(servers)) === 0) await put(part++)
    const before = cameTo(servers)
    // One is slow: what it was sent stays with it.
    const slow = Promise.withResolvers<Way>()
    let arrived = Promise.withResolvers<void>()
    const [first] = servers as [ForwardStandIn]
    first.way = () => {
      arrived.resolve()
      return slow.promise
    }
    const puts: Promise<unknown>[] = []
    for (const end = part + 60; part < end; part++) {
      arrived = Promise.withResolvers<void>()
      const sent = put(part)
      puts.push(sent)
      await Promise.race([sent, arrived.promise])
    }
    slow.resolve('keep')
    await Promise.all(puts)
    const [one = 0, ...others] = cameTo(servers).map((count, i) => count - (before[i] as number))
    // It was chosen once, with nothing to do; from then on it is the busier of any two.
    expect(one).toBe(1)
    expect(others.reduce((sum, count) => sum + count)).toBe(59)
    expect(Math.min(...others)).toBeGreaterThan(15)
  })

  test('one that refuses connections gets none, its objects go to the others, and it comes back', async () => {
    const { servers, platform, put } = await serving(3)
    for (let part = 0; part < 10; part++) expect(await put(part)).toEqual(STORED)
    const [gone] = servers as [ForwardStandIn]
    await gone.close()
    for (let part = 10; part < 30; part++) expect(await put(part)).toEqual(STORED)
    expect(gone.kept.size).toBeGreaterThan(0)
    const before = gone.kept.size
    await gone.listen()
    await platform.clock.advance(EJECTED_MS.first)
    await asked(gone, put)
    for (let part = 40; part < 60; part++) expect(await put(part)).toEqual(STORED)
    expect(gone.kept.size).toBeGreaterThan(before)
    expect(new Set(servers.flatMap(({ kept }) => [...kept.keys()])).size).toBe(
      servers.reduce((sum, { kept }) => sum + kept.size, 0),
    )
  })

  test('one that says it is not ready gets none, one that is no Millrace neither, nor one that hangs', async () => {
    const { servers, platform, put } = await serving(4)
    const [red, other, hanging, good] = servers as [ForwardStandIn, ForwardStandIn, ForwardStandIn, ForwardStandIn]
    red.ready = { status: 503, code: 'queue_full' }
    other.ready = { status: 200, text: '<html>' }
    hanging.ready = 'hang'
    for (let part = 0; part < 20; part++) expect(await put(part)).toEqual(STORED)
    expect(cameTo(servers)).toEqual([0, 0, 0, 20])
    await good.close()
    const waits = put(20)
    await platform.clock.advance(CHECK_MS_MAX)
    expect(await waits).toMatchObject({ kind: 'retry', reason: expect.stringContaining('no answer within 2 s') })
    red.ready = 'keep'
    await platform.clock.advance(2 * CHECK_MS)
    await asked(red, put)
    expect(await put(20)).toEqual(STORED)
    expect(cameTo(servers)).toEqual([expect.any(Number), 0, 0, 20])
  })

  test('fails again and again: it is asked less and less', async () => {
    const { servers, platform, put } = await serving(1)
    const [server] = servers as [ForwardStandIn]
    server.ready = { status: 200, text: 'x' }
    let checks = 0
    for (let ms = 0; ms < 100_000; ms += 100) {
      expect(await put()).toMatchObject({ kind: 'retry' })
      await platform.clock.advance(100)
      if (ms < 10_000) checks = server.checks
    }
    expect(checks).toBeWithin(4, 9)
    expect(server.checks - checks).toBeWithin(8, 20)
    expect(server.came).toEqual([])
  })
})

/** Puts until a server was asked how it is. */
async function asked(server: ForwardStandIn, put: (part: number) => Promise<unknown>): Promise<void> {
  const { checks } = server
  for (let part = 1000; server.checks === checks; part++) await put(part)
  // Its answer is there before the next put's.
  await put(2000)
}

describe('surely not kept', () => {
  test.each<[string, Way]>([
    ['busy', { status: 503, code: 'queue_full', retryAfter: '7' }],
    ['stopping', { status: 503, code: 'stopping' }],
    ['too large', { status: 413, code: 'body_too_large' }],
    ['no such path', { status: 404, code: 'not_found' }],
  ])('%s: another gets it', async (_, way) => {
    const { servers, platform, put } = await serving(2)
    const [refusing, taking] = servers as [ForwardStandIn, ForwardStandIn]
    refusing.way = way
    for (let part = 0; part < 10; part++) expect(await put(part)).toEqual(STORED)
    expect(refusing.came.length).toBeGreaterThan(0)
    expect(taking.kept.size).toBe(10)
    expect(sentFile(platform)).not.toContain(refusing.url)
  })

  test('busy, all of them: a pause as long as the shortest they ask for', async () => {
    const { servers, platform, put } = await serving(2)
    for (const [i, server] of servers.entries())
      server.way = { status: 503, code: 'journal_full', retryAfter: `${5 + i}` }
    expect(await put()).toMatchObject({ kind: 'retry', throttled: { retryAfterMs: 5000 } })
    expect(await put()).toMatchObject({ kind: 'retry', throttled: { retryAfterMs: 5000 } })
    expect(cameTo(servers)).toEqual([1, 1])
    for (const server of servers) server.way = 'keep'
    await platform.clock.advance(5000)
    expect(await put()).toEqual(STORED)
  })

  test('busy one, away the other: no pause for all', async () => {
    const { servers, put } = await serving(2)
    const [busy, away] = servers as [ForwardStandIn, ForwardStandIn]
    busy.way = { status: 503, code: 'busy', retryAfter: '5' }
    await away.close()
    const outcome = await put()
    expect(outcome).toMatchObject({ kind: 'retry', reason: expect.stringMatching(/503 busy so.*connection refused/) })
    expect(outcome).not.toHaveProperty('throttled')
  })

  test('too large for all: parked alone, with the options to set', async () => {
    const { servers, platform, put } = await serving(2)
    for (const server of servers) server.way = { status: 413, code: 'body_too_large' }
    expect(await put()).toMatchObject({
      kind: 'park',
      isAlone: true,
      reason: expect.stringMatching(/--body-bytes-max .* --object-bytes-max/),
    })
    expect(sentFile(platform)).toBeUndefined()
    for (const server of servers) server.way = 'keep'
    expect(await put()).toEqual(STORED)
    expect(keptAt(servers)).toHaveLength(1)
  })
})

describe('in doubt', () => {
  const ways: [string, Way][] = [
    ['kept, without an answer', 'keep, no answer'],
    ['not kept, without an answer', 'no answer'],
    ['an answer of somebody else', { status: 502, text: 'Bad Gateway' }],
    ['a 202 of somebody else', { status: 202, text: 'ok' }],
    ['a journal that failed half-way', { status: 503, code: 'journal_failed', retryAfter: '1' }],
    ['a disk that was full half-way', { status: 503, code: 'disk_full', retryAfter: '1' }],
    ['a lane that is down', { status: 503, code: 'lane_down', retryAfter: '1' }],
    ['a bug', { status: 500, code: 'internal' }],
  ]
  test.each(ways)('%s: no other gets it, whatever that one says, until it says that it has it', async (_, way) => {
    const { servers, platform, put } = await serving(3)
    for (const server of servers) server.way = way
    expect(await put()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('may have kept') })
    const [first] = servers.filter(({ came }) => came.length > 0) as [ForwardStandIn]
    for (const server of servers) server.way = server === first ? { status: 503, code: 'queue_full' } : 'keep'
    await platform.clock.advance(3000)
    expect(await put()).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('does not say so: 503 queue_full'),
    })
    await first.close()
    expect(await put()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('connection refused') })
    await first.listen()
    first.way = 'keep'
    expect(await put()).toEqual(STORED)
    expect(first.came.map(({ doubt }) => doubt)).toEqual([undefined, '3', '3'])
    expect(keptAt(servers)).toEqual([first])
    // Others go on elsewhere meanwhile.
    expect(await put(1)).toEqual(STORED)
  })

  test('no answer in time', async () => {
    const { servers, platform, put } = await serving(2)
    const came = Promise.withResolvers<void>()
    for (const server of servers) {
      server.way = () => {
        came.resolve()
        return 'hang'
      }
    }
    const outcome = put()
    await came.promise
    await platform.clock.advance(attemptMsMax(objectOf().body.length))
    expect(await outcome).toMatchObject({
      kind: 'retry',
      reason: expect.stringMatching(/no answer within .*may have kept/),
    })
  })

  test.each(['killed', 'crash'] as const)('it is known after a %s before anything was sent', async (end) => {
    const { servers, platform, put } = await serving(3)
    let files = platform.files
    for (const server of servers) {
      server.way = () => {
        files = end === 'killed' ? platform.files.killed() : platform.files.crash(new SeededRandom(1))
        return 'keep, no answer'
      }
    }
    await put()
    const [first] = keptAt(servers) as [ForwardStandIn]
    for (const server of servers) server.way = 'keep'
    for (let seed = 1; seed < 10; seed++) {
      const later = again(servers, memoryPlatform(seed, files))
      expect(await later.put()).toEqual(STORED)
    }
    expect(keptAt(servers)).toEqual([first])
    // Once it has said so, nobody is asked any more.
    expect(first.came).toHaveLength(2)
  })

  test('what cannot be noted is not sent', async () => {
    const { servers, platform, put } = await serving(2)
    for (const operation of ['write', 'datasync', 'rename', 'sync-directory'] as const) {
      platform.files.fail(operation, operation === 'sync-directory' ? /lane-0/ : /sent/, 'EIO')
      expect(await put()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('not sent') })
    }
    expect(cameTo(servers)).toEqual([0, 0])
  })

  test('at a server that is not named any more: it is still asked, and for too long is for somebody to see', async () => {
    const { servers, platform, put } = await serving(1)
    const [former] = servers as [ForwardStandIn]
    former.way = 'keep, no answer'
    await put()
    await former.close()
    const other = await ForwardStandIn.start()
    open.push(other)
    const moved = again([other], platform)
    expect(await moved.put()).toMatchObject({ kind: 'retry', reason: expect.stringContaining(former.url) })
    await platform.clock.advance(DOUBT_MS_MAX)
    const reason = expect.stringMatching(
      /Start that server again; .* its line of lane-0\/0000000000000007.sent, else remove the line$/,
    )
    expect(await moved.put()).toMatchObject({ kind: 'park', isAlone: true, reason })
    await former.listen()
    former.way = 'keep'
    expect(await moved.put()).toEqual(STORED)
    expect(other.came).toEqual([])
  })

  test.each(['doubt_too_old', 'idempotency_key_reused'])('%s: parked, until somebody says what is so', async (code) => {
    const { servers, platform, put } = await serving(2)
    for (const server of servers) server.way = 'no answer'
    await put()
    for (const server of servers) server.way = { status: 409, code }
    const reason = expect.stringContaining('write "kept":true into its line of lane-0/0000000000000007.sent')
    expect(await put()).toMatchObject({ kind: 'park', isAlone: true, reason })
    const before = cameTo(servers)
    const { files } = platform
    files.put(
      'lane-0/0000000000000007.sent',
      Buffer.from(sentFile(platform)?.replace('"kept":false', '"kept":true') ?? ''),
    )
    expect(await put()).toEqual(STORED)
    expect(cameTo(servers)).toEqual(before)
  })

  test('a file that is not as it was written: nothing is sent on a guess', async () => {
    const { servers, platform, put } = await serving(1)
    for (const text of ['{', '{}\n', '{"object":"a","server":"b","since":"?","kept":false}\n']) {
      platform.files.put('lane-0/0000000000000007.sent', Buffer.from(text))
      expect(await put()).toMatchObject({ kind: 'park', isAlone: true, reason: expect.stringContaining('mend it') })
    }
    expect(cameTo(servers)).toEqual([0])
  })

  test('the runtime sends nothing a second time by itself', async () => {
    const { servers, put } = await serving(1)
    const [server] = servers as [ForwardStandIn]
    // The check has left a connection behind; one that is used again and closed would be tried again on a new one.
    expect(await put(0)).toEqual(STORED)
    server.way = 'keep, no answer'
    expect(await put(1)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('the connection was closed') })
    expect(server.came).toHaveLength(2)
    expect(server.connections).toBe(3)
  })
})

test('an object of one payload is not for forwarding', async () => {
  const { destination }: { destination: Destination } = await serving(1)
  const { sentPath: _, ...alone } = objectOf()
  expect(await destination.put(alone, never)).toMatchObject({ kind: 'park', isAlone: true })
})

describe('--to', () => {
  test('takes one server or more', () => {
    expect(parsePlace('http://a:8080', {})).toEqual({ kind: 'forward', place: { servers: ['http://a:8080'] } })
    const several = parsePlace('http://a:8080/, https://B ,http://[::1]:80', {})
    expect(several).toEqual({ kind: 'forward', place: { servers: ['http://a:8080', 'https://b', 'http://[::1]'] } })
  })

  test.each([
    ['http://a:8080,http://A:8080/', 'http://a:8080 is named twice'],
    ['http://user:secret@a', 'user and password do not belong in the URL of a server'],
    ['http://a/path', `'http://a/path' has more than a host and a port: servers are named as http://host:8080`],
    ['http://a,s3://b', `'s3://b' is not an http:// or https:// URL`],
    ['http://a,', `'' is not an http:// or https:// URL`],
    ['http:a b', `'http:a b' is not an http:// or https:// URL`],
    [Array.from({ length: SERVERS_MAX + 1 }, (_, i) => `http://s${i}`).join(), `33 servers, of 32 allowed`],
  ])('refuses %s', (to, why) => {
    expect(parsePlace(to, {})).toBe(why)
  })
})
