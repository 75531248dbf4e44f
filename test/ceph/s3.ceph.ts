/**
 * The S3 destination against a real S3 store, Ceph's gateway:
 * `scripts/ceph-s3.sh start && eval "$(scripts/ceph-s3.sh env)" && bun test ./test/ceph/s3.ceph.ts`
 */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Body } from '../../src/destination/body.ts'
import type { OutgoingObject, ReadableDestination } from '../../src/destination/destination.ts'
import { s3Destination } from '../../src/destination/s3.ts'
import { keysProvider, S3Credentials } from '../../src/destination/s3-credentials.ts'
import { s3OptionsFrom } from '../../src/destination/s3-options.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createBucket, getObject, listKeys, storeFromEnv } from './bucket.ts'

const store = storeFromEnv()
const bucket = `millrace-${randomUUID().slice(0, 8)}`
const NEVER = new AbortController().signal
const SCRIPT = join(import.meta.dir, '..', '..', 'scripts', 'ceph-s3.sh')
/** Starting the store takes the script a few seconds; it gives up by itself. */
const START_MS_MAX = 120_000

beforeAll(() => createBucket(store, bucket), START_MS_MAX)

function destinationAt(url: string, env: Record<string, string | undefined> = process.env): ReadableDestination {
  const got = s3OptionsFrom(url, env)
  if (got.kind === 'error') throw new Error(got.error)
  const credentials = new S3Credentials(keysProvider(env, undefined), systemClock)
  return s3Destination({ ...got.options, credentials, clock: systemClock })
}

function objectOf(name: string, body: Uint8Array<ArrayBuffer>, contentEncoding: 'zstd' | 'gzip' | undefined) {
  const sha256 = createHash('sha256').update(body).digest()
  return {
    name,
    body: new Body([body]),
    sha256,
    contentType: 'application/x-ndjson',
    contentEncoding,
  } satisfies OutgoingObject
}

function text(words: string): OutgoingObject {
  return objectOf(`default/date=2026-11-21/hour=01/${words}.ndjson`, new TextEncoder().encode(words), undefined)
}

async function ceph(command: string): Promise<void> {
  const env = { ...process.env, PORT: new URL(store.endpoint).port }
  const { exitCode, stderr } = Bun.spawnSync(['bash', SCRIPT, command], { env, stdout: 'ignore', stderr: 'pipe' })
  if (exitCode !== 0) throw new Error(`ceph-s3.sh ${command}: ${stderr}`)
}

test.each([['zstd'], ['gzip'], [undefined]] as const)(
  'bytes, type and coding come back as they were put: %p',
  async (coding) => {
    const plain = crypto.getRandomValues(new Uint8Array(50_000))
    const packed = coding === 'zstd' ? Bun.zstdCompressSync(plain) : coding === 'gzip' ? Bun.gzipSync(plain) : plain
    const object = objectOf(`back/${coding}.ndjson`, new Uint8Array(packed), coding)
    const destination = destinationAt(`s3://${bucket}/same`)
    expect(await destination.put(object, NEVER)).toEqual({ kind: 'stored', already: false })
    const back = await getObject(store, bucket, `same/${object.name}`)
    expect(back?.bytes).toEqual(object.body.whole())
    expect(back?.contentType).toBe('application/x-ndjson')
    expect(back?.contentEncoding).toBe(coding ?? null)
  },
)

test('a name that is taken is stored already, and what is there stays', async () => {
  const destination = destinationAt(`s3://${bucket}/twice`)
  const first = text('first')
  expect(await destination.put(first, NEVER)).toEqual({ kind: 'stored', already: false })
  const second = { ...text('other words'), name: first.name }
  expect(await destination.put(second, NEVER)).toEqual({ kind: 'stored', already: true })
  expect((await getObject(store, bucket, `twice/${first.name}`))?.bytes).toEqual(first.body.whole())
})

test('a large object that is there already is stored already', async () => {
  const destination = destinationAt(`s3://${bucket}/large`)
  const object = objectOf('large.zst', new Uint8Array(64 * 2 ** 20).fill(7), 'zstd')
  expect(await destination.put(object, NEVER)).toEqual({ kind: 'stored', already: false })
  expect(await destination.put(object, NEVER)).toEqual({ kind: 'stored', already: true })
})

test('sixteen puts of one name at once have exactly one winner, whose bytes are there', async () => {
  for (let round = 0; round < 10; round++) {
    // Each its own destination: nothing in this process can make them wait for one another.
    const runners = Array.from({ length: 16 }, (_, i) => ({ ...text(`runner ${i}`), name: `race/${round}` }))
    const outcomes = await Promise.all(runners.map((runner) => destinationAt(`s3://${bucket}`).put(runner, NEVER)))
    const back = await getObject(store, bucket, `race/${round}`)
    const winner = outcomes.findIndex((outcome) => outcome.kind === 'stored' && !outcome.already)
    expect(back?.bytes).toEqual(runners[winner]?.body.whole() ?? new Uint8Array())
    const winners = outcomes.filter((outcome) => outcome.kind === 'stored' && !outcome.already)
    expect(winners).toHaveLength(1)
    // The others lost to it, or met it half-way and would try again.
    expect(outcomes.filter((outcome) => outcome.kind === 'park')).toEqual([])
  }
})

