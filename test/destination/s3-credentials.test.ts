/** Credentials: got once, renewed in time and one at a time, and never the reason for an exception. */

import { afterAll, afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AwsKeys,
  type KeysOrReason,
  keysProvider,
  PROVIDER_MS_MAX,
  RENEW_AGAIN_MS,
  RENEW_BEFORE_EXPIRY_MS,
  S3Credentials,
} from '../../src/destination/s3-credentials.ts'
import { type Answering, destinationAt, HandClock, objectOf, s3Error, standIn } from './s3-stand-in.ts'

const NEVER = new AbortController().signal
let answering: Answering = () => undefined
const store = standIn(
  (seen) => answering(seen),
  (id) => ({ accessKeyId: id, secretAccessKey: `secret of ${id}` }),
)
afterAll(store.stop)
beforeEach(() => {
  store.seen.length = 0
  answering = () => undefined
})

/** A provider that counts, whose keys expire `lifeMs` after it is asked. */
function counting(clock: () => HandClock, lifeMs?: number) {
  let asked = 0
  const provider = (): Promise<AwsKeys> => {
    const accessKeyId = `key${++asked}`
    const expiration = lifeMs === undefined ? undefined : new Date(clock().wallMs + lifeMs)
    return Promise.resolve({ accessKeyId, secretAccessKey: `secret of ${accessKeyId}`, expiration })
  }
  return { provider, asked: () => asked }
}

function at(provider: () => Promise<AwsKeys>) {
  return destinationAt({ endpoint: store.endpoint }, provider)
}

function idOf(got: KeysOrReason): string {
  return got.kind === 'keys' ? got.keys.accessKeyId : got.reason
}

test('puts at the same time share one request for credentials, and later ones need none', async () => {
  const { provider, asked } = counting(() => made.clock)
  const made = at(provider)
  await Promise.all(Array.from({ length: 16 }, (_, i) => made.destination.put(objectOf(`o${i}`), NEVER)))
  made.clock.pass(365 * 86_400_000)
  await made.destination.put(objectOf(), NEVER)
  expect(asked()).toBe(1)
  expect(store.seen.flatMap(({ problems }) => problems)).toEqual([])
})

test('credentials are renewed before they expire, and what follows is signed with the new ones', async () => {
  const life = 3_600_000
  const { provider, asked } = counting(() => made.clock, life)
  const made = at(provider)
  await made.destination.put(objectOf(), NEVER)
  made.clock.pass(life - RENEW_BEFORE_EXPIRY_MS - 1)
  await made.destination.put(objectOf(), NEVER)
  expect(asked()).toBe(1)
  made.clock.pass(1)
  await made.destination.put(objectOf(), NEVER)
  expect(asked()).toBe(2)
  expect(store.seen.map(({ accessKeyId }) => accessKeyId)).toEqual(['key1', 'key1', 'key2'])
  expect(store.seen.flatMap(({ problems }) => problems)).toEqual([])
})

test('credentials that come with little time left are not asked for again at every put', async () => {
  const { provider, asked } = counting(() => made.clock, 60_000)
  const made = at(provider)
  for (let i = 0; i < 3; i++) await made.destination.put(objectOf(), NEVER)
  expect(asked()).toBe(1)
  made.clock.pass(RENEW_AGAIN_MS)
  for (let i = 0; i < 3; i++) await made.destination.put(objectOf(), NEVER)
  expect(asked()).toBe(2)
})

