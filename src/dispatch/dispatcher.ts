/** The Dispatcher: takes a job off the queue only when a worker is idle, so that nothing grows behind the queue's bound. */

import { Attempts } from './attempts.ts'
import { DispatchError } from './dispatch-error.ts'
import type { DispatchEvents } from './events.ts'
import { JobQueue } from './job-queue.ts'
import { checkOptions, type DispatcherOptions, type SubmitOptions, WAITING_MAX } from './options.ts'
import { type Counters, Tally } from './tally.ts'
import { Task, type TaskKeeper } from './task.ts'
import { Thread } from './thread.ts'
import { systemTimers } from './timers.ts'
import { type Work, Worker } from './worker.ts'
import { WorkerPool } from './worker-pool.ts'

const KEPT = Promise.resolve(true)
const NOT_KEPT = Promise.resolve(false)

/** Joins a queue and a pool. */
export class Dispatcher<Job, Result = void> {
  readonly #queue: JobQueue<Task<Job, Result>>
  /** Those in `submit` and `put`. Only while the queue is full is anybody here. */
  readonly #waiting: JobQueue<Task<Job, Result>>
  readonly #pool: WorkerPool<Job, Result>
  readonly #tally: Tally<Job, Result>
  readonly #keeper: TaskKeeper<Job, Result> = { abort: (task, reason) => this.#abort(task, reason) }
  #isPaused = false
  #isStopping = false
  #stopped: Promise<void> | undefined
  #drained: { promise: Promise<void>; resolve: () => void } | undefined

