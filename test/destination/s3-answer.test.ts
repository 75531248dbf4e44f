/** Every row of the table from S3's answers to outcomes, through the destination itself. */

import { afterAll, beforeEach, expect, test } from 'bun:test'
import type { PutOutcome } from '../../src/destination/destination.ts'
import { judgeFailure } from '../../src/destination/s3-answer.ts'
import { type Answering, destinationAt, objectOf, s3Error, standIn } from './s3-stand-in.ts'

let answering: Answering = () => undefined
const store = standIn((seen) => answering(seen))
afterAll(store.stop)
beforeEach(() => {
  store.seen.length = 0
})

const NEVER = new AbortController().signal
const WHERE = `s3://logs at ${store.endpoint}`

function answered(response: () => Response): Promise<PutOutcome> {
  answering = response
  return destinationAt({ endpoint: store.endpoint }).destination.put(objectOf(), NEVER)
}

test('stored, and stored already', async () => {
  expect(await answered(() => new Response(null, { headers: { etag: '"e"' } }))).toEqual({
    kind: 'stored',
    already: false,
  })
  expect(await answered(() => s3Error(412, 'PreconditionFailed'))).toEqual({ kind: 'stored', already: true })
  expect(await answered(() => new Response(null, { status: 412 }))).toEqual({ kind: 'stored', already: true })
})

test('an answer that says both stored and an error is believed in its error', async () => {
  expect(await answered(() => s3Error(200, 'AccessDenied', '', { etag: '"e"' }))).toMatchObject({ kind: 'park' })
  expect(await answered(() => s3Error(412, 'SlowDown'))).toMatchObject({ kind: 'retry' })
})

test.each(['200', '2xx', '412'])('a number for a code makes nothing stored: %s', async (code) => {
  expect(await answered(() => s3Error(403, code, '', { etag: '"e"' }))).toMatchObject({ kind: 'park' })
})

test('a 200 that names nothing stored is from something that is no S3 store', async () => {
  const outcome = await answered(() => new Response('<html>Welcome</html>'))
  expect(outcome).toEqual({
    kind: 'park',
    reason: `${WHERE}: 200 without an ETag. This is not an S3 store: check AWS_ENDPOINT_URL_S3`,
  })
})

/** Where fewer puts at once would help. */
const THROTTLING = /SlowDown|Throttling|^429|^503/

test.each([
  [400, 'RequestTimeout'],
  [400, 'BadDigest'],
  [400, 'IncompleteBody'],
  [400, 'XAmzContentSHA256Mismatch'],
  [400, 'Throttling'],
  [400, 'ThrottlingException'],
  [400, 'KMS.ThrottlingException'],
  [400, 'KMS.DependencyTimeoutException'],
  [400, 'KMS.KMSInternalException'],
  [403, 'SlowDown'],
  [408, 'Whatever'],
  [409, 'ConditionalRequestConflict'],
  [409, 'OperationAborted'],
  [429, 'TooManyRequests'],
  [500, 'InternalError'],
  [502, 'BadGateway'],
  [503, 'SlowDown'],
  [503, 'ServiceUnavailable'],
  [504, 'GatewayTimeout'],
  [599, 'Whatever'],
])('a passing fault is tried again: %i %s', async (status, code) => {
  const outcome = await answered(() => s3Error(status, code))
  const throttled = THROTTLING.test(`${status} ${code}`) ? { throttled: { retryAfterMs: undefined } } : {}
  expect(outcome).toEqual({ kind: 'retry', reason: `${WHERE}: ${status} ${code}: The words of S3`, ...throttled })
})

test.each([
  ['7', 7000],
  ['Sat, 21 Nov 2026 01:30:20 GMT', 20_000],
  ['Sat, 21 Nov 2026 01:29:00 GMT', undefined],
  ['0', undefined],
  ['soon', undefined],
])('a store that throttles may say when to come back: Retry-After: %s', async (text, retryAfterMs) => {
  const outcome = await answered(() => s3Error(503, 'SlowDown', '', { 'retry-after': text }))
  expect(outcome).toMatchObject({ kind: 'retry', throttled: { retryAfterMs } })
})

const REGION = 'The bucket is in us-west-2, not eu-west-1: set AWS_REGION=us-west-2'
const KEY = 'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the role'
const KMS = 'Check the KMS key that the bucket encrypts with, and that these credentials may use it'
const ALLOW = 'Allow these credentials s3:PutObject and s3:PutObjectAcl on arn:aws:s3:::logs/p/*'

