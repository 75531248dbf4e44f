/** AWS Signature Version 4 as its specification writes it down, sharing no code with what it checks. */

import { createHash, createHmac } from 'node:crypto'

/** What was signed: a request, with its body's SHA-256. */
export interface SignedRequest {
  method: string
  /** As it was sent, without a query. */
  path: string
  /** As it was sent, which has to be in order; without its question mark. */
  query?: string
  headers: Headers
  sha256: Buffer
}

/** A request's `Authorization` header, taken apart. */
export interface Signature {
  accessKeyId: string
  /** `20261121/eu-west-1/s3/aws4_request` */
  scope: string
  /** The names, as they stand there. */
  signedHeaders: string[]
  /** Whether it was made with this secret. */
  isBy(secretAccessKey: string): boolean
}

/** Reads the signature of a request; undefined when it has none that could be one. */
export function signatureOf(request: SignedRequest): Signature | undefined {
  const parts = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
    request.headers.get('authorization') ?? '',
  )
  if (!parts) return undefined
  const [, accessKeyId = '', scope = '', signed = '', signature = ''] = parts
  const signedHeaders = signed.split(';')
  return {
    accessKeyId,
    scope,
    signedHeaders,
    isBy: (secret) => signature === signatureWith(secret, request, scope, signedHeaders),
  }
}

function signatureWith(secret: string, request: SignedRequest, scope: string, signedHeaders: string[]): string {
  const { method, path, query = '', headers, sha256 } = request
  const canonical = [
    method,
    rfc3986(decodeURIComponent(path)),
    query,
    ...signedHeaders.map((name) => `${name}:${(headers.get(name) ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    sha256.toString('hex'),
  ].join('\n')
  const digest = createHash('sha256').update(canonical).digest('hex')
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const [date = '', region = '', service = ''] = scope.split('/')
  const signingKey = [date, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`)
  const time = headers.get('x-amz-date') ?? ''
  return hmac(signingKey, ['AWS4-HMAC-SHA256', time, scope, digest].join('\n')).toString('hex')
}

/** A path with all percent-encoded that RFC 3986 doesn't leave alone, and its slashes kept. */
export function rfc3986(path: string): string {
  const bytes = [...new TextEncoder().encode(path)]
  const plain = /[A-Za-z0-9/_.~-]/
  return bytes
    .map((byte) => String.fromCharCode(byte))
    .map((char) => (plain.test(char) ? char : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`))
    .join('')
}
