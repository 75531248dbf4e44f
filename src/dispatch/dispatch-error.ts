/** What goes wrong in dispatching itself, as one error with a code; what a job throws passes through untouched. */

/**
 * - `stopped`: the dispatcher takes no more, or dropped the job when it was stopped.
 * - `waiting-full`: as many wait in `submit` and `put` as may.
 * - `timeout`: an attempt took longer than `timeoutMs`.
 * - `thread-died`: the thread ended below the job; `cause` says why.
 * - `no-threads`: `run` is a module, and this runtime has no `node:worker_threads`.
 */
export type DispatchErrorCode = 'stopped' | 'waiting-full' | 'timeout' | 'thread-died' | 'no-threads'

/** An error of the dispatcher's own. */
export class DispatchError extends Error {
  override readonly name = 'DispatchError'
  readonly code: DispatchErrorCode

  constructor(code: DispatchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
