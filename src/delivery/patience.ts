/** Puts one object for as long as it takes: exponential backoff with full jitter, long pauses while it is parked. */

import type { Destination, OutgoingObject, PutOutcome } from '../destination/destination.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Parking } from './parking.ts'
import { type PutLimit, type PutResult, RETRY_AFTER_MS_MAX } from './put-limit.ts'

/** Pauses after a passing fault: up to 0.1 s after the first, up to 15 s in the end. */
const RETRY_PAUSE_MS = { first: 100, max: 15_000 }
/** Pauses while somebody has to mend the destination: 1 s at first, up to 60 s in the end. */
const PARKED_PAUSE_MS = { first: 1000, max: 60_000 }

/** What delivery tells of an object that isn't stored yet; or `mended`, of one that is, where others wait for somebody. */
export interface Trouble {
  kind: 'retry' | 'park' | 'mended'
  object: string
  reason: string
  /** How often it was tried. */
  attempt: number
  /** How long until it is tried again. */
  pauseMs: number
}

/** What waiting needs. */
export interface PatienceContext {
  clock: Clock
  random: Random
  destination: Destination
  parking: Parking
  /** How many puts may be under way; one that waits for another try is not. */
  limit: PutLimit
  onTrouble: (trouble: Trouble) => void
  signal: AbortSignal
}

/** Resolves once the object is stored: true; or when `signal` aborts: false. */
export async function putUntilStored(object: OutgoingObject, context: PatienceContext): Promise<boolean> {
  const { clock, random, parking, onTrouble, signal } = context
  for (let attempt = 1; !signal.aborted; attempt++) {
    const outcome = await putOnce(object, context)
    if (outcome.kind === 'stored') {
      parking.reopen()
      return true
    }
    if (signal.aborted) return false
    const pauseMs =
      outcome.kind === 'retry'
        ? atLeast(outcome.throttled?.retryAfterMs, random.unit() * growing(RETRY_PAUSE_MS, attempt))
        : (0.5 + random.unit() / 2) * growing(PARKED_PAUSE_MS, attempt)
    onTrouble({ kind: outcome.kind, object: object.name, reason: outcome.reason, attempt, pauseMs })
    await (outcome.kind === 'park' ? parking.wait(pauseMs, signal) : clock.sleep(pauseMs, signal))
  }
  return false
}

async function putOnce(object: OutgoingObject, { destination, limit, signal }: PatienceContext): Promise<PutOutcome> {
  const taken = limit.take()
  const ticket = taken instanceof Promise ? await taken : taken
  let result: PutResult = { kind: 'failed' }
  try {
    if (signal.aborted) return { kind: 'retry', reason: 'told to stop' }
    const outcome = await destination.put(object, signal)
    if (outcome.kind === 'stored') result = { kind: 'stored', bytes: object.body.length }
    else if (outcome.kind === 'retry' && outcome.throttled) result = { kind: 'throttled', ...outcome.throttled }
    return outcome
  } finally {
    limit.done(ticket, result)
  }
}

function atLeast(askedMs: number | undefined, pauseMs: number): number {
  return Math.max(pauseMs, Math.min(askedMs ?? 0, RETRY_AFTER_MS_MAX))
}

function growing(pause: { first: number; max: number }, attempt: number): number {
  return Math.min(pause.max, pause.first * 2 ** Math.min(attempt - 1, 30))
}
