/** AWS Signature Version 4 for S3: requests signed in the header, with the day's key derived once. */

import { createHmac, hash } from 'node:crypto'
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

/** Signs requests to one place. */
export class S3Signer {
  readonly #region: string
  readonly #host: string
  readonly #origin: string
  /** Encoded, without a slash at its end. */
  readonly #bucketPath: string
  readonly #prefix: string

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
    const time = new Date(nowMs).toISOString()
    const date = time.slice(0, 4) + time.slice(5, 7) + time.slice(8, 10)
    const amzDate = `${date}T${time.slice(11, 13)}${time.slice(14, 16)}${time.slice(17, 19)}Z`
    const sent: SentHeaders = { ...headers, 'x-amz-content-sha256': sha256, 'x-amz-date': amzDate }
    if (keys.sessionToken !== undefined) sent['x-amz-security-token'] = keys.sessionToken
    // The host is signed, and set by whoever sends the request.
    const names = [...Object.keys(sent), 'host'].sort()
    let lines = ''
    for (const name of names) lines += `${name}:${name === 'host' ? this.#host : sent[name]}\n`
    const signedNames = names.join(';')
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${signedNames}\n${sha256}`
    const key = keyFor(keys, date, this.#region)
    const text = `AWS4-HMAC-SHA256\n${amzDate}\n${key.scope}\n${hash('sha256', canonical, 'hex')}`
    const credential = `${keys.accessKeyId}/${key.scope}`
    const signature = hmac(key.bytes, text).toString('hex')
    sent.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedNames}, Signature=${signature}`
    return { url: `${this.#origin}${path}${query === '' ? '' : `?${query}`}`, headers: sent }
  }
}

/** Percent-encodes all that RFC 3986 doesn't leave alone, as the signature wants it, and keeps the slashes. */
export function encoded(key: string): string {
  return encodedPart(key).replaceAll('%2F', '/')
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
  const day = hmac(Buffer.from(`AWS4${keys.secretAccessKey}`), date)
  keys.derived = { scope, bytes: hmac(hmac(hmac(day, region), 's3'), 'aws4_request') }
  return keys.derived
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function bucketUrl({ bucket, region, endpoint }: S3Place): string {
  if (endpoint !== undefined) return `${endpoint}/${bucket}`
  const host = `s3.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
  // Dots would make the host one that S3's wildcard certificate doesn't cover.
  return bucket.includes('.') ? `https://${host}/${bucket}` : `https://${bucket}.${host}`
}
