/** Our signatures are those that another program makes for the same requests. */

import { expect, test } from 'bun:test'
import { AwsV4Signer } from 'aws4fetch'
import type { LiveKeys } from '../../src/destination/s3-credentials.ts'
import type { S3Place } from '../../src/destination/s3-options.ts'
import { encodedPart, S3Signer, type Signable } from '../../src/destination/s3-signature.ts'
import { seeded } from '../seeded.ts'

const ENDPOINTS = [undefined, 'http://127.0.0.1:7480', 'https://store.example', 'https://store.example:443/a/b']
const CHARACTERS = [...'abcXYZ019-_.~/ +*!\'()%&=?#@:;$,[]{}|^`"<>\\äß日😀']

const keysOf = (sessionToken: string | undefined): LiveKeys => ({
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken,
  derived: undefined,
  replacement: false,
})

/** The same request, signed by the package. */
async function theirs(url: string, { method, headers, sha256 }: Signable, place: S3Place, keys: LiveKeys, ms: number) {
  const { accessKeyId, secretAccessKey, sessionToken } = keys
  const signed = await new AwsV4Signer({
    method,
    url,
    headers: { ...headers, 'x-amz-content-sha256': sha256 },
    service: 's3',
    region: place.region,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    datetime: new Date(ms).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    allHeaders: true,
  }).sign()
  return signed.headers.get('authorization')
}

test('any request is signed as another program signs it, over days and with one set of keys', async () => {
  const random = seeded(7)
  const text = (most: number) => Array.from({ length: 1 + random.below(most) }, () => random.pick(CHARACTERS)).join('')
  const keySets = [keysOf(undefined), keysOf('FwoGZXIvYXdzE+/=')]
  for (let round = 0; round < 500; round++) {
    const place: S3Place = {
      bucket: random.pick(['logs', 'my.logs']),
      prefix: random.chance(0.5) ? '' : `p${text(10)}`.replaceAll('/', '_'),
      region: random.pick(['eu-west-1', 'cn-north-1']),
      endpoint: random.pick(ENDPOINTS),
    }
    const isListing = random.chance(0.2)
    const request: Signable = {
      method: isListing ? 'GET' : 'PUT',
      name: isListing ? '' : `n${text(40)}`.replaceAll('/', '_'),
      query: isListing ? `list-type=2&prefix=${encodedPart(text(10))}` : '',
      headers: isListing
        ? {}
        : { 'content-type': 'application/octet-stream', 'if-none-match': '*', 'x-amz-acl': 'private' },
      sha256: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex'),
    }
    const nowMs = Date.UTC(2026, 10, 21) + random.below(3 * 86_400_000)
    const keys = random.pick(keySets)
    const { url, headers } = new S3Signer(place).sign(request, keys, nowMs)
    expect([url, headers['authorization']]).toEqual([url, (await theirs(url, request, place, keys, nowMs)) ?? ''])
  }
})

test('a new day is signed with a new key, a day that was before with its own', () => {
  const signer = new S3Signer({ bucket: 'logs', prefix: '', region: 'eu-west-1', endpoint: undefined })
  const keys = keysOf(undefined)
  const request: Signable = { method: 'GET', name: 'a', headers: {}, sha256: '0'.repeat(64) }
  const at = (nowMs: number, with_ = keys) => signer.sign(request, with_, nowMs).headers['authorization']
  const first = at(0)
  expect(at(86_400_000)).not.toBe(first)
  expect(at(0)).toBe(first)
  expect(at(0, keysOf(undefined))).toBe(first)
})