test.each<[number, string, string, string, Record<string, string>]>([
  [301, 'PermanentRedirect', REGION, '', { 'x-amz-bucket-region': 'us-west-2' }],
  [301, 'PermanentRedirect', REGION, '<Endpoint>logs.s3.us-west-2.amazonaws.com</Endpoint>', {}],
  [301, 'PermanentRedirect', REGION, '<Endpoint>logs.s3-us-west-2.amazonaws.com</Endpoint>', {}],
  [307, 'TemporaryRedirect', 'Requests are sent elsewhere: check AWS_REGION and AWS_ENDPOINT_URL_S3', '', {}],
  [
    302,
    'Found',
    'Requests are sent elsewhere: check AWS_REGION and AWS_ENDPOINT_URL_S3',
    '<Region>eu-west-1</Region>',
    {},
  ],
  [400, 'AuthorizationHeaderMalformed', REGION, '<Region>us-west-2</Region>', {}],
  [400, 'PermanentRedirect', REGION, '<Region>us-west-2</Region>', {}],
  [400, 'TemporaryRedirect', REGION, '<Region>us-west-2</Region>', {}],
  [400, 'KMS.DisabledException', KMS, '', {}],
  [400, 'KMS.NotFoundException', KMS, '', {}],
  [403, 'AccessDenied', ALLOW, '', {}],
  [403, 'InvalidAccessKeyId', KEY, '', {}],
  [403, 'SignatureDoesNotMatch', KEY, '', {}],
  [404, 'NoSuchBucket', "Create bucket 'logs', or correct its name", '', {}],
  [
    501,
    'NotImplemented',
    'This store has no PUT with If-None-Match, which storing once needs: use one that has',
    '',
    {},
  ],
  [
    403,
    'RequestTimeTooSkewed',
    "This machine's clock is 3600 s behind the store's: set it",
    '<ServerTime>2026-11-21T02:30:00Z</ServerTime>',
    {},
  ],
  [
    403,
    'RequestTimeTooSkewed',
    "This machine's clock is 5400 s ahead of the store's: set it",
    '<ServerTime>2026-11-21T00:00:00Z</ServerTime>',
    {},
  ],
  [
    403,
    'RequestTimeTooSkewed',
    "This machine's clock is 60 s ahead of the store's: set it",
    '',
    { date: 'Sat, 21 Nov 2026 01:29:00 GMT' },
  ],
])('a fault that somebody has to mend waits, and says how: %i %s → %s', async (status, code, advice, more, headers) => {
  const outcome = await answered(() => s3Error(status, code, more, headers))
  expect(outcome).toEqual({ kind: 'park', reason: `${WHERE}: ${status} ${code}: The words of S3. ${advice}` })
})

test.each([
  [400, 'InvalidArgument'],
  [400, 'EntityTooLarge'],
  [403, 'AllAccessDisabled'],
  [405, 'MethodNotAllowed'],
  [409, 'InvalidBucketState'],
  [411, 'MissingContentLength'],
  [400, 'constructor'],
])('any other refusal waits too: %i %s', async (status, code) => {
  const outcome = await answered(() => s3Error(status, code))
  expect(outcome).toEqual({ kind: 'park', reason: `${WHERE}: ${status} ${code}: The words of S3` })
})

test('the advice for a whole bucket names the whole bucket', async () => {
  answering = () => s3Error(403, 'AccessDenied')
  const outcome = await destinationAt({ endpoint: store.endpoint, prefix: '' }).destination.put(objectOf(), NEVER)
  expect(outcome).toMatchObject({ kind: 'park', reason: expect.stringContaining('arn:aws:s3:::logs/*') })
})

test.each([
  ['AccessControlListNotSupported', 400, ''],
  ['NotImplemented', 501, '<Header>x-amz-acl</Header>'],
])('where x-amz-acl is the trouble, the next attempt goes without: %s', async (code, status, more) => {
  answering = ({ headers }) => (headers.has('x-amz-acl') ? s3Error(status, code, more) : undefined)
  const { destination } = destinationAt({ endpoint: store.endpoint })
  expect(await destination.put(objectOf(), NEVER)).toMatchObject({ kind: 'retry' })
  expect(await destination.put(objectOf(), NEVER)).toEqual({ kind: 'stored', already: false })
  expect(store.seen.map(({ headers }) => headers.has('x-amz-acl'))).toEqual([true, false])
})

test('a reason is one line with the request id, whatever the store writes', async () => {
  const xml = '<Error><Code>Odd</Code><Message>a &lt;b&gt; &amp;amp;\n\u001b[31m c...</Message></Error>'
  const outcome = await answered(() => new Response(xml, { status: 400, headers: { 'x-amz-request-id': 'R1' } }))
  expect(outcome).toEqual({ kind: 'park', reason: `${WHERE}: 400 Odd: a <b> &amp; [31m c (request R1)` })
})

test.each(['', 'not XML', '<Error><Code>AccessDen', '{"Code": "AccessDenied"}', '<Message></Message>'])(
  'an answer without a code goes by its status: %j',
  async (body) => {
    const refused = await answered(() => new Response(body, { status: 403 }))
    expect(refused).toEqual({ kind: 'park', reason: `${WHERE}: 403` })
    const failed = await answered(() => new Response(body, { status: 503 }))
    expect(failed).toMatchObject({ kind: 'retry', reason: `${WHERE}: 503` })
  },
)

test('a long message is cut', async () => {
  const outcome = await answered(() => new Response(`<Message>${'m'.repeat(5000)}</Message>`, { status: 400 }))
  expect(outcome).toEqual({ kind: 'park', reason: `${WHERE}: 400: ${'m'.repeat(300)}` })
})

const PLACE = { bucket: 'logs', prefix: '', region: 'eu-west-1', endpoint: undefined }

test.each([
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'the connection was closed'],
  ['ENOTFOUND', 'its host name is unknown to DNS'],
  ['EPROTO', 'the TLS handshake failed'],
  ['EAI_AGAIN', 'words of the system'],
])('no answer is tried again: %s', (code, words) => {
  const error = Object.assign(new Error('words of the system'), { code })
  expect(judgeFailure(error, PLACE)).toEqual({ kind: 'retry', reason: `s3://logs: no answer: ${words}` })
})

test.each([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])('a certificate that cannot be trusted waits for somebody: %s', (code) => {
  expect(judgeFailure(Object.assign(new Error('x'), { code }), PLACE)).toEqual({
    kind: 'park',
    reason: `s3://logs: its certificate is not trusted (${code}). Mend it, or set NODE_EXTRA_CA_CERTS`,
  })
})
