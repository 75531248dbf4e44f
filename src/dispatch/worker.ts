/** The Worker: does one job after another, one at a time. What doing means is its work's: a function here, or a thread. */

import type { Attempts } from './attempts.ts'
import type { Task } from './task.ts'

/** What a worker does with a job, and what that needs when it begins, rests and ends. */
export interface Work<Job, Result> {
  run(job: Job, task: Task<Job, Result>): Result | PromiseLike<Result>
  /** Jobs come. */
  wake?(): void
  /** None comes for now. */
  rest?(): void
  /** None comes any more. */
  close?(): Promise<void>
}

/** Gives the next job, or takes the worker back. `ended` has left it. */
export type Next<Job, Result> = (worker: Worker<Job, Result>, ended: Task<Job, Result>) => Task<Job, Result> | undefined

/** Idle, or at one job. */
export class Worker<Job, Result> {
  readonly work: Work<Job, Result>
  readonly #attempts: Attempts<Job, Result>
  readonly #next: Next<Job, Result>
  #task: Task<Job, Result> | undefined

  constructor(work: Work<Job, Result>, attempts: Attempts<Job, Result>, next: Next<Job, Result>) {
    this.work = work
    this.#attempts = attempts
    this.#next = next
  }

  /** What it is at. */
  get task(): Task<Job, Result> | undefined {
    return this.#task
  }

  /** Does this job and those that come next. Never rejects: a job's errors are its attempts' business. */
  async start(first: Task<Job, Result>): Promise<void> {
    const attempts = this.#attempts
    const work = this.work
    let task: Task<Job, Result> | undefined = first
    while (task) {
      this.#task = task
      try {
        attempts.begin(task)
        attempts.succeed(task, await work.run(task.job, task))
      } catch (error) {
        if (await attempts.fail(task, error)) continue
      }
      this.#task = undefined
      task = this.#next(this, task)
    }
  }
}
