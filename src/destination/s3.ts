/** The S3 destination: one signed, conditional PUT for each object, and what its answer means. */

import { AwsV4Signer } from 'aws4fetch'
import type { Clock, Timer } from '../platform/clock.ts'
import type { Destination, OutgoingObject, PutOutcome } from './destination.ts'
import { judge, judgeFailure, type S3Answer, where } from './s3-answer.ts'
import type { LiveKeys, S3Credentials } from './s3-credentials.ts'
import type { S3Place } from './s3-options.ts'

/** What the S3 destination needs. */
export interface S3Options extends S3Place {
  credentials: S3Credentials
  clock: Clock
}

/** How long one attempt may take: this, and as much again for each MiB as a slow, shared line needs. */
export const ATTEMPT_MS = 60_000
/** 205 KiB/s. A line slower than this for each object under way would never land anything. */
export const ATTEMPT_MS_PER_MIB = 5_000
/** How much of an answer's body is read. S3's errors have a few hundred bytes. */
export const ANSWER_BYTES_MAX = 16 * 1024
/** Parts of a path that a URL drops or walks up by, so that the object would land under another name. */
const RESOLVED_BY_URLS = ['', '.', '..']

/** Puts objects into an S3 bucket, at AWS or at any store that speaks S3 and honours `If-None-Match: *`. */
export function s3Destination(options: S3Options): Destination {
  return new S3Destination(options)
}

class S3Destination implements Destination {
  readonly url: string
  readonly #options: S3Options
  readonly #root: string
  #acl = true

  constructor(options: S3Options) {
    this.#options = options
    this.url = ['s3:/', options.bucket, options.prefix].filter((part) => part !== '').join('/')
    this.#root = [bucketUrl(options), ...(options.prefix === '' ? [] : [encodeKey(options.prefix)])].join('/')
  }

  async put(object: OutgoingObject, signal: AbortSignal): Promise<PutOutcome> {
    const { clock, credentials } = this.#options
    if (object.name.split('/').some((part) => RESOLVED_BY_URLS.includes(part))) {
      return { kind: 'park', reason: `${where(this.#options)}: '${object.name}' cannot be written as a URL` }
    }
    const attempt = new Attempt(clock, signal, attemptMsMax(object.body.length))
    try {
      const held = credentials.current()
      const got = held ? ({ kind: 'keys', keys: held } as const) : await attempt.orEnded(credentials.renewed())
      if (got === undefined) return this.#gaveUp(attempt)
      if (got.kind === 'none') return { kind: 'park', reason: `${where(this.#options)}: ${got.reason}` }
      return await this.#putOnce(object, got.keys, attempt)
    } finally {
      attempt.close()
    }
  }

  async #putOnce(object: OutgoingObject, keys: LiveKeys, attempt: Attempt): Promise<PutOutcome> {
    const { url, headers } = await this.#signed(object, keys)
    let answer: S3Answer
    try {
      // A redirect is an answer: following one would send the signature, and the data, to another host.
      const init = { method: 'PUT', headers, body: object.body, redirect: 'manual', signal: attempt.signal } as const
      answer = await read(await fetch(url, init))
    } catch (error) {
      return attempt.endedBy === undefined ? judgeFailure(error, this.#options) : this.#gaveUp(attempt)
    }
    return this.#judged({ ...answer, text: withoutSecrets(answer.text, keys) }, keys)
  }

  #judged(answer: S3Answer, keys: LiveKeys): PutOutcome {
    const { credentials, clock } = this.#options
    const { outcome, remedy } = judge(answer, this.#options, clock.nowMs())
    if (outcome.kind === 'stored') credentials.accepted(keys)
    if (remedy === 'forget-keys') credentials.refused(keys)
    if (remedy === 'omit-acl') this.#acl = false
    if (remedy === 'keys-expired' && credentials.expired(keys) && outcome.kind === 'park') {
      return { kind: 'retry', reason: outcome.reason }
    }
    return outcome
  }

