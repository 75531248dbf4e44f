/** What of `node:worker_threads` is used, loaded when it first is: a browser has none, and needs none for functions. */

import { DispatchError } from './dispatch-error.ts'

/** A thread as its parent sees it. */
export interface WorkerThread {
  postMessage(message: unknown, transfer?: readonly object[]): void
  on(event: 'message' | 'messageerror' | 'error' | 'exit', listener: (value: unknown) => void): void
  ref(): void
  unref(): void
  terminate(): Promise<number>
}

/** The module. */
export interface WorkerThreads {
  Worker: new (entry: URL, options: { workerData: ThreadData }) => WorkerThread
  parentPort: Pick<WorkerThread, 'postMessage' | 'on'> | null
  workerData: ThreadData
}

/** What a thread is told at its start. */
export interface ThreadData {
  /** The URL of the module whose `run` it calls. */
  module: string
}

/** What a thread is asked. */
export interface ThreadQuestion {
  job: unknown
  attempt: number
}

/** What it says. */
export type ThreadAnswer = { kind: 'done'; result: unknown } | { kind: 'failed'; error: unknown }

/** What a run in a thread knows beside its job. */
export interface ThreadContext {
  /** 1 for the first. */
  readonly attempt: number
  /** Names what of the result moves to the other side instead of being copied. */
  transfer(...objects: object[]): void
}

/** The module, or an error where there is none. Not an `import`: bundlers for browsers would want to resolve it. */
export function threadsModule(): WorkerThreads {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }
  const threads = process?.getBuiltinModule?.('node:worker_threads')
  if (!threads) throw new DispatchError('no-threads', 'run is a module, and this runtime has no node:worker_threads')
  return threads as WorkerThreads
}
