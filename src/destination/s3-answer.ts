/** What an S3 answer, or the lack of one, means for the object: one table from error code or status to outcome. */

import type { PutOutcome, Unanswered } from './destination.ts'
import type { S3Place } from './s3-options.ts'
import { element } from './s3-xml.ts'

/** An answer as far as it matters. */
export interface S3Answer {
  status: number
  headers: Headers
  /** The start of the body, where an error's XML is. */
  text: string
}

/** What has to be done besides reporting the outcome. */
export type Remedy = 'none' | 'forget-keys' | 'keys-expired' | 'omit-acl'

/** An outcome and its remedy. */
export interface Judgement {
  outcome: PutOutcome
  remedy: Remedy
}

interface Facts {
  place: S3Place
  answer: S3Answer
  nowMs: number
}

interface Row {
  kind: PutOutcome['kind']
  /** What to do about it, where that is known. */
  advice?: string | ((facts: Facts) => string)
  remedy?: Remedy
  /** Whether fewer puts at once would help. */
  isThrottling?: true
}

const RETRY: Row = { kind: 'retry' }
const THROTTLING: Row = { kind: 'retry', isThrottling: true }
const OTHER_REGION: Row = { kind: 'park', advice: regionAdvice }
const EXPIRED: Row = { kind: 'park', advice: 'Its credentials have expired: renew them', remedy: 'keys-expired' }
const WRONG_KEY = 'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the role'
const KMS = 'Check the KMS key that the bucket encrypts with, and that these credentials may use it'
const NO_ACL: Row = { kind: 'retry', advice: 'Trying again without x-amz-acl', remedy: 'omit-acl' }

/** By error code, then by status, then by the status's class. Codes say more than statuses, so they come first. */
const ROWS: Readonly<Record<string, Row>> = {
  ConditionalRequestConflict: RETRY,
  OperationAborted: RETRY,
  RequestTimeout: RETRY,
  BadDigest: RETRY,
  IncompleteBody: RETRY,
  XAmzContentSHA256Mismatch: RETRY,
  SlowDown: THROTTLING,
  Throttling: THROTTLING,
  ThrottlingException: THROTTLING,
  'KMS.ThrottlingException': THROTTLING,
  'KMS.DependencyTimeoutException': RETRY,
  'KMS.KMSInternalException': RETRY,

  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  InvalidToken: EXPIRED,
  RequestExpired: EXPIRED,

  AccessDenied: { kind: 'park', advice: permissionAdvice, remedy: 'forget-keys' },
  InvalidAccessKeyId: { kind: 'park', advice: WRONG_KEY, remedy: 'forget-keys' },
  SignatureDoesNotMatch: { kind: 'park', advice: WRONG_KEY, remedy: 'forget-keys' },
  RequestTimeTooSkewed: { kind: 'park', advice: clockAdvice },
  NoSuchBucket: { kind: 'park', advice: ({ place }) => `Create bucket '${place.bucket}', or correct its name` },
  AuthorizationHeaderMalformed: OTHER_REGION,
  PermanentRedirect: OTHER_REGION,
  TemporaryRedirect: OTHER_REGION,
  // Buckets made since 2023 take no ACL. Without one an object is private too.
  AccessControlListNotSupported: NO_ACL,
  'KMS.*': { kind: 'park', advice: KMS },

  '2xx': { kind: 'stored' },
  '3xx': OTHER_REGION,
  '408': RETRY,
  '412': { kind: 'stored' },
  '429': THROTTLING,
  '4xx': { kind: 'park' },
  '501': {
    kind: 'park',
    advice: 'This store has no PUT with If-None-Match, which storing once needs: use one that has',
  },
  '503': THROTTLING,
  '5xx': RETRY,
}

/** How much of a store's own words goes into a reason. */
const MESSAGE_CHARACTERS_MAX = 300

/** Judges an answer to a PUT with `If-None-Match: *`. */
export function judge(answer: S3Answer, place: S3Place, nowMs: number): Judgement {
  const code = said(answer.text, 'Code') ?? ''
  const row = rowFor(answer, code)
  if (row.kind === 'stored') {
    const already = answer.status === 412
    if (already || answer.headers.has('etag')) return { outcome: { kind: 'stored', already }, remedy: 'none' }
    // S3 names what it stored. Whatever else says 200 (a web server, a login page) has stored nothing.
    const reason = `${where(place)}: ${answer.status} without an ETag. This is not an S3 store: check AWS_ENDPOINT_URL_S3`
    return { outcome: { kind: 'park', reason }, remedy: 'none' }
  }
  const advice = typeof row.advice === 'function' ? row.advice({ place, answer, nowMs }) : row.advice
  const reason = reasonOf(answer, place, code, advice)
  const remedy = row.remedy ?? 'none'
  if (row.isThrottling) {
    const retryAfterMs = retryAfter(answer.headers.get('retry-after'), nowMs)
    return { outcome: { kind: 'retry', reason, throttled: { retryAfterMs } }, remedy }
  }
  return { outcome: { kind: row.kind, reason }, remedy }
}

/** What an answer to a HEAD or a GET means when it doesn't bring the object. */
export interface ReadJudgement {
  outcome: { kind: 'missing' } | Unanswered
  remedy: Remedy
}

