/** A job on its way, with what is known of it: who wants to hear of it, which attempt it is at, and how to break that off. */

import type { Retry } from './error-policy.ts'
import type { Member } from './job-group.ts'
import { Queueable } from './job-queue.ts'
import { checkTimeout, type JobContext, type SubmitOptions } from './options.ts'

/** Who keeps the task, and drops it when it is aborted. */
export interface TaskKeeper<Job, Result> {
  abort(task: Task<Job, Result>, reason: unknown): void
}

/** One job from `submit` until it has left its worker. Also the context of its run. */
export class Task<Job, Result> extends Queueable implements JobContext, Member {
  readonly job: Job
  readonly options: SubmitOptions | undefined
  attempt = 0
  /** Whether its outcome is known. It may still hold its worker. */
  settled = false
  /** Those who gave it, where they want to know. */
  fulfil: ((result: Result) => void) | undefined = undefined
  reject: ((error: unknown) => void) | undefined = undefined
  /** Hears whether it was accepted, as long as it waits to be. */
  accepted: ((kept: boolean) => void) | undefined = undefined
  /** Ends what it is at (a thread, a pause) when the attempt is broken off. */
  interrupt: (() => void) | undefined = undefined
  timer: { cancel(): void } | undefined = undefined
  /** Set when the attempt's time was up: whether there will be another. */
  late: { error: unknown; retry: Retry | undefined } | undefined = undefined
  readonly #keeper: TaskKeeper<Job, Result>
  #controller: AbortController | undefined = undefined
  #cut: { reason: unknown } | undefined = undefined
  #onSignal: (() => void) | undefined = undefined

  constructor(job: Job, options: SubmitOptions | undefined, keeper: TaskKeeper<Job, Result>) {
    super(options?.priority)
    this.job = job
    this.options = options
    this.#keeper = keeper
    if (options) this.#check(options)
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#cut) this.#controller.abort(this.#cut.reason)
    }
    return this.#controller.signal
  }

  /** Why it need not even be accepted; undefined when it may be. */
  get abortedBefore(): { reason: unknown } | undefined {
    if (this.options?.signal?.aborted) return this.options.signal
    return this.options?.group?.abortedBy
  }

  /** From now on its signal is heard, and its group knows it. */
  join(): void {
    if (!this.options) return
    const { signal, group } = this.options
    group?.join(this)
    if (!signal) return
    this.#onSignal = () => this.abort(signal.reason)
    signal.addEventListener('abort', this.#onSignal, { once: true })
  }

  /** Its outcome is known: its signal has nothing more to say. */
  unhear(): void {
    if (this.#onSignal) this.options?.signal?.removeEventListener('abort', this.#onSignal)
    this.#onSignal = undefined
  }

  /** A new attempt: what broke off the one before says nothing of this one. */
  begin(): void {
    this.attempt += 1
    if (this.attempt === 1) return
    this.late = undefined
    this.#controller = undefined
    this.#cut = undefined
  }

  /** Breaks the attempt off: its run hears it, and a thread or a pause ends. */
  cut(reason: unknown): void {
    this.#cut ??= { reason }
    this.#controller?.abort(reason)
    this.interrupt?.()
  }

  /** What cut the attempt. */
  get cutBy(): { reason: unknown } | undefined {
    return this.#cut
  }

  abort(reason: unknown): void {
    this.#keeper.abort(this, reason)
  }

  #check({ priority, timeoutMs }: SubmitOptions): void {
    if (priority !== undefined && Number.isNaN(priority)) throw new RangeError('a priority is a number')
    checkTimeout(timeoutMs)
  }
}
