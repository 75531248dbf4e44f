/** The Dispatcher: takes a job off the queue only when a worker is idle, so that nothing grows behind the queue's bound. */

import type { JobQueue } from './job-queue.ts'
import type { WorkerPool } from './worker-pool.ts'

/** Joins a queue and a pool until the queue is closed. */
export class Dispatcher<Job> {
  readonly #queue: JobQueue<Job>
  readonly #pool: WorkerPool<Job>
  readonly #onError: (error: unknown, job: Job) => void
  readonly #working = new Set<Promise<void>>()

  /** `onError` hears of every job whose run rejected; the worker goes on with the next. */
  constructor(queue: JobQueue<Job>, pool: WorkerPool<Job>, onError: (error: unknown, job: Job) => void) {
    this.#queue = queue
    this.#pool = pool
    this.#onError = onError
  }

  /** Runs until the queue is closed and empty and the last job has ended. */
  async run(): Promise<void> {
    for (;;) {
      const worker = await this.#pool.acquire()
      const job = await this.#queue.take()
      if (job === undefined) {
        this.#pool.release(worker)
        break
      }
      const work = worker
        .work(job)
        .catch((error: unknown) => this.#onError(error, job))
        .finally(() => {
          this.#pool.release(worker)
          this.#working.delete(work)
        })
      this.#working.add(work)
    }
    await Promise.all(this.#working)
  }
}
