/** The tally: how every job ended, counted once and told once to whoever gave it, its group and those who listen. */

import { Events, uncaught } from './events.ts'
import type { Task } from './task.ts'

/** How many jobs are where, and how those that are gone ended. */
export interface Counters {
  /** How many may run at once. */
  workers: number
  /** Workers at a job. */
  running: number
  idle: number
  /** Accepted, and waiting for a worker. */
  queued: number
  /** In `submit` or `put`, waiting to be accepted. */
  waiting: number
  done: number
  /** Given up after an error. */
  failed: number
  /** Dropped by a signal, a group or a stop. */
  aborted: number
  /** Attempts after one that failed. */
  retried: number
  /** Never accepted. */
  refused: number
}

/** Counts outcomes and hands them out. */
export class Tally<Job, Result> {
  readonly events = new Events<Job, Result>()
  /** Whether somebody hears of failed jobs that nobody waits for. */
  readonly #failuresAreHeard: boolean
  done = 0
  failed = 0
  aborted = 0
  retried = 0
  refused = 0

  constructor(failuresAreHeard: boolean) {
    this.#failuresAreHeard = failuresAreHeard
  }

  finish(task: Task<Job, Result>, result: Result): void {
    if (task.settled) return
    task.settled = true
    this.done += 1
    task.fulfil?.(result)
    if (task.options) {
      task.unhear()
      task.options.group?.count('done')
    }
    if (this.events.heard('done')) this.events.emit('done', { job: task.job, result })
  }

  fail(task: Task<Job, Result>, error: unknown): void {
    if (task.settled) return
    task.settled = true
    this.failed += 1
    task.unhear()
    const isHeard = this.#failuresAreHeard || task.reject || task.options?.group || this.events.heard('failed')
    task.reject?.(error)
    task.options?.group?.count('failed', error)
    this.events.emit('failed', { job: task.job, error })
    // Nobody waits for it and nobody listens: no error goes unheard.
    if (!isHeard) uncaught(error)
  }

  abort(task: Task<Job, Result>, reason: unknown): void {
    if (task.settled) return
    task.settled = true
    this.aborted += 1
    task.unhear()
    task.reject?.(reason)
    task.options?.group?.count('aborted')
    this.events.emit('aborted', { job: task.job, reason })
  }

  /** It was never accepted. */
  refuse(task: Task<Job, Result>, reason: unknown): void {
    if (task.settled) return
    task.settled = true
    this.refused += 1
    task.unhear()
    task.reject?.(reason)
    task.accepted?.(false)
    task.options?.group?.leave(task)
    this.events.emit('refused', { job: task.job })
  }
}
