/** A small S3 store in memory that lives in the test's process, so that it outlives the program: conditional PUTs and GETs, no more. */

import { createHash } from 'node:crypto'
import { type Line, readObject } from './objects.ts'
import { signatureOf } from './sigv4.ts'

/** How far a request's time may be off, at S3. */
const SKEW_MS_MAX = 15 * 60_000

/** The bucket that is there from the start. */
export const BUCKET = 'test-bucket'
/** The credentials that are good from the start. */
export const ACCESS_KEY_ID = 'AKIDTEST'
export const SECRET_ACCESS_KEY = 'a-secret-of-the-tests'

interface Refusal {
  status: number
  code: string
  message: string
  /** More elements of the error. */
  more?: string
}

interface Put {
  bucket: string
  key: string
  headers: Headers
  body: Buffer
}

/** Takes `PUT` of objects as S3 does. It keeps the first bytes of every name for good, and notes what must never happen. */
export class S3Store implements AsyncDisposable {
  readonly buckets = new Set([BUCKET])
  /** Access key id → secret. */
  readonly keys = new Map([[ACCESS_KEY_ID, SECRET_ACCESS_KEY]])
  /** Whether the credentials may put objects at all. */
  isAllowed = true
  /** How far the store's clock is ahead of this machine's. */
  clockAheadMs = 0
  /** `bucket/key` → the bytes that were stored first. */
  readonly objects = new Map<string, Buffer>()
  /** How often each answer was given, by its status or its error code: no refusal is silent. */
  readonly answers = new Map<string, number>()
  /** What a correct client never does: overwriting, another body under a name in use, unsigned requests, wrong digests. */
  readonly wrongs: string[] = []
  readonly #server: Bun.Server<undefined>
  #nextPut = Promise.withResolvers<void>()

  constructor() {
    this.#server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: (request) => this.#answer(request) })
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.port}`
  }

  /** The lines of all objects. */
  lines(): Line[] {
    return [...this.objects].flatMap(([name, body]) => readObject(name, body))
  }

  /** Resolves with the next object that is stored. */
  nextPut(): Promise<void> {
    return this.#nextPut.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }

  async #answer(request: Request): Promise<Response> {
    const body = await request.arrayBuffer().catch(() => undefined)
    if (request.method === 'GET') return this.#get(request)
    const refusal = body === undefined ? INCOMPLETE : this.#put(request, Buffer.from(body))
    const name = refusal?.code ?? '200'
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1)
    if (!refusal) return new Response(null, { headers: { 'x-amz-request-id': crypto.randomUUID(), etag: '"stored"' } })
    return refused(refusal)
  }

  #get(request: Request): Response {
    const { pathname } = new URL(request.url)
    const refusal = this.#refusedBySignature('GET', pathname, request.headers, Buffer.alloc(0))
    if (refusal) return refused(refusal)
    const body = this.objects.get(decodeURIComponent(pathname).slice(1))
    if (!body) return refused({ status: 404, code: 'NoSuchKey', message: 'The specified key does not exist.' })
    return new Response(new Uint8Array(body), { headers: { etag: '"stored"' } })
  }

  /** Undefined when it is stored. */
  #put(request: Request, body: Buffer): Refusal | undefined {
    const { method, headers } = request
    const path = new URL(request.url).pathname
    const [, bucket = '', key = ''] = /^\/([^/]+)\/(.+)$/.exec(decodeURIComponent(path)) ?? []
    if (method !== 'PUT' || key === '') return this.#wrong(501, 'NotImplemented', `${method} ${path}`)
    return (
      this.#refusedBySignature(method, path, headers, body) ??
      this.#refusedByDigest({ bucket, key, headers, body }) ??
      this.#store({ bucket, key, headers, body })
    )
  }

  #refusedBySignature(method: string, path: string, headers: Headers, body: Buffer): Refusal | undefined {
    const sha256 = createHash('sha256').update(body).digest()
    const signature = signatureOf({ method, path, headers, sha256 })
    if (!signature) return this.#wrong(403, 'AccessDenied', `${path} came unsigned`)
    const secret = this.keys.get(signature.accessKeyId)
    if (secret === undefined) {
      return { status: 403, code: 'InvalidAccessKeyId', message: 'The access key id does not exist in our records.' }
    }
    const nowMs = Date.now() + this.clockAheadMs
    if (!(Math.abs(nowMs - amzDateMs(headers)) <= SKEW_MS_MAX)) {
      const message = 'The difference between the request time and the current time is too large.'
      const more = `<ServerTime>${new Date(nowMs).toISOString()}</ServerTime>`
      return { status: 403, code: 'RequestTimeTooSkewed', message, more }
    }
    if (!signature.isBy(secret)) {
      return { status: 403, code: 'SignatureDoesNotMatch', message: 'The request signature does not match.' }
    }
    return this.isAllowed ? undefined : { status: 403, code: 'AccessDenied', message: 'Access Denied' }
  }

  #refusedByDigest({ key, headers, body }: Put): Refusal | undefined {
    const digest = (how: string) => createHash(how).update(body).digest()
    const sent: [string, string | null, string][] = [
      ['XAmzContentSHA256Mismatch', headers.get('x-amz-content-sha256'), digest('sha256').toString('hex')],
      ['BadDigest', headers.get('x-amz-checksum-sha256'), digest('sha256').toString('base64')],
      ['BadDigest', headers.get('content-md5'), digest('md5').toString('base64')],
    ]
    const failed = sent.find(([, said, actual]) => said !== null && said !== actual)
    return failed && this.#wrong(400, failed[0], `${key} came with a digest that is not its body's`)
  }

  #store({ bucket, key, headers, body }: Put): Refusal | undefined {
    if (!this.buckets.has(bucket)) {
      return { status: 404, code: 'NoSuchBucket', message: 'The specified bucket does not exist' }
    }
    const name = `${bucket}/${key}`
    const first = this.objects.get(name)
    if (!first) {
      this.objects.set(name, body)
      this.#nextPut.resolve()
      this.#nextPut = Promise.withResolvers<void>()
      return undefined
    }
    if (!first.equals(body)) this.wrongs.push(`${name} came again with another body`)
    if (headers.get('if-none-match') === '*') {
      const message = 'At least one of the pre-conditions you specified did not hold'
      return { status: 412, code: 'PreconditionFailed', message }
    }
    // S3 would overwrite it now.
    this.wrongs.push(`${name} came again without If-None-Match`)
    return undefined
  }

  #wrong(status: number, code: string, what: string): Refusal {
    this.wrongs.push(what)
    return { status, code, message: what }
  }
}

function refused({ status, code, message, more = '' }: Refusal): Response {
  const headers = { 'x-amz-request-id': crypto.randomUUID(), 'content-type': 'application/xml' }
  return new Response(s3Error(code, message, more), { status, headers })
}

/** What the program needs in its environment to use the store at `endpoint`: the store's own, or a proxy's before it. */
export function s3Env(endpoint: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ACCESS_KEY_ID: ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY: SECRET_ACCESS_KEY,
    AWS_REGION: 'eu-west-1',
  }
}

/** An error's body as S3 writes it. */
export function s3Error(code: string, message: string, more = ''): string {
  const words = message.replace(/[<>&]/g, ' ')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${words}</Message>${more}</Error>`
}

const INCOMPLETE: Refusal = { status: 400, code: 'IncompleteBody', message: 'The body ended early.' }

/** `20261121T013000Z` → milliseconds; NaN when there is none. */
function amzDateMs(headers: Headers): number {
  const time = headers.get('x-amz-date') ?? ''
  return Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