/** Judges such an answer. One to a HEAD has no body, so that only its status speaks. */
export function judgeRead(answer: S3Answer, place: S3Place, nowMs: number): ReadJudgement {
  const code = said(answer.text, 'Code') ?? ''
  if (code === 'NoSuchKey') return { outcome: { kind: 'missing' }, remedy: 'none' }
  const row = rowFor(answer, code)
  const known = typeof row.advice === 'function' ? row.advice({ place, answer, nowMs }) : row.advice
  const advice = code === 'AccessDenied' ? readPermissionAdvice(place) : known
  const reason = reasonOf(answer, place, code, advice)
  return { outcome: { kind: 'failed', passing: row.kind === 'retry', reason }, remedy: row.remedy ?? 'none' }
}

/** Seconds or a date; S3 itself sends none. */
function retryAfter(text: string | null, nowMs: number): number | undefined {
  if (text === null) return undefined
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return ms > 0 ? ms : undefined
}

function reasonOf(answer: S3Answer, place: S3Place, code: string, advice: string | undefined): string {
  const message = said(answer.text, 'Message')
  const request = answer.headers.get('x-amz-request-id')
  const reason = [
    `${where(place)}: ${answer.status}`,
    code === '' ? '' : ` ${code}`,
    message === undefined ? '' : `: ${message.slice(0, MESSAGE_CHARACTERS_MAX).replace(/\.+$/, '')}`,
    request === null ? '' : ` (request ${request})`,
    advice === undefined ? '' : `. ${advice}`,
  ].join('')
  return oneLine(reason)
}

/** What a fetch that brought no answer means. */
export function judgeFailure(error: unknown, place: S3Place): PutOutcome {
  const { code = '', message = String(error) } = error as { code?: unknown; message?: string }
  const name = String(code)
  const known = FAILURES[name] ?? message.slice(0, MESSAGE_CHARACTERS_MAX)
  if (CERTIFICATE.test(name)) {
    const reason = `${where(place)}: its certificate is not trusted (${name}). Mend it, or set NODE_EXTRA_CA_CERTS`
    return { kind: 'park', reason }
  }
  return { kind: 'retry', reason: oneLine(`${where(place)}: no answer: ${known}`) }
}

/** How a place is named in a reason. */
export function where({ bucket, endpoint }: S3Place): string {
  return endpoint === undefined ? `s3://${bucket}` : `s3://${bucket} at ${endpoint}`
}

const FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed',
  ENOTFOUND: 'its host name is unknown to DNS',
  EPROTO: 'the TLS handshake failed',
}
/** OpenSSL's and Bun's names for certificates that fail verification. */
const CERTIFICATE =
  /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET|DECODE|DECRYPT)|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE/

function rowFor(answer: S3Answer, code: string): Row {
  const { status, text } = answer
  if (status === 501 && /x-amz-acl/i.test(text)) return NO_ACL
  // A store whose codes are numbers must not reach the rows of the statuses, of which two mean `stored`.
  const byCode = /^[A-Z]/.test(code) ? ROWS[code] : undefined
  const kms = code.startsWith('KMS.') ? ROWS['KMS.*'] : undefined
  return byCode ?? kms ?? ROWS[status] ?? ROWS[`${Math.floor(status / 100)}xx`] ?? { kind: 'park' }
}

function regionAdvice({ place, answer }: Facts): string {
  const { headers, text } = answer
  const endpointRegion = /\bs3[.-]([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(said(text, 'Endpoint') ?? '')?.[1]
  const region = headers.get('x-amz-bucket-region') ?? said(text, 'Region') ?? endpointRegion
  if (region !== undefined && region !== place.region) {
    return `The bucket is in ${region}, not ${place.region}: set AWS_REGION=${region}`
  }
  const location = URL.parse(headers.get('location') ?? '')?.origin
  const target = location === undefined ? '' : ` (it points to ${location})`
  return `Requests are sent elsewhere${target}: check AWS_REGION and AWS_ENDPOINT_URL_S3`
}

function permissionAdvice({ place }: Facts): string {
  const keys = place.prefix === '' ? '*' : `${place.prefix}/*`
  return `Allow these credentials s3:PutObject and s3:PutObjectAcl on arn:aws:s3:::${place.bucket}/${keys}`
}

function readPermissionAdvice({ bucket, prefix }: S3Place): string {
  const keys = prefix === '' ? '*' : `${prefix}/*`
  return `Allow these credentials s3:GetObject on arn:aws:s3:::${bucket}/${keys} and s3:ListBucket on arn:aws:s3:::${bucket}`
}

function clockAdvice({ answer, nowMs }: Facts): string {
  const theirs = Date.parse(said(answer.text, 'ServerTime') ?? answer.headers.get('date') ?? '')
  if (Number.isNaN(theirs)) return "Set this machine's clock"
  const seconds = Math.round((nowMs - theirs) / 1000)
  return `This machine's clock is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} the store's: set it`
}

/** What an element says; undefined when it is missing, or says nothing. */
function said(xml: string, name: string): string | undefined {
  return element(xml, name)?.trim() || undefined
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, ' ').trim()
}
