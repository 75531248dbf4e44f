/** The WorkerPool: a fixed number of Workers, each idle or at one job. */

/** Does one job. Its own errors are its own business: what it throws reaches the dispatcher's `onError`. */
export type Run<Job> = (job: Job) => Promise<void>

/** Does one job at a time. */
export class Worker<Job> {
  readonly #run: Run<Job>

  constructor(run: Run<Job>) {
    this.#run = run
  }

  /** Does the job; settles when it is done or has failed, also when `run` throws before it returns a promise. */
  async work(job: Job): Promise<void> {
    await this.#run(job)
  }
}

/** Hands out idle workers, and waits for one when there is none. */
export class WorkerPool<Job> {
  readonly size: number
  readonly #idle: Worker<Job>[]
  #running = 0
  readonly #waiting: ((worker: Worker<Job>) => void)[] = []

  /** `size` workers that all do `run`; a whole number from 1. */
  constructor(size: number, run: Run<Job>) {
    if (!(Number.isInteger(size) && size >= 1)) {
      throw new RangeError(`a worker pool's size is a whole number from 1, not ${size}`)
    }
    this.size = size
    const counted = async (job: Job) => {
      this.#running += 1
      try {
        await run(job)
      } finally {
        this.#running -= 1
      }
    }
    this.#idle = Array.from({ length: size }, () => new Worker(counted))
  }

  /** How many workers are at a job. */
  get running(): number {
    return this.#running
  }

  /** An idle worker, as soon as there is one. Give it back with `release`. */
  acquire(): Promise<Worker<Job>> {
    const worker = this.#idle.pop()
    if (worker) return Promise.resolve(worker)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Makes a worker idle again. */
  release(worker: Worker<Job>): void {
    const next = this.#waiting.shift()
    if (next) next(worker)
    else this.#idle.push(worker)
  }
}
