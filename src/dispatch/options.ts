/** What a dispatcher is told when it is made, and what can be said of each job. */

import { checkCapacity, checkSize, shown } from './checks.ts'
import type { ErrorPolicy } from './error-policy.ts'
import type { JobGroup } from './job-group.ts'
import { DELAY_MS_MAX, type Timers } from './timers.ts'

/** What a run knows beside its job. */
export interface JobContext {
  /** Aborts when nobody waits for this attempt any more: the job's own signal, its group, a timeout, a stop. */
  readonly signal: AbortSignal
  /** 1 for the first. */
  readonly attempt: number
}

/** Does one job. */
export type Run<Job, Result> = (job: Job, context: JobContext) => Result | PromiseLike<Result>

/** What makes a dispatcher. */
export interface DispatcherOptions<Job, Result> {
  /** How many jobs run at once: a whole number from 1, or `Infinity` for one worker a job. */
  workers: number
  /** How many jobs wait for a worker at most: a whole number from 0. */
  queue: number
  /** Does a job; or the URL of a module that exports such a `run`, and then workers are threads. */
  run: Run<Job, Result> | URL | string
  /** How many may wait in `submit` and `put` at once; 1,000 when nothing is said. */
  waitingMax?: number | undefined
  /** The longest an attempt may take, unless the job says otherwise. */
  timeoutMs?: number | undefined
  /** Hears of every attempt that failed, and may have it run again; see `backoff`. Without one, a failure is final. */
  onError?: ErrorPolicy<Job> | undefined
  timers?: Timers | undefined
}

/** What can be said of a job. */
export interface SubmitOptions {
  /** Drops the job while it waits; aborts the run's signal once it runs. */
  signal?: AbortSignal | undefined
  /** Higher is sooner; 0 when nothing is said. */
  priority?: number | undefined
  /** The longest an attempt may take, from its begin. */
  timeoutMs?: number | undefined
  group?: JobGroup | undefined
  /** With threads: what moves to the thread instead of being copied; after that the job can't be run again. */
  transfer?: readonly object[] | undefined
}

/** How many may wait when nothing is said. */
export const WAITING_MAX = 1000

const KNOWN: Readonly<Record<keyof DispatcherOptions<never, never>, true>> = {
  workers: true,
  queue: true,
  run: true,
  waitingMax: true,
  timeoutMs: true,
  onError: true,
  timers: true,
}

/** Throws where an option can't be what is meant: a `TypeError` or, for numbers, a `RangeError`, which names it. */
export function checkOptions<Job, Result>(options: DispatcherOptions<Job, Result>): void {
  const { workers, queue, run, waitingMax = WAITING_MAX, timeoutMs, onError } = options
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const [unknown] = given.find(([name]) => !Object.hasOwn(KNOWN, name)) ?? []
  if (unknown !== undefined) {
    throw new TypeError(`a dispatcher has no option ${unknown}; there are ${Object.keys(KNOWN).join(', ')}`)
  }
  checkSize('workers', workers)
  checkCapacity('queue', queue)
  checkCapacity('waitingMax', waitingMax)
  if (!(typeof run === 'function' || typeof run === 'string' || run instanceof URL)) {
    throw new TypeError(`run is a function, or the URL of a module that exports one named run, not ${shown(run)}`)
  }
  if (onError !== undefined && typeof onError !== 'function') {
    throw new TypeError(`onError is a function, such as backoff makes, not ${shown(onError)}`)
  }
  checkTimeout(timeoutMs)
}

/** A timeout as a timer can keep it. */
export function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined) return
  if (!(typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= DELAY_MS_MAX)) {
    throw new RangeError(`timeoutMs is a number above 0 and at most ${DELAY_MS_MAX}, not ${shown(timeoutMs)}`)
  }
}
