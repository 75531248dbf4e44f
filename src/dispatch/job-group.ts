/** A group of jobs that finish together: one place to wait for all of them, and to abort what is left. */

/** A job as its group sees it. */
export interface Member {
  abort(reason: unknown): void
}

/** What a group does beside counting. */
export interface JobGroupOptions {
  /** The first that is given up aborts the others. */
  abortOnError?: boolean | undefined
}

/** Jobs given to a dispatcher (or to several) with `{ group }`. It holds those that have not ended, and no results. */
export class JobGroup {
  readonly #members = new Set<Member>()
  readonly #abortOnError: boolean
  #done = 0
  #failed = 0
  #aborted = 0
  #error: { error: unknown } | undefined
  #abortedBy: { reason: unknown } | undefined
  #waiting: { promise: Promise<void>; resolve: () => void } | undefined

  constructor({ abortOnError = false }: JobGroupOptions = {}) {
    this.#abortOnError = abortOnError
  }

  /** How many have not ended, and how the others did. */
  get counters(): { left: number; done: number; failed: number; aborted: number } {
    return { left: this.#members.size, done: this.#done, failed: this.#failed, aborted: this.#aborted }
  }

  /** Why it takes no more; undefined as long as it does. */
  get abortedBy(): { reason: unknown } | undefined {
    return this.#abortedBy
  }

  /** Resolves when every job given so far has ended and left its worker; rejects then with the first error. */
  async finish(): Promise<void> {
    while (this.#members.size > 0) {
      this.#waiting ??= waiter()
      await this.#waiting.promise
    }
    if (this.#error) throw this.#error.error
  }

  /** Drops those that have not begun, aborts those that run, and takes no more. */
  abort(reason: unknown = new DOMException('The group was aborted', 'AbortError')): void {
    this.#abortedBy ??= { reason }
    for (const member of this.#members) member.abort(reason)
  }

  /** The dispatcher's: a job is given. */
  join(member: Member): void {
    this.#members.add(member)
  }

  /** The dispatcher's: how a job ended. */
  count(outcome: 'done' | 'failed' | 'aborted', error?: unknown): void {
    if (outcome === 'done') this.#done += 1
    else if (outcome === 'aborted') this.#aborted += 1
    else {
      this.#failed += 1
      this.#error ??= { error }
      if (this.#abortOnError) this.abort(error)
    }
  }

  /** The dispatcher's: a job holds no worker and no room any more, or was not accepted. */
  leave(member: Member): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

function waiter(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
