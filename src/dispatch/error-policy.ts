/** The error policy: what becomes of a job whose run has failed. It is a function; `backoff` makes the usual one. */

import { DELAY_MS_MAX } from './timers.ts'

/** Which attempt failed. */
export interface Failure<Job> {
  job: Job
  /** 1 for the first. */
  attempt: number
}

/** Run it again, so long from now. The worker keeps the job in between, so that nothing piles up when everything fails. */
export interface Retry {
  retryAfterMs: number
}

/** Hears of every failed attempt. A `Retry` runs the job again; anything else gives it up. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without an answer gives up, and may be written as one.
export type ErrorPolicy<Job> = (error: unknown, failure: Failure<Job>) => Retry | undefined | void

/** How long and how often. */
export interface BackoffOptions {
  /** The most attempts, the first included. */
  attempts: number
  /** The pause after the first failure; it doubles with each. */
  firstMs: number
  /** The longest pause. */
  mostMs: number
  /** In [0, 1): the pause is between half and all of its length, so that those who failed together don't return together. */
  random?: () => number
}

/** Tries again with growing pauses, then gives up. */
export function backoff({
  attempts,
  firstMs,
  mostMs,
  random = Math.random,
}: BackoffOptions): (error: unknown, failure: { attempt: number }) => Retry | undefined {
  if (!(attempts >= 1)) throw new RangeError(`attempts is a number from 1, not ${attempts}`)
  for (const [name, ms] of Object.entries({ firstMs, mostMs })) {
    if (!(ms >= 0 && ms <= DELAY_MS_MAX)) throw new RangeError(`${name} is from 0 to ${DELAY_MS_MAX}, not ${ms}`)
  }
  return (_error, { attempt }) => {
    if (attempt >= attempts) return undefined
    const wholeMs = Math.min(mostMs, firstMs * 2 ** (attempt - 1))
    return { retryAfterMs: wholeMs / 2 + (wholeMs / 2) * random() }
  }
}
