/** AWS Signature Version 4 for S3: requests signed in the header, with the day's key derived once. */

import { hash } from 'node:crypto'
import type { DerivedKey, LiveKeys } from './s3-credentials.ts'
import type { S3Place } from './s3-options.ts'

/** A request's headers, by lower-case name. */
export type SentHeaders = Record<string, string>

/** A request as it goes out. */
export interface SignedRequest {
  url: string
  headers: SentHeaders
}

/** What is signed. */
export interface Signable {
  method: 'PUT' | 'HEAD' | 'GET'
  /** The object's name; empty for the bucket itself. */
  name: string
  /** Encoded and in the order of its names. */
  query?: string
  /** By lower-case name, values without spaces at their ends or more than one in between. All of them are signed. */
  headers: SentHeaders
  /** Of the body, hexadecimal. */
  sha256: string
}

/** A second, as requests name it. */
interface Second {
  /** Since 1970. */
  number: number
  /** `20261121`. */
  date: string
  /** `20261121T013000Z`. */
  time: string
}

/** Which headers are signed. */
interface Names {
  /** As the request has them. */
  given: readonly string[]
  /** With the host, in the order that they are signed in. */
  sorted: readonly string[]
  /** The same, with semicolons between. */
  text: string
}

/** Signs requests to one place. What a request shares with the one before it is made once. */
export class S3Signer {
  readonly #region: string
  readonly #host: string
  readonly #origin: string
  /** Encoded, without a slash at its end. */
  readonly #bucketPath: string
  readonly #prefix: string
  #second: Second = { number: Number.NaN, date: '', time: '' }
  #names: Names = { given: [], sorted: [], text: '' }

  constructor(place: S3Place) {
    const { origin, host, pathname } = new URL(bucketUrl(place))
    this.#region = place.region
    this.#origin = origin
    this.#host = host
    this.#bucketPath = pathname.replace(/\/$/, '')
    this.#prefix = place.prefix === '' ? '' : `/${encoded(place.prefix)}`
  }

  /** Adds the host, the time, the session and the signature. */
  sign({ method, name, query = '', headers, sha256 }: Signable, keys: LiveKeys, nowMs: number): SignedRequest {
    const path = name === '' ? `${this.#bucketPath}/` : `${this.#bucketPath}${this.#prefix}/${encoded(name)}`
    const { date, time } = this.#secondOf(nowMs)
    const sent: SentHeaders = { ...headers, 'x-amz-content-sha256': sha256, 'x-amz-date': time }
    if (keys.sessionToken !== undefined) sent['x-amz-security-token'] = keys.sessionToken
    const names = this.#namesOf(Object.keys(sent))
    let lines = ''
    for (const name of names.sorted) lines += `${name}:${name === HOST ? this.#host : sent[name]}\n`
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${names.text}\n${sha256}`
    const key = keyFor(keys, date, this.#region)
    const text = `AWS4-HMAC-SHA256\n${time}\n${key.scope}\n${hash('sha256', canonical, 'hex')}`
    const credential = `${keys.accessKeyId}/${key.scope}`
    const signature = hmac(key.bytes, text).digest('hex')
    sent.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.text}, Signature=${signature}`
    return { url: `${this.#origin}${path}${query === '' ? '' : `?${query}`}`, headers: sent }
  }

  #secondOf(nowMs: number): Second {
    const number = Math.floor(nowMs / 1000)
    if (this.#second.number !== number) {
      const time = `${new Date(nowMs).toISOString().slice(0, 19).replace(/[:-]/g, '')}Z`
      this.#second = { number, date: time.slice(0, 8), time }
    }
    return this.#second
  }

  #namesOf(given: readonly string[]): Names {
    const last = this.#names.given
    if (last.length !== given.length || last.some((name, i) => name !== given[i])) {
      const sorted = [...given, HOST].sort()
      this.#names = { given, sorted, text: sorted.join(';') }
    }
    return this.#names
  }
}

/** It is signed, and set by whoever sends the request. */
const HOST = 'host'
/** What most names consist of. */
const PLAIN = /^[\w.~/=-]*$/

/** Percent-encodes all that RFC 3986 doesn't leave alone, as the signature wants it, and keeps the slashes. */
export function encoded(key: string): string {
  return PLAIN.test(key) ? key.replaceAll('=', '%3D') : encodedPart(key).replaceAll('%2F', '/')
}

/** The same for a text in which a slash is nothing special, as in a query. */
export function encodedPart(text: string): string {
  const mostly = encodeURIComponent(text)
  if (!/[!'()*]/.test(mostly)) return mostly
  return mostly.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** The key that signs on this day. Kept with the credentials, since it is as secret and lives no longer. */
function keyFor(keys: LiveKeys, date: string, region: string): DerivedKey {
  const scope = `${date}/${region}/s3/aws4_request`
  if (keys.derived?.scope === scope) return keys.derived
  let bytes: Uint8Array = Buffer.from(`AWS4${keys.secretAccessKey}`)
  for (const part of [date, region, 's3', 'aws4_request']) bytes = hmac(bytes, part).digest()
  keys.derived = { scope, bytes }
  return keys.derived
}

/** The runtime's own: of node:crypto's the making alone takes as long as this does in all. */
function hmac(key: Uint8Array, text: string): Bun.CryptoHasher {
  return new Bun.CryptoHasher('sha256', key).update(text)
}

function bucketUrl({ bucket, region, endpoint }: S3Place): string {
  if (endpoint !== undefined) return `${endpoint}/${bucket}`
  const host = `s3.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
  // Dots would make the host one that S3's wildcard certificate doesn't cover.
  return bucket.includes('.') ? `https://${host}/${bucket}` : `https://${bucket}.${host}`
}
