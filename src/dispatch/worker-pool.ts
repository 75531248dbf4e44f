/** The WorkerPool: so many Workers and no more, each idle or busy. Their number can change while they work. */

import { checkSize } from './checks.ts'
import type { Worker } from './worker.ts'

/** Hands out idle workers. They are made when they are first needed. */
export class WorkerPool<Job, Result> {
  readonly #make: () => Worker<Job, Result>
  readonly #idle: Worker<Job, Result>[] = []
  readonly #busy = new Set<Worker<Job, Result>>()
  readonly #closing = new Set<Promise<void>>()
  #size: number

  /** `size` is the most workers there are: a whole number from 1, or `Infinity`. */
  constructor(size: number, make: () => Worker<Job, Result>) {
    this.#size = checkedSize(size)
    this.#make = make
  }

  get size(): number {
    return this.#size
  }

  /** How many are at a job: more than `size` only after it was made smaller, until they are done. */
  get running(): number {
    return this.#busy.size
  }

  /** Those at a job. */
  get busy(): Iterable<Worker<Job, Result>> {
    return this.#busy
  }

  /** An idle worker; undefined when there is none. Give it back with `release`. */
  acquire(): Worker<Job, Result> | undefined {
    if (this.#busy.size >= this.#size) return undefined
    const worker = this.#idle.pop() ?? this.#make()
    this.#busy.add(worker)
    worker.work.wake?.()
    return worker
  }

  /** Makes a worker idle again, or ends it if there are enough without it. */
  release(worker: Worker<Job, Result>): void {
    this.#busy.delete(worker)
    // Of any number of workers none is kept: each is for one burst of jobs.
    if (this.#size === Number.POSITIVE_INFINITY || this.#busy.size + this.#idle.length >= this.#size) {
      this.#close(worker)
      return
    }
    worker.work.rest?.()
    this.#idle.push(worker)
  }

  /** Makes it larger or smaller. Nobody is interrupted: workers that are too many end after their job. */
  resize(size: number): void {
    this.#size = checkedSize(size)
    while (this.#idle.length > 0 && this.#busy.size + this.#idle.length > size) this.#closeOneIdle()
  }

  /** Ends all that are idle; resolves when every worker that was to end has. */
  async close(): Promise<void> {
    while (this.#idle.length > 0) this.#closeOneIdle()
    await Promise.all(this.#closing)
  }

  #closeOneIdle(): void {
    const worker = this.#idle.pop()
    if (worker) this.#close(worker)
  }

  #close(worker: Worker<Job, Result>): void {
    const closing = worker.work.close?.().then(() => {
      this.#closing.delete(closing as Promise<void>)
    })
    if (closing) this.#closing.add(closing)
  }
}

function checkedSize(size: number): number {
  checkSize("a worker pool's size", size)
  return size
}
