/** Reads what is in S3: whether an object is there and how long it is (HEAD), and its bytes (GET), one try at a time. */

import { Attempt, attemptMsMax } from './attempt.ts'
import { type Found, isPlainName, type Unanswered } from './destination.ts'
import { judgeFailure, judgeRead, where } from './s3-answer.ts'
import type { LiveKeys } from './s3-credentials.ts'
import { readAnswer, type S3Access } from './s3-request.ts'

/** SHA-256 of no bytes: a HEAD and a GET have no body. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Looks for an object. */
export async function sizeInS3(options: S3Access, name: string, signal: AbortSignal): Promise<Found> {
  if (!isPlainName(name)) return { kind: 'missing' }
  return await withKeys<Found>(options, signal, async (keys, attempt) => {
    const response = await request(options, 'HEAD', name, keys, attempt)
    const bytes = lengthOf(response)
    if (response.status === 200 && bytes !== undefined) {
      options.credentials.accepted(keys)
      return { kind: 'found', bytes }
    }
    // A HEAD's answer has no body, and 404 alone could be the bucket: a GET says what is missing, or what is wrong.
    return await readOnce(options, name, () => false, keys, attempt)
  })
}

/** Hands an object's bytes to `take`. */
export async function readFromS3(
  options: S3Access,
  name: string,
  take: (piece: Uint8Array) => void | Promise<void>,
  signal: AbortSignal,
): Promise<Found> {
  if (!isPlainName(name)) return { kind: 'missing' }
  let thrown: { error: unknown } | undefined
  const guarded = async (piece: Uint8Array) => {
    try {
      await take(piece)
      return true
    } catch (error) {
      thrown = { error }
      return false
    }
  }
  const found = await withKeys<Found>(options, signal, (keys, attempt) =>
    readOnce(options, name, guarded, keys, attempt),
  )
  // The caller's own fault is none of the store's.
  if (thrown) throw thrown.error
  return found
}

/** One GET. `take` says whether it wants more; when it doesn't, the length is what the answer's header says. */
async function readOnce(
  options: S3Access,
  name: string,
  take: (piece: Uint8Array) => boolean | Promise<boolean>,
  keys: LiveKeys,
  attempt: Attempt,
): Promise<Found> {
  const response = await request(options, 'GET', name, keys, attempt)
  const length = lengthOf(response)
  if (response.status !== 200) return await refusal(options, response, keys)
  options.credentials.accepted(keys)
  attempt.giveTimeFor(length ?? 0)
  let bytes = 0
  const reader = response.body?.getReader()
  for (;;) {
    const piece = (await reader?.read())?.value
    if (piece === undefined) break
    bytes += piece.length
    if (await take(piece)) continue
    await reader?.cancel()
    return { kind: 'found', bytes: length ?? bytes }
  }
  if (length === undefined || length === bytes) return { kind: 'found', bytes }
  return failed(options, `the answer ended after ${bytes} of ${length} bytes`)
}

/** What an answer means that isn't what was asked for. */
export async function refusal(options: S3Access, response: Response, keys: LiveKeys) {
  const { credentials, clock } = options
  const { outcome, remedy } = judgeRead(await readAnswer(response, keys), options, clock.nowMs())
  if (remedy === 'forget-keys') credentials.refused(keys)
  if (remedy !== 'keys-expired' || outcome.kind !== 'failed') return outcome
  return { ...outcome, passing: credentials.expired(keys) }
}

/** Sends a GET or HEAD of an object; or of the bucket itself, without a name and with a query. */
export async function request(
  options: S3Access,
  method: 'HEAD' | 'GET',
  name: string,
  keys: LiveKeys,
  attempt: Attempt,
  query = '',
) {
  const { signer, clock } = options
  const { url, headers } = signer.sign({ method, name, query, headers: {}, sha256: EMPTY_SHA256 }, keys, clock.nowMs())
  // Not signed, since proxies change it: as stored, please. Bun would decompress what comes with a content coding.
  headers['accept-encoding'] = 'identity'
  return await fetch(url, { method, headers, redirect: 'manual', decompress: false, signal: attempt.signal })
}

/** Runs one attempt with credentials and a time limit; whatever goes wrong on the way is an answer. */
export async function withKeys<T>(
  options: S3Access,
  signal: AbortSignal,
  ask: (keys: LiveKeys, attempt: Attempt) => Promise<T>,
): Promise<T | Unanswered> {
  const { clock, credentials } = options
  const attempt = new Attempt(clock, signal, attemptMsMax(0))
  try {
    const held = credentials.current()
    const got = held ? ({ kind: 'keys', keys: held } as const) : await attempt.orEnded(credentials.renewed())
    if (got === undefined) return failed(options, attempt.ending)
    if (got.kind === 'none') return { ...failed(options, got.reason), passing: false }
    return await ask(got.keys, attempt)
  } catch (error) {
    if (attempt.endedBy !== undefined) return failed(options, attempt.ending)
    const { kind, reason } = { reason: '', ...judgeFailure(error, options) }
    return { kind: 'failed', passing: kind === 'retry', reason }
  } finally {
    attempt.close()
  }
}

function lengthOf({ headers }: Response): number | undefined {
  const text = headers.get('content-length') ?? ''
  return /^\d+$/.test(text) ? Number(text) : undefined
}

/** No answer, and another try may get one. */
export function failed(options: S3Access, reason: string): Unanswered {
  return { kind: 'failed', passing: true, reason: `${where(options)}: ${reason}` }
}
