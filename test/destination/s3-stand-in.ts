/** A stand-in for S3 that checks every request, its signature included, and answers what a test tells it to. */

import { createHash } from 'node:crypto'
import { Body } from '../../src/destination/body.ts'
import type { OutgoingObject } from '../../src/destination/destination.ts'
import { s3Destination } from '../../src/destination/s3.ts'
import { type AwsKeys, type KeysProvider, S3Credentials } from '../../src/destination/s3-credentials.ts'
import type { S3Place } from '../../src/destination/s3-options.ts'
import type { Clock, Timer } from '../../src/platform/clock.ts'
import { rfc3986, signatureOf } from '../sigv4.ts'

export const KEYS: AwsKeys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }

/** A clock that stands still until a test moves it. */
export class HandClock implements Clock {
  wallMs = Date.UTC(2026, 10, 21, 1, 30)
  steadyMs = 1_000
  readonly timers: { delayMs: number; callback: () => void; cancelled: boolean }[] = []

  nowMs = () => this.wallMs
  monotonicMs = () => this.steadyMs

  after(delayMs: number, callback: () => void): Timer {
    const timer = { delayMs, callback, cancelled: false }
    this.timers.push(timer)
    return {
      cancel: () => {
        timer.cancelled = true
      },
    }
  }

  sleep(): Promise<void> {
    throw new Error('nothing at the S3 destination sleeps')
  }

  pass(ms: number): void {
    this.wallMs += ms
    this.steadyMs += ms
  }
}

/** One request as it came. */
export interface Seen {
  method: string
  key: string
  /** With its question mark, if there is one. */
  query: string
  headers: Headers
  body: Uint8Array
  signedHeaders: string[]
  accessKeyId: string
  /** What is wrong with it; empty when nothing is. */
  problems: string[]
}

/** Answers a request; undefined stands for S3's own 200. */
export type Answering = (seen: Seen) => Response | Promise<Response> | undefined

/** Starts a stand-in for a bucket `logs`. `keysOf` knows the secret of an access key. */
export function standIn(answering: Answering = () => undefined, keysOf = (_id: string): AwsKeys => KEYS) {
  const seen: Seen[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const one = await examine(request, keysOf)
      seen.push(one)
      return (await answering(one)) ?? new Response(null, { headers: { etag: '"e"' } })
    },
  })
  return { seen, endpoint: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}

/** An S3 error as the store writes it. */
export function s3Error(status: number, code: string, more = '', headers: Record<string, string> = {}): Response {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>The words of S3.</Message>${more}</Error>`
  return new Response(xml, { status, headers: { 'content-type': 'application/xml', ...headers } })
}

/** A destination and what it was made with, for tests to turn. */
export function destinationAt(place: Partial<S3Place>, provider: KeysProvider = () => Promise.resolve(KEYS)) {
  const clock = new HandClock()
  const credentials = new S3Credentials(provider, clock)
  const whole = { bucket: 'logs', prefix: 'p', region: 'eu-west-1', endpoint: undefined, ...place }
  return { clock, credentials, destination: s3Destination({ ...whole, credentials, clock }) }
}

/** An object whose bytes are no text. */
export function objectOf(name = 'default/date=2026-11-21/hour=01/n-0-1-0.ndjson.zst', length = 1000): OutgoingObject {
  const body = new Uint8Array(length).map((_, index) => (index * 7919) & 0xff)
  const sha256 = createHash('sha256').update(body).digest()
  return { name, body: new Body([body]), sha256, contentType: 'application/x-ndjson', contentEncoding: 'zstd' }
}

async function examine(request: Request, keysOf: (id: string) => AwsKeys): Promise<Seen> {
  const { method, headers } = request
  const { pathname: path, search } = new URL(request.url)
  const body = new Uint8Array(await request.arrayBuffer())
  const sha256 = createHash('sha256').update(body).digest()
  const signature = signatureOf({ method, path, query: search.slice(1), headers, sha256 })
  const { accessKeyId = '', scope = '', signedHeaders = [] } = signature ?? {}
  const region = scope.split('/')[1] ?? ''
  const time = headers.get('x-amz-date') ?? ''

  const putChecks: [string, boolean][] = [
    ['checksum-sha256', headers.get('x-amz-checksum-sha256') === sha256.toString('base64')],
    ['if-none-match', headers.get('if-none-match') === '*'],
    ['content-length', headers.get('content-length') === String(body.length)],
  ]
  const readChecks: [string, boolean][] = [
    ['method', method === 'GET' || method === 'HEAD'],
    ['accept-encoding', headers.get('accept-encoding') === 'identity' && !signedHeaders.includes('accept-encoding')],
    ['no body', body.length === 0],
  ]
  const checks: [string, boolean][] = [
    ...(method === 'PUT' ? putChecks : readChecks),
    ['authorization', signature !== undefined],
    ['signature', signature?.isBy(keysOf(accessKeyId).secretAccessKey) === true],
    ['scope', scope === `${time.slice(0, 8)}/${region}/s3/aws4_request`],
    ['sorted signed headers', signedHeaders.join() === signedHeaders.toSorted().join()],
    ['content-sha256', headers.get('x-amz-content-sha256') === sha256.toString('hex')],
    ['transfer-encoding', !headers.has('transfer-encoding')],
    ['path as RFC 3986 writes it', path === rfc3986(decodeURIComponent(path))],
  ]
  const problems = checks.filter(([, good]) => !good).map(([name]) => name)
  const key = decodeURIComponent(path).replace(/^\/logs\//, '')
  return { method, key, query: search, headers, body, signedHeaders, accessKeyId, problems }
}

/** A certificate for 127.0.0.1 that nobody signed but itself, good for nothing but showing that it is refused. */
export const UNTRUSTED_TLS = {
  key: pem(
    'EC PRIVATE KEY',
    'MHcCAQEEIEQ0GnAzUVNyxc2ZzVd1kBM6WqO6yEwlKKjHngXByiXgoAoGCCqGSM49AwEHoUQDQgAEADgvY2k9Hq7/nQIbXAWtVaoZ' +
      'pGZoEhgoOu14LVeI3jIjQun7MDHMB1t0cUteFCqlt5OxkH9ho7bL4K9AWR7CDA==',
  ),
  cert: pem(
    'CERTIFICATE',
    'MIIBkDCCATagAwIBAgIUc169ZdGLhQQlhCYjYUVwPbhGb14wCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2' +
      'MTEyMTAzNTQxMVoYDzIxMjYxMDI4MDM1NDExWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC' +
      'AAQAOC9jaT0erv+dAhtcBa1VqhmkZmgSGCg67XgtV4jeMiNC6fswMcwHW3RxS14UKqW3k7GQf2Gjtsvgr0BZHsIMo2QwYjAdBgNV' +
      'HQ4EFgQU/pMvdn4EJteQxfLttaz2U8VGQ9AwHwYDVR0jBBgwFoAU/pMvdn4EJteQxfLttaz2U8VGQ9AwDwYDVR0TAQH/BAUwAwEB' +
      '/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUCIQDKI7KUTB3Uu7AaIAqT4tb+yIuoDWiqs8S3A9i93JlA+gIgFkLa' +
      'JwlSrzU4QrXzvtCJwtRMxS518Jgn5MMnj0Yzx4s=',
  ),
}

function pem(what: string, base64: string): string {
  return `-----BEGIN ${what}-----\n${base64.match(/.{1,64}/g)?.join('\n')}\n-----END ${what}-----\n`
}