test('while old credentials work a failed renewal is borne; once they have expired it is said', async () => {
  const clock = new HandClock()
  const good = { accessKeyId: 'a', secretAccessKey: 'b', expiration: new Date(clock.wallMs + RENEW_BEFORE_EXPIRY_MS) }
  let provider = () => Promise.resolve(good)
  const credentials = new S3Credentials(() => provider(), clock)
  expect(idOf(await credentials.renewed())).toBe('a')
  provider = () => Promise.reject(new Error('the role is gone\nand more'))
  clock.pass(RENEW_AGAIN_MS)
  expect(credentials.current()).toBeUndefined()
  expect(idOf(await credentials.renewed())).toBe('a')
  expect(credentials.current()?.accessKeyId).toBe('a')
  clock.pass(RENEW_BEFORE_EXPIRY_MS - RENEW_AGAIN_MS)
  expect(await credentials.renewed()).toEqual({ kind: 'none', reason: 'no AWS credentials: the role is gone' })
  expect(credentials.current()).toBeUndefined()
})

test('no credentials park the put with a reason, and are looked for again at the next', async () => {
  let provider = (): Promise<AwsKeys> => Promise.reject(new Error('Could not load credentials from any providers'))
  const { destination } = at(() => provider())
  expect(await destination.put(objectOf(), NEVER)).toEqual({
    kind: 'park',
    reason: `s3://logs at ${store.endpoint}: no AWS credentials: Could not load credentials from any providers`,
  })
  provider = () => Promise.resolve({ accessKeyId: 'x', secretAccessKey: 'secret of x' })
  expect(await destination.put(objectOf(), NEVER)).toEqual({ kind: 'stored', already: false })
})

test('a provider that never answers parks the put when its time is up, and the next put asks anew', async () => {
  let asked = 0
  const { destination, clock } = at(() => {
    asked++
    return new Promise<AwsKeys>(() => {})
  })
  const outcome = destination.put(objectOf(), NEVER)
  clock.timers.find(({ delayMs }) => delayMs === PROVIDER_MS_MAX)?.callback()
  expect(await outcome).toMatchObject({ kind: 'park', reason: expect.stringContaining('did not answer within 30 s') })
  const caller = new AbortController()
  const second = destination.put(objectOf(), caller.signal)
  caller.abort()
  expect(await second).toMatchObject({ kind: 'retry', reason: expect.stringContaining('stopping') })
  expect(asked).toBe(2)
})

test.each([
  [400, 'ExpiredToken'],
  [403, 'ExpiredToken'],
  [403, 'ExpiredTokenException'],
  [400, 'TokenRefreshRequired'],
  [400, 'InvalidToken'],
  [400, 'RequestExpired'],
])('credentials that S3 calls expired are renewed and tried once more, then parked: %i %s', async (status, code) => {
  const { provider, asked } = counting(() => made.clock)
  const made = at(provider)
  let expired = true
  answering = () => (expired ? s3Error(status, code) : undefined)
  const kinds: string[] = []
  const put = async () => kinds.push((await made.destination.put(objectOf(), NEVER)).kind)
  await put()
  await put()
  await put()
  expired = false
  await put()
  expired = true
  await put()
  expect(kinds).toEqual(['retry', 'park', 'park', 'stored', 'retry'])
  expect(asked()).toBe(4)
  expect(store.seen.map(({ accessKeyId }) => accessKeyId)).toEqual(['key1', 'key2', 'key3', 'key4', 'key4'])
})

test('puts that find the same credentials expired renew them once', async () => {
  const { provider, asked } = counting(() => made.clock)
  const made = at(provider)
  answering = ({ accessKeyId }) => (accessKeyId === 'key1' ? s3Error(400, 'ExpiredToken') : undefined)
  const all = () => Promise.all(Array.from({ length: 8 }, (_, i) => made.destination.put(objectOf(`o${i}`), NEVER)))
  expect(new Set((await all()).map(({ kind }) => kind))).toEqual(new Set(['retry']))
  expect(new Set((await all()).map(({ kind }) => kind))).toEqual(new Set(['stored']))
  expect(asked()).toBe(2)
})

