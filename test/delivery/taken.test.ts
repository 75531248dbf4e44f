/** A name that is taken: what is there is believed when it is this object, and never otherwise. */

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { lookAtTaken } from '../../src/delivery/taken.ts'
import { Body } from '../../src/destination/body.ts'
import type { Destination, Found, OutgoingObject } from '../../src/destination/destination.ts'
import { directoryDestination } from '../../src/destination/directory.ts'
import { openDestination, parsePlace } from '../../src/destination/place.ts'
import type { ObjectFormat } from '../../src/journal/layout.ts'
import { systemPlatform } from '../../src/platform/platform.ts'
import { MemoryFiles } from '../memory-files.ts'
import { BUCKET, S3Store, s3Env } from '../s3-store.ts'

const NAME = 'default/date=2026-11-21/hour=01/x-0.ndjson'
const NEVER = new AbortController().signal
const LINES = Array.from({ length: 5000 }, (_, i) => `{"receipt":"x-${i}","payload":${'7'.repeat(i % 90)}}\n`)
const text = LINES.join('')

function objectOf(body: Uint8Array | string, contentEncoding: OutgoingObject['contentEncoding'] = undefined) {
  const bytes = new Uint8Array(Buffer.from(body))
  const sha256 = createHash('sha256').update(bytes).digest()
  // In pieces that end within lines and within what was compressed.
  const pieces = Array.from({ length: Math.ceil(bytes.length / 1000) }, (_, i) => bytes.slice(1000 * i, 1000 * (i + 1)))
  return { name: NAME, body: new Body(pieces), sha256, contentType: 'application/x-ndjson', contentEncoding }
}

function look(destination: Destination, object: OutgoingObject, format: ObjectFormat = 'lines') {
  return lookAtTaken(object, { destination, decompress: createDecompressor, format, signal: NEVER })
}

/** A directory, and a bucket, with an object in it; or without one. */
async function each(there: Uint8Array | string | undefined, check: (destination: Destination) => Promise<void>) {
  const files = new MemoryFiles()
  await using store = new S3Store()
  if (there !== undefined) {
    files.put(`objects/${NAME}`, Buffer.from(there))
    store.objects.set(`${BUCKET}/taken/${NAME}`, Buffer.from(there))
  }
  const env = s3Env(store.endpoint)
  const place = parsePlace(`s3://${BUCKET}/taken`, env)
  if (typeof place === 'string') throw new Error(place)
  await check(directoryDestination('objects', files))
  await check(openDestination(place, systemPlatform, env))
}

test('the same bytes are stored', async () => {
  const object = objectOf(text)
  await each(text, async (destination) => {
    const there = { bytes: text.length, sha256: object.sha256, linesBeyond: 0 }
    expect(await look(destination, object)).toEqual({ kind: 'stored', there })
    expect(await look(destination, object, 'payload')).toEqual({ kind: 'stored', there })
  })
})

test('a name that is said to be taken where nothing is, is put again', async () => {
  await each(undefined, async (destination) => {
    expect(await look(destination, objectOf(text))).toEqual({
      kind: 'retry',
      reason: expect.stringMatching(/x-0\.ndjson is said to be there, and is not$/),
    })
  })
})

describe('other content is never believed:', () => {
  test.each([
    ['fewer lines', LINES.slice(0, -1).join('')],
    ['no line', ''],
    ['another first line', `[${text.slice(1)}`],
    ['another last line', `${text.slice(0, -2)}]\n`],
    ['as many bytes', text.replaceAll('7', '8')],
  ])('%s', async (_, there) => {
    await each(there, async (destination) => {
      const looked = await look(destination, objectOf(text))
      expect(looked).toMatchObject({ kind: 'taken' })
      const reason = `other content (${there.length} bytes, this one has ${text.length}): another copy of this data directory`
      expect('reason' in looked && looked.reason).toContain(`${destination.url}/${NAME} is there with ${reason}`)
    })
  })

  test.each([
    ['gzip', gzipSync(LINES.slice(1).join(''))],
    ['gzip', gzipSync(text).subarray(0, 1000)],
    ['gzip', Buffer.from('not compressed at all, and longer than any header')],
    ['zstd', zstdCompressSync(LINES.slice(0, 3).join(''))],
    ['zstd', zstdCompressSync(text).subarray(0, 1000)],
    ['zstd', Buffer.from('not compressed at all, and longer than any header')],
  ] as const)('compressed (%s)', async (coding, there) => {
    const object = objectOf(coding === 'gzip' ? gzipSync(text) : zstdCompressSync(text), coding)
    await each(there, async (destination) => {
      expect(await look(destination, object)).toMatchObject({ kind: 'taken' })
    })
  })

  test('a payload that the object begins with', async () => {
    await each('12', async (destination) => {
      expect(await look(destination, objectOf('1'), 'payload')).toMatchObject({ kind: 'taken' })
    })
  })
})

test('more lines behind all of its own are counted', async () => {
  const more = `${text}${LINES.slice(0, 3).join('')}`
  const there = { bytes: more.length, sha256: createHash('sha256').update(more).digest(), linesBeyond: 3 }
  await each(more, async (destination) => {
    expect(await look(destination, objectOf(text))).toEqual({ kind: 'stored', there })
  })
})

test('what can not be read is not believed: a passing fault is tried again soon, another waits for somebody', async () => {
  for (const passing of [true, false]) {
    const read = async (): Promise<Found> => ({ kind: 'failed', passing, reason: '403 AccessDenied' })
    const destination = { url: 'test:', put: () => Promise.reject(new Error('it was put')), read }
    expect(await look(destination, objectOf(text))).toEqual({
      kind: passing ? 'retry' : 'taken',
      reason: `test:/${NAME} is there, and whether it is this object can not be seen: 403 AccessDenied`,
    })
  }
})
