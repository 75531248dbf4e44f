/** The JobQueue: first in, first out, with a bound that is a bound. What it refuses is kept nowhere. */

/** A bounded queue between those who have jobs and those who take them. */
export class JobQueue<Job> {
  readonly capacity: number
  readonly #jobs: Job[] = []
  readonly #takers: ((job: Job | undefined) => void)[] = []
  readonly #putters: { job: Job; settle: (kept: boolean) => void }[] = []
  #closed = false

  /** `capacity` is the most jobs it holds, a whole number from 1. */
  constructor(capacity: number) {
    if (!(Number.isInteger(capacity) && capacity >= 1)) {
      throw new RangeError(`a job queue's capacity is a whole number from 1, not ${capacity}`)
    }
    this.capacity = capacity
  }

  /** How many jobs wait. */
  get length(): number {
    return this.#jobs.length
  }

  /** Puts a job if there is room, or says no: false when full or closed. */
  offer(job: Job): boolean {
    if (this.#closed) return false
    const taker = this.#takers.shift()
    if (taker) {
      taker(job)
      return true
    }
    if (this.#jobs.length >= this.capacity) return false
    this.#jobs.push(job)
    return true
  }

  /** Puts a job, waiting while the queue is full. False when the queue was closed first; the job is then not kept. */
  put(job: Job): Promise<boolean> {
    if (this.offer(job)) return Promise.resolve(true)
    if (this.#closed) return Promise.resolve(false)
    return new Promise((settle) => this.#putters.push({ job, settle }))
  }

  /** Takes the oldest job, waiting for one. Undefined once the queue is closed and empty. */
  take(): Promise<Job | undefined> {
    const job = this.#jobs.shift()
    if (job !== undefined) {
      // The room goes to whoever waits longest, at once: nobody who comes later gets in between.
      const next = this.#putters.shift()
      if (next) this.#jobs.push(next.job)
      next?.settle(true)
      return Promise.resolve(job)
    }
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  /** Takes no more jobs. Those that wait can still be taken, unless `discard` is set. */
  close({ discard = false } = {}): void {
    this.#closed = true
    if (discard) this.#jobs.length = 0
    for (const taker of this.#takers.splice(0)) taker(undefined)
    for (const putter of this.#putters.splice(0)) putter.settle(false)
  }
}
