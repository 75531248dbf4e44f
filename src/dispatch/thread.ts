/** A worker's thread: one job in, one answer back; a thread that died is replaced when the next job comes. */

import { DispatchError } from './dispatch-error.ts'
import type { Task } from './task.ts'
import type { Work } from './worker.ts'
import { type ThreadAnswer, threadsModule, type WorkerThread } from './worker-threads.ts'

/** In the sources and in what is published, the same file with another ending. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './thread-entry.ts' : './thread-entry.js', import.meta.url)

/** Runs jobs with the `run` that a module exports. */
export class Thread<Job, Result> implements Work<Job, Result> {
  readonly #module: string
  #thread: WorkerThread | undefined
  #settle: ((answer: ThreadAnswer) => void) | undefined
  #isEnding = false

  constructor(module: URL | string) {
    this.#module = String(module)
  }

  async run(job: Job, task: Task<Job, Result>): Promise<Result> {
    // Also by a listener that heard of its begin.
    if (task.cutBy) throw task.cutBy.reason
    const thread = this.#thread ?? this.#spawn()
    // Nothing but the end of the thread ends what it computes. What it still says counts no more.
    task.interrupt = () => {
      this.#isEnding = true
      void thread.terminate()
    }
    const promise = new Promise<ThreadAnswer>((resolve) => {
      this.#settle = resolve
    })
    try {
      thread.postMessage({ job, attempt: task.attempt }, task.options?.transfer)
      const answer = await promise
      if (answer.kind === 'done') return answer.result as Result
      throw answer.error
    } finally {
      this.#settle = undefined
      task.interrupt = undefined
    }
  }

  /** A thread at a job keeps the process alive, one without does not. */
  wake(): void {
    this.#thread?.ref()
  }

  rest(): void {
    this.#thread?.unref()
  }

  async close(): Promise<void> {
    await this.#thread?.terminate()
  }

  #spawn(): WorkerThread {
    const { Worker } = threadsModule()
    const thread = new Worker(ENTRY, { workerData: { module: this.#module } })
    // An 'error' is always followed by 'exit', which does the work.
    let cause: unknown
    this.#isEnding = false
    thread.on('message', (answer) => {
      if (!this.#isEnding) this.#settle?.(answer as ThreadAnswer)
    })
    thread.on('messageerror', (error) => this.#settle?.({ kind: 'failed', error }))
    thread.on('error', (error) => {
      cause = error
    })
    thread.on('exit', (code) => {
      if (this.#thread === thread) this.#thread = undefined
      const why = cause instanceof Error ? cause.message : `exit code ${code}`
      const error = new DispatchError('thread-died', `the thread ended below the job: ${why}`, { cause })
      this.#settle?.({ kind: 'failed', error })
    })
    this.#thread = thread
    return thread
  }
}
