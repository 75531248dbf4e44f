/** The S3 destination: one signed, conditional PUT for each object, and what its answer means. */

import { Attempt, attemptMsMax } from './attempt.ts'
import {
  type Found,
  isPlainName,
  type Listed,
  type OutgoingObject,
  type PutOutcome,
  type ReadableDestination,
} from './destination.ts'
import { judge, judgeFailure, type S3Answer, where } from './s3-answer.ts'
import type { LiveKeys } from './s3-credentials.ts'
import { listInS3 } from './s3-list.ts'
import { readFromS3, sizeInS3 } from './s3-read.ts'
import { readAnswer, type S3Access, type S3Options } from './s3-request.ts'
import { S3Signer, type SentHeaders, type SignedRequest } from './s3-signature.ts'
import { upload } from './upload.ts'

/** Puts objects into an S3 bucket, at AWS or at any store that speaks S3 and honours `If-None-Match: *`. */
export function s3Destination(options: S3Options): ReadableDestination {
  return new S3Destination(options)
}

class S3Destination implements ReadableDestination {
  readonly url: string
  readonly #options: S3Access
  #acl = true

  constructor(options: S3Options) {
    this.#options = { ...options, signer: new S3Signer(options) }
    this.url = ['s3:/', options.bucket, options.prefix].filter((part) => part !== '').join('/')
  }

  async put(object: OutgoingObject, signal: AbortSignal): Promise<PutOutcome> {
    const { clock, credentials } = this.#options
    // A URL would drop such parts or walk up by them, so that the object would land under another name.
    if (!isPlainName(object.name)) {
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

  sizeOf(name: string, signal: AbortSignal): Promise<Found> {
    return sizeInS3(this.#options, name, signal)
  }

  read(name: string, take: (piece: Uint8Array) => void | Promise<void>, signal: AbortSignal): Promise<Found> {
    return readFromS3(this.#options, name, take, signal)
  }

  list(prefix: string, next: string | undefined, signal: AbortSignal): Promise<Listed> {
    return listInS3(this.#options, prefix, next, signal)
  }

  async #putOnce(object: OutgoingObject, keys: LiveKeys, attempt: Attempt): Promise<PutOutcome> {
    const { url, headers } = this.#signed(object, keys)
    let answer: S3Answer
    try {
      const response = await upload(url, { method: 'PUT', headers, body: object.body, signal: attempt.signal })
      answer = await readAnswer(response, keys)
    } catch (error) {
      return attempt.endedBy === undefined ? judgeFailure(error, this.#options) : this.#gaveUp(attempt)
    }
    return this.#judged(answer, keys)
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

  #signed(object: OutgoingObject, keys: LiveKeys): SignedRequest {
    const { signer, clock } = this.#options
    const sha256 = Buffer.from(object.sha256)
    const headers: SentHeaders = {
      'content-type': object.contentType,
      'if-none-match': '*',
      'x-amz-checksum-sha256': sha256.toString('base64'),
    }
    if (object.contentEncoding !== undefined) headers['content-encoding'] = object.contentEncoding
    if (this.#acl) headers['x-amz-acl'] = 'private'
    const { name } = object
    return signer.sign({ method: 'PUT', name, headers, sha256: sha256.toString('hex') }, keys, clock.nowMs())
  }

  #gaveUp(attempt: Attempt): PutOutcome {
    const reason = `${where(this.#options)}: ${attempt.ending}`
    if (attempt.endedBy === 'caller') return { kind: 'retry', reason }
    return { kind: 'retry', reason, throttled: { retryAfterMs: undefined } }
  }
}
