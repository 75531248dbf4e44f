/** Puts one object for as long as it takes: exponential backoff with full jitter, long pauses while it is parked. */

import type { OutgoingObject, PutOutcome } from '../destination/destination.ts'
import type { Clock } from '../platform/clock.ts'
import type { Random } from '../platform/random.ts'
import type { Parking } from './parking.ts'
import { type PutLimit, type PutResult, RETRY_AFTER_MS_MAX } from './put-limit.ts'
import { asPut, type LookContext, type Looked, lookAtTaken, type There } from './taken.ts'

/** Pauses after a passing fault: up to 0.1 s after the first, up to 15 s in the end. */
const RETRY_PAUSE_MS = { first: 100, max: 15_000 }
/** Pauses while somebody has to mend the destination: 1 s at first, up to 60 s in the end. */
const PARKED_PAUSE_MS = { first: 1000, max: 60_000 }

/**
 * What delivery tells of an object that isn't stored yet, `taken` where its name is and only its own being stored shows that
 * somebody has mended that; or `mended`, of one that is, where others wait for somebody.
 */
export interface Trouble {
  kind: 'retry' | 'park' | 'taken' | 'mended'
  object: string
  reason: string
  /** How often it was tried. */
  attempt: number
  /** How long until it is tried again. */
  pauseMs: number
  /** It is this object's alone: that others are stored says nothing of it. */
  isAlone?: true
}

/** What waiting needs. */
export interface PatienceContext extends LookContext {
  clock: Clock
  random: Random
  parking: Parking
  /** How many puts may be under way; one that waits for another try is not. */
  limit: PutLimit
  onTrouble: (trouble: Trouble) => void
}

type Attempted = Looked | Exclude<PutOutcome, { kind: 'stored' }>

/** Resolves once the object is stored, with what is there; or when `signal` aborts: undefined. */
export async function putUntilStored(object: OutgoingObject, context: PatienceContext): Promise<There | undefined> {
  const { clock, random, parking, onTrouble, signal } = context
  for (let attempt = 1; !signal.aborted; attempt++) {
    const outcome = await putOnce(object, context)
    if (outcome.kind === 'stored') {
      parking.reopen()
      return outcome.there
    }
    if (signal.aborted) return undefined
    const pauseMs =
      outcome.kind === 'retry'
        ? atLeast(
            'throttled' in outcome ? outcome.throttled?.retryAfterMs : undefined,
            random.unit() * growing(RETRY_PAUSE_MS, attempt),
          )
        : parkedPauseMs(random, attempt)
    const isAlone = outcome.kind === 'taken' || (outcome.kind === 'park' && outcome.isAlone === true)
    const trouble = { kind: outcome.kind, object: object.name, reason: outcome.reason, attempt, pauseMs }
    onTrouble(isAlone ? { ...trouble, isAlone } : trouble)
    if (outcome.kind === 'park' && !isAlone) await parking.wait(pauseMs, signal)
    // That others are stored says nothing of a trouble that is this one's alone: it is not tried again with each of them.
    else if (outcome.kind !== 'retry') await clock.sleep(pauseMs, signal)
    // Time that the destination asked for is waited out all the same: the limit lets nobody put before it is over.
    else await parking.waitOut(pauseMs, random, signal)
  }
  return undefined
}

/** How long to wait for somebody to mend something, after so many attempts. */
export function parkedPauseMs(random: Random, attempt: number): number {
  return (0.5 + random.unit() / 2) * growing(PARKED_PAUSE_MS, attempt)
}

async function putOnce(object: OutgoingObject, context: PatienceContext): Promise<Attempted> {
  const { destination, limit, signal } = context
  const taken = limit.take()
  const ticket = taken instanceof Promise ? await taken : taken
  let result: PutResult = { kind: 'failed' }
  try {
    if (signal.aborted) return { kind: 'retry', reason: 'told to stop' }
    const outcome = await destination.put(object, signal)
    if (outcome.kind === 'stored') {
      if (outcome.already) return await lookAtTaken(object, context)
      result = { kind: 'stored', bytes: object.body.length }
      const { at } = outcome
      return { kind: 'stored', there: at === undefined ? asPut(object) : { ...asPut(object), at } }
    }
    if (outcome.kind === 'retry' && outcome.throttled) result = { kind: 'throttled', ...outcome.throttled }
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