test('a late word that old credentials expired does not count against those that replaced them', async () => {
  const { provider } = counting(() => clock)
  const clock = new HandClock()
  const credentials = new S3Credentials(provider, clock)
  const first = await credentials.renewed()
  const second = await credentials.renewed()
  if (first.kind !== 'keys' || second.kind !== 'keys') throw new Error('no keys')
  expect(credentials.expired(first.keys)).toBe(true)
  expect(credentials.current()).toBe(second.keys)
  const third = await credentials.renewed()
  expect(third).toMatchObject({ kind: 'keys', keys: { replacement: false } })
})

test('credentials that replaced expired ones and expire themselves, much later, are renewed and tried again too', async () => {
  const { provider } = counting(() => made.clock, 3_600_000)
  const made = at(provider)
  const expired = ['key1', 'key3']
  answering = ({ accessKeyId }) => (expired.includes(accessKeyId) ? s3Error(400, 'ExpiredToken') : undefined)
  const kinds: string[] = []
  const put = async () => kinds.push((await made.destination.put(objectOf(), NEVER)).kind)
  await put()
  await put()
  made.clock.pass(3_600_000)
  await put()
  await put()
  expect(kinds).toEqual(['retry', 'stored', 'retry', 'stored'])
  expect(store.seen.map(({ accessKeyId }) => accessKeyId)).toEqual(['key1', 'key2', 'key3', 'key4'])
})

test('a caller that has aborted already does not wait for credentials', async () => {
  const { destination } = at(() => new Promise<AwsKeys>(() => {}))
  const outcome = await destination.put(objectOf(), AbortSignal.abort())
  expect(outcome).toMatchObject({ kind: 'retry', reason: expect.stringContaining('stopping') })
})

test.each(['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'])(
  'credentials that S3 refuses are got anew the next time, since somebody may have mended them: %s',
  async (code) => {
    const { provider } = counting(() => made.clock)
    const made = at(provider)
    answering = ({ accessKeyId }) => (accessKeyId === 'key1' ? s3Error(403, code) : undefined)
    expect(await made.destination.put(objectOf(), NEVER)).toMatchObject({ kind: 'park' })
    expect(await made.destination.put(objectOf(), NEVER)).toEqual({ kind: 'stored', already: false })
  },
)

test('keys in the environment are taken as they are', async () => {
  const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' }
  const keys = { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' }
  expect(await keysProvider(env, undefined)()).toEqual(keys)
  expect(await keysProvider({ ...env, AWS_SESSION_TOKEN: '' }, undefined)()).toEqual({
    ...keys,
    sessionToken: undefined,
  })
})

const folder = mkdtempSync(join(tmpdir(), 'millrace-s3-'))
afterAll(() => rmSync(folder, { recursive: true }))
const NAMES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE', 'AWS_CONFIG_FILE'] as const
const CHAIN = [...NAMES, 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_EC2_METADATA_DISABLED', 'HOME'] as const
const before = CHAIN.map((name) => [name, process.env[name]] as const)
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})

test("the AWS SDK's chain reads the shared credentials file, anew each time, and says when it finds nothing", async () => {
  for (const name of CHAIN) delete process.env[name]
  const file = join(folder, 'credentials')
  process.env.HOME = folder
  process.env.AWS_SHARED_CREDENTIALS_FILE = file
  process.env.AWS_EC2_METADATA_DISABLED = 'true'
  const provider = keysProvider({}, 'eu-west-1')
  writeFileSync(file, '[default]\naws_access_key_id = one\naws_secret_access_key = s1\n')
  expect(await provider()).toMatchObject({ accessKeyId: 'one', secretAccessKey: 's1' })
  writeFileSync(file, '[default]\naws_access_key_id = two\naws_secret_access_key = s2\n')
  expect(await provider()).toMatchObject({ accessKeyId: 'two', secretAccessKey: 's2' })
  rmSync(file)
  const outcome = await at(provider).destination.put(objectOf(), NEVER)
  expect(outcome).toMatchObject({ kind: 'park', reason: expect.stringMatching(/: no AWS credentials: \S/) })
})