  constructor(options: DispatcherOptions<Job, Result>) {
    checkOptions(options)
    const { workers, queue, run, waitingMax = WAITING_MAX, timeoutMs, onError, timers = systemTimers } = options
    this.#queue = new JobQueue(queue)
    this.#waiting = new JobQueue(waitingMax)
    this.#tally = new Tally(onError !== undefined)
    const attempts = new Attempts(this.#tally, timers, onError, timeoutMs)
    const work = (): Work<Job, Result> => (typeof run === 'function' ? { run } : new Thread(run))
    this.#pool = new WorkerPool(workers, () => new Worker(work(), attempts, this.#next))
  }

  /** Gives a job, waiting while the queue is full; resolves with its result. */
  submit(job: Job, options?: SubmitOptions): Promise<Result> {
    const task = new Task(job, options, this.#keeper)
    return new Promise((resolve, reject) => {
      task.fulfil = resolve
      task.reject = reject
      if (this.#mayEnter(task) && !this.#enter(task)) this.#wait(task)
    })
  }

  /** Gives a job if there is room, or says no: undefined when full or stopped. */
  trySubmit(job: Job, options?: SubmitOptions): Promise<Result> | undefined {
    if (this.isFull) {
      this.#refuseUnseen(job)
      return undefined
    }
    return this.submit(job, options)
  }

  /** Gives a job whose result nobody waits for; resolves when it is accepted, with false if it never will be. */
  put(job: Job, options?: SubmitOptions): Promise<boolean> {
    const task = new Task<Job, Result>(job, options, this.#keeper)
    if (!this.#mayEnter(task)) return NOT_KEPT
    if (this.#enter(task)) return KEPT
    return new Promise((resolve) => {
      task.accepted = resolve
      this.#wait(task)
    })
  }

  /** Gives a job whose result nobody waits for, if there is room, or says no. */
  offer(job: Job, options?: SubmitOptions): boolean {
    if (this.isFull) {
      this.#refuseUnseen(job)
      return false
    }
    const task = new Task<Job, Result>(job, options, this.#keeper)
    return this.#mayEnter(task) && this.#enter(task)
  }

  /** Whether a job would be refused now. */
  get isFull(): boolean {
    if (this.#isStopping) return true
    if (this.#queue.length < this.#queue.capacity) return false
    return this.#isPaused || this.#queue.length > 0 || this.#pool.running >= this.#pool.size
  }

  get counters(): Counters {
    const { done, failed, aborted, retried, refused } = this.#tally
    const { size: workers, running } = this.#pool
    const { length: queued } = this.#queue
    const { length: waiting } = this.#waiting
    const idle = Math.max(0, workers - running)
    return { workers, running, idle, queued, waiting, done, failed, aborted, retried, refused }
  }

  /** Calls `listener` each time; what it returns ends that. */
  on<Kind extends keyof DispatchEvents<Job, Result>>(
    kind: Kind,
    listener: (event: DispatchEvents<Job, Result>[Kind]) => void,
  ): () => void {
    return this.#tally.events.on(kind, listener)
  }

  /** Begins no more jobs; those that run go on, and the queue takes what it has room for. */
  pause(): void {
    if (this.#isPaused || this.#isStopping) return
    this.#isPaused = true
    this.#tally.events.emit('paused', {})
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#tally.events.emit('resumed', {})
    this.#pump()
  }

  /** Changes how many jobs run at once. Nobody is interrupted: workers that are too many end after their job. */
  resize(workers: number): void {
    this.#pool.resize(workers)
    this.#tally.events.emit('resized', { workers })
    this.#pump()
  }

  /** Resolves as soon as nothing runs, is queued or waits. Jobs are still taken meanwhile. */
  drain(): Promise<void> {
    if (this.#isIdle) return Promise.resolve()
    if (!this.#drained) {
      let resolve = () => {}
      const promise = new Promise<void>((settle) => {
        resolve = settle
      })
      this.#drained = { promise, resolve }
    }
    return this.#drained.promise
  }

  /**
   * Takes no more jobs, refuses those that wait to be accepted, and resolves when all workers have ended. The queue's jobs
   * are done first, also after a `pause`; without `drain` they are dropped, and those that run are aborted.
   */
  stop({ drain = true }: { drain?: boolean } = {}): Promise<void> {
    const wasIdle = this.#isIdle
    this.#isStopping = true
    const reason = new DispatchError('stopped', 'the dispatcher was stopped')
    for (let task = this.#waiting.take(); task; task = this.#waiting.take()) this.#tally.refuse(task, reason)
    this.resume()
    if (!drain) {
      for (let task = this.#queue.take(); task; task = this.#queue.take()) this.#drop(task, reason)
      for (const { task } of [...this.#pool.busy]) task?.abort(reason)
    }
    if (!wasIdle) this.#tellIfIdle()
    this.#stopped ??= this.drain()
      .then(() => this.#pool.close())
      .then(() => this.#tally.events.emit('stopped', {}))
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  get #isIdle(): boolean {
    return this.#pool.running === 0 && this.#queue.length === 0 && this.#waiting.length === 0
  }

  /** What is refused needs no more than a count; a full dispatcher says so often. */
  #refuseUnseen(job: Job): void {
    this.#tally.refused += 1
    this.#tally.events.emit('refused', { job })
  }

  #mayEnter(task: Task<Job, Result>): boolean {
    const before = task.abortedBefore
    if (!before && !this.#isStopping) {
      task.join()
      return true
    }
    this.#tally.refuse(task, before ? before.reason : new DispatchError('stopped', 'the dispatcher was stopped'))
    return false
  }

  /** To an idle worker, or into the queue. */
  #enter(task: Task<Job, Result>): boolean {
    if (!this.#isPaused && this.#queue.length === 0) {
      const worker = this.#pool.acquire()
      if (worker) {
        void worker.start(task)
        return true
      }
    }
    return this.#queue.offer(task)
  }

  #wait(task: Task<Job, Result>): void {
    if (this.#waiting.offer(task)) return
    const most = this.#waiting.capacity
    this.#tally.refuse(task, new DispatchError('waiting-full', `${most} jobs wait to be accepted (waitingMax)`))
  }

  /** The next job for a worker, or none for now. */
  readonly #next = (worker: Worker<Job, Result>, ended: Task<Job, Result>): Task<Job, Result> | undefined => {
    ended.options?.group?.leave(ended)
    if (!this.#isPaused && this.#pool.running <= this.#pool.size) {
      const task = this.#take()
      if (task) return task
    }
    this.#pool.release(worker)
    this.#tellIfIdle()
    return undefined
  }

  /** The highest priority of all, then the oldest. */
  #take(): Task<Job, Result> | undefined {
    const waiter = this.#waiting.first
    if (!waiter) return this.#queue.take()
    const queued = this.#queue.first
    if (queued && queued.priority >= waiter.priority) {
      this.#queue.remove(queued)
      this.#refill()
      return queued
    }
    this.#waiting.remove(waiter)
    accept(waiter)
    return waiter
  }

  /** Room in the queue goes to those who wait, at once: nobody who comes later gets in between. */
  #refill(): void {
    while (this.#waiting.length > 0 && this.#queue.length < this.#queue.capacity) {
      const waiter = this.#waiting.take()
      if (!waiter) return
      this.#queue.offer(waiter)
      accept(waiter)
    }
  }

  /** Gives idle workers what they can do. */
  #pump(): void {
    while (!this.#isPaused && this.#queue.length + this.#waiting.length > 0) {
      const worker = this.#pool.acquire()
      const task = worker && this.#take()
      if (!task) return
      void worker.start(task)
    }
  }

  #abort(task: Task<Job, Result>, reason: unknown): void {
    if (task.settled) return
    if (this.#waiting.remove(task)) this.#tally.refuse(task, reason)
    else if (this.#queue.remove(task)) {
      this.#drop(task, reason)
      this.#refill()
    } else {
      this.#tally.abort(task, reason)
      task.cut(reason)
      return
    }
    this.#tellIfIdle()
  }

  /** Ends a job that was queued. */
  #drop(task: Task<Job, Result>, reason: unknown): void {
    this.#tally.abort(task, reason)
    task.options?.group?.leave(task)
  }

  #tellIfIdle(): void {
    if (!this.#isIdle) return
    this.#drained?.resolve()
    this.#drained = undefined
    this.#tally.events.emit('idle', {})
  }
}

function accept(task: { accepted: ((kept: boolean) => void) | undefined }): void {
  task.accepted?.(true)
  task.accepted = undefined
}
