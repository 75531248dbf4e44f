/** Attempts at a job: their time limit, and after one that failed whether there is another, and when. */

import { DispatchError } from './dispatch-error.ts'
import type { ErrorPolicy, Retry } from './error-policy.ts'
import { uncaught } from './events.ts'
import type { Tally } from './tally.ts'
import type { Task } from './task.ts'
import { DELAY_MS_MAX, type Timers } from './timers.ts'

/** Follows each attempt from its begin to what comes of it. */
export class Attempts<Job, Result> {
  readonly #tally: Tally<Job, Result>
  readonly #timers: Timers
  readonly #onError: ErrorPolicy<Job> | undefined
  readonly #timeoutMs: number | undefined

  constructor(
    tally: Tally<Job, Result>,
    timers: Timers,
    onError: ErrorPolicy<Job> | undefined,
    timeoutMs: number | undefined,
  ) {
    this.#tally = tally
    this.#timers = timers
    this.#onError = onError
    this.#timeoutMs = timeoutMs
  }

  begin(task: Task<Job, Result>): void {
    task.begin()
    const timeoutMs = task.options?.timeoutMs ?? this.#timeoutMs
    if (timeoutMs !== undefined) task.timer = this.#timers.after(timeoutMs, () => this.#expire(task, timeoutMs))
    if (this.#tally.events.heard('begun')) {
      this.#tally.events.emit('begun', { job: task.job, attempt: task.attempt })
    }
  }

  /** The run gave a result. What comes after the outcome was settled is nobody's any more. */
  succeed(task: Task<Job, Result>, result: Result): void {
    endTimer(task)
    this.#tally.finish(task, result)
  }

  /** The run failed; resolves, after the pause, with whether to run the job again. */
  async fail(task: Task<Job, Result>, thrown: unknown): Promise<boolean> {
    endTimer(task)
    if (task.settled) return false
    const { error, retry } = task.late ?? { error: thrown, retry: this.#judge(task, thrown) }
    if (!retry) {
      this.#tally.fail(task, error)
      return false
    }
    const pauseMs = Math.min(DELAY_MS_MAX, Math.max(0, retry.retryAfterMs))
    const { job, attempt } = task
    this.#tally.retried += 1
    this.#tally.events.emit('retried', { job, error, attempt, pauseMs })
    await this.#pause(task, pauseMs)
    return !task.settled
  }

  /** Time is up: the run hears it; who waits for the job does as soon as there is no other attempt. */
  #expire(task: Task<Job, Result>, timeoutMs: number): void {
    task.timer = undefined
    if (task.settled) return
    const error = new DispatchError('timeout', `the job took longer than ${timeoutMs} ms`)
    const retry = this.#judge(task, error)
    task.late = { error, retry }
    if (!retry) this.#tally.fail(task, error)
    task.cut(error)
  }

  #judge(task: Task<Job, Result>, error: unknown): Retry | undefined {
    try {
      return this.#onError?.(error, { job: task.job, attempt: task.attempt }) ?? undefined
    } catch (ownError) {
      uncaught(ownError)
      return undefined
    }
  }

  /** Waits, unless the job is aborted meanwhile (the policy itself may have done that). */
  #pause(task: Task<Job, Result>, pauseMs: number): Promise<void> {
    if (task.settled) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel()
        task.interrupt = undefined
        resolve()
      }
      const timer = this.#timers.after(pauseMs, end)
      task.interrupt = end
    })
  }
}

function endTimer(task: { timer: { cancel(): void } | undefined }): void {
  if (!task.timer) return
  task.timer.cancel()
  task.timer = undefined
}