  #signed(object: OutgoingObject, keys: LiveKeys): Promise<{ url: URL; headers: Headers }> {
    const sha256 = Buffer.from(object.sha256)
    const headers = new Headers({
      'content-type': object.contentType,
      'if-none-match': '*',
      'x-amz-checksum-sha256': sha256.toString('base64'),
      'x-amz-content-sha256': sha256.toString('hex'),
    })
    if (object.contentEncoding !== undefined) headers.set('content-encoding', object.contentEncoding)
    if (this.#acl) headers.set('x-amz-acl', 'private')
    return new AwsV4Signer({
      method: 'PUT',
      url: `${this.#root}/${encodeKey(object.name)}`,
      headers,
      service: 's3',
      region: this.#options.region,
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey,
      ...(keys.sessionToken === undefined ? {} : { sessionToken: keys.sessionToken }),
      datetime: new Date(this.#options.clock.nowMs()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
      cache: keys.derived,
      // Without it Content-Type goes unsigned, and newer Ceph refuses that.
      allHeaders: true,
    }).sign()
  }

  #gaveUp(attempt: Attempt): PutOutcome {
    const what = attempt.endedBy === 'caller' ? 'given up, since the program is stopping' : attempt.overdue
    return { kind: 'retry', reason: `${where(this.#options)}: ${what}` }
  }
}

/** How long an attempt to put `bytes` may take. */
export function attemptMsMax(bytes: number): number {
  return ATTEMPT_MS + Math.ceil((bytes / 2 ** 20) * ATTEMPT_MS_PER_MIB)
}

/** One attempt's end: by the caller's signal or by its own time, whichever comes first. */
class Attempt {
  endedBy: 'caller' | 'time' | undefined
  readonly overdue: string
  readonly #controller = new AbortController()
  readonly #caller: AbortSignal
  readonly #timer: Timer
  readonly #callerAborted = () => this.#end('caller')

  constructor(clock: Clock, caller: AbortSignal, limitMs: number) {
    this.overdue = `no answer within ${limitMs / 1000} s`
    this.#caller = caller
    this.#timer = clock.after(limitMs, () => this.#end('time'))
    if (caller.aborted) this.#end('caller')
    else caller.addEventListener('abort', this.#callerAborted, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The promise's value, or undefined when the attempt ends before it. */
  orEnded<T>(promise: Promise<T>): Promise<T | undefined> {
    if (this.signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      this.signal.addEventListener('abort', () => resolve(undefined), { once: true })
      promise.then(resolve, reject)
    })
  }

  /** Lets go of the caller's signal, which lives as long as the program, and of the timer. */
  close(): void {
    this.#timer.cancel()
    this.#caller.removeEventListener('abort', this.#callerAborted)
  }

  #end(by: 'caller' | 'time'): void {
    this.endedBy ??= by
    this.#controller.abort()
  }
}

/** Reads an answer and frees its connection: a short body to its end, a long one by closing. */
async function read(response: Response): Promise<S3Answer> {
  const { status, headers } = response
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (let bytes = 0; bytes < ANSWER_BYTES_MAX; ) {
      const chunk = await reader?.read()
      if (chunk?.value === undefined) break
      bytes += chunk.value.length
      text += decoder.decode(chunk.value, { stream: true })
    }
    await reader?.cancel()
  } catch {
    // The status has arrived, and it says enough.
  }
  return { status, headers, text: text.slice(0, ANSWER_BYTES_MAX) }
}

function bucketUrl({ bucket, region, endpoint }: S3Place): string {
  if (endpoint !== undefined) return `${endpoint}/${bucket}`
  const host = `s3.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
  // Dots would make the host one that S3's wildcard certificate doesn't cover.
  return bucket.includes('.') ? `https://${host}/${bucket}` : `https://${bucket}.${host}`
}

/** Percent-encodes all that RFC 3986 doesn't leave alone, as the signature wants it, and keeps the slashes. */
function encodeKey(key: string): string {
  const strict = (part: string) =>
    encodeURIComponent(part).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return key.split('/').map(strict).join('/')
}

/** No secret reaches a log, whatever a store puts into its messages. */
function withoutSecrets(text: string, { secretAccessKey, sessionToken }: LiveKeys): string {
  const masked = text.replaceAll(secretAccessKey, '(secret)')
  return sessionToken === undefined ? masked : masked.replaceAll(sessionToken, '(secret)')
}
