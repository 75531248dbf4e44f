/** A dispatcher whose jobs end when a test says so, and that writes down what happens in the order it happens. */

import { Dispatcher } from '../../src/dispatch/dispatcher.ts'
import type { DispatcherOptions, JobContext } from '../../src/dispatch/options.ts'
import { FakeClock, quiet } from '../memory-platform.ts'

interface Held {
  context: JobContext
  end(result?: string): void
  fail(error: unknown): void
}

/** Jobs are strings; the result of `a` is `a!` unless the test says otherwise. */
export class HeldJobs {
  readonly clock = new FakeClock()
  readonly dispatcher: Dispatcher<string, string>
  readonly running = new Map<string, Held>()
  readonly begun: string[] = []
  readonly log: string[] = []
  /** The most that ever ran at once. */
  most = 0

  constructor(workers: number, queue: number, options: Partial<DispatcherOptions<string, string>> = {}) {
    const run = (job: string, context: JobContext) => {
      this.begun.push(job)
      return new Promise<string>((resolve, reject) => {
        const leave = () => this.running.delete(job)
        this.running.set(job, {
          context,
          end: (result = `${job}!`) => {
            leave()
            resolve(result)
          },
          fail: (error) => {
            leave()
            reject(error)
          },
        })
        this.most = Math.max(this.most, this.running.size)
      })
    }
    this.dispatcher = new Dispatcher({ workers, queue, run, timers: this.clock, ...options })
  }

  /** Ends a job that runs. */
  async end(...jobs: string[]): Promise<void> {
    for (const job of jobs) this.held(job).end()
    await quiet()
  }

  async fail(job: string, error: unknown = new Error(`${job} broke`)): Promise<void> {
    this.held(job).fail(error)
    await quiet()
  }

  held(job: string): Held {
    const held = this.running.get(job)
    if (!held) throw new Error(`${job} doesn't run`)
    return held
  }

  /** Writes down what becomes of a promise. */
  note(name: string, promise: Promise<unknown> | undefined): void {
    if (!promise) this.log.push(`${name}: no`)
    promise?.then(
      (value) => this.log.push(`${name}: ${value}`),
      (error: unknown) => this.log.push(`${name}: ✗ ${(error as Error).message}`),
    )
  }

  /** Gives jobs with `submit`, and writes down how they end. */
  submit(...jobs: string[]): void {
    for (const job of jobs) this.note(job, this.dispatcher.submit(job))
  }

  /** The counters that aren't 0. */
  get counters(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.dispatcher.counters).filter(([, count]) => count !== 0))
  }
}