test('a wrong secret, an unknown key and a missing bucket wait for somebody, and say for what', async () => {
  const wrongSecret = destinationAt(`s3://${bucket}`, { ...process.env, AWS_SECRET_ACCESS_KEY: 'wrong' })
  expect(await wrongSecret.put(text('a'), NEVER)).toMatchObject({
    kind: 'park',
    reason: expect.stringContaining('403 SignatureDoesNotMatch'),
  })
  const unknownKey = destinationAt(`s3://${bucket}`, { ...process.env, AWS_ACCESS_KEY_ID: 'NOBODY' })
  expect(await unknownKey.put(text('a'), NEVER)).toMatchObject({
    kind: 'park',
    reason: expect.stringContaining('403 InvalidAccessKeyId'),
  })
  const noBucket = destinationAt(`s3://${bucket}-none`)
  expect(await noBucket.put(text('a'), NEVER)).toMatchObject({
    kind: 'park',
    reason: expect.stringMatching(/404 NoSuchBucket .*Create bucket 'millrace-.*-none'/),
  })
})

test('what is there is found, with its length and its bytes as stored; what is not there is missing', async () => {
  const destination = destinationAt(`s3://${bucket}/read ü`)
  const packed = new Uint8Array(Bun.gzipSync(crypto.getRandomValues(new Uint8Array(3 * 2 ** 20))))
  const object = objectOf("odd+name/(1)'s.ndjson.gz", packed, 'gzip')
  await destination.put(object, NEVER)
  expect(await destination.sizeOf(object.name, NEVER)).toEqual({ kind: 'found', bytes: packed.length })
  const pieces: Uint8Array[] = []
  const found = await destination.read(object.name, (piece) => void pieces.push(piece), NEVER)
  expect(found).toEqual({ kind: 'found', bytes: packed.length })
  expect(Buffer.concat(pieces).equals(packed)).toBe(true)
  expect(await destination.sizeOf('nothing', NEVER)).toEqual({ kind: 'missing' })
  expect(await destination.read('nothing', () => {}, NEVER)).toEqual({ kind: 'missing' })

  const noBucket = await destinationAt(`s3://${bucket}-none`).sizeOf('a', NEVER)
  expect(noBucket).toMatchObject({ kind: 'failed', passing: false, reason: expect.stringContaining('NoSuchBucket') })
  const wrongSecret = destinationAt(`s3://${bucket}`, { ...process.env, AWS_SECRET_ACCESS_KEY: 'wrong' })
  expect(await wrongSecret.sizeOf('a', NEVER)).toMatchObject({
    kind: 'failed',
    passing: false,
    reason: expect.stringContaining('403 SignatureDoesNotMatch'),
  })
})

test('a clock that is off waits for somebody', async () => {
  const got = s3OptionsFrom(`s3://${bucket}`, process.env)
  if (got.kind === 'error') throw new Error(got.error)
  const clock = { ...systemClock, nowMs: () => Date.now() - 3_600_000 }
  const credentials = new S3Credentials(keysProvider(process.env, undefined), clock)
  const outcome = await s3Destination({ ...got.options, credentials, clock }).put(text('a'), NEVER)
  expect(outcome).toMatchObject({
    kind: 'park',
    reason: expect.stringMatching(/403 RequestTimeTooSkewed .*clock is (3599|3600|3601) s behind the store's/),
  })
})

test('odd prefixes and names come back as they are, page by page', async () => {
  const prefix = "sp ace/ü+日本%20/a=b&c'd(e)*!~;:@$,"
  const destination = destinationAt(`s3://${bucket}/${prefix}`)
  const names = ['date=2026-11-21/hour=01/a-b.zst', 'plus+plus', 'per%cent', 'emoji😀', 'hash#question?']
  for (const name of names) {
    expect(await destination.put({ ...text(name), name }, NEVER)).toEqual({ kind: 'stored', already: false })
  }
  const keys = names.map((name) => `${prefix}/${name}`)
  expect((await listKeys(store, bucket, prefix, 2)).toSorted()).toEqual(keys.toSorted())
  for (const [i, key] of keys.entries()) {
    expect((await getObject(store, bucket, key))?.bytes).toEqual(text(names[i] ?? '').body.whole())
  }
})

test(
  'while the store is dead puts are tried again; when it is back they are stored, and so is what was before',
  async () => {
    const destination = destinationAt(`s3://${bucket}/dead`)
    expect(await destination.put(text('before'), NEVER)).toEqual({ kind: 'stored', already: false })
    await ceph('kill9')
    expect(await destination.put(text('during'), NEVER)).toMatchObject({ kind: 'retry' })
    await ceph('restart')
    expect(await destination.put(text('during'), NEVER)).toEqual({ kind: 'stored', already: false })
    expect(await destination.put(text('before'), NEVER)).toEqual({ kind: 'stored', already: true })
    expect((await listKeys(store, bucket, 'dead')).length).toBe(2)
  },
  START_MS_MAX,
)

afterAll(() => {
  // Whatever failed above, the next test finds the store running.
  const env = { ...process.env, PORT: new URL(store.endpoint).port }
  Bun.spawnSync(['bash', SCRIPT, 'start'], { env, stdio: ['ignore', 'ignore', 'ignore'] })
})
