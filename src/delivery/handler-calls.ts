/** Calls of a function: so many at once, each tried until it succeeds or says that it never will, each within its time. */

import { Dispatcher } from '../dispatch/dispatcher.ts'
import type { JobContext } from '../dispatch/options.ts'
import type { Observer } from '../observe/events.ts'
import type { Platform } from '../platform/platform.ts'
import { deadReason, failureReason, type Handler, type HandlerContext } from './handler.ts'
import { Budget } from './turn.ts'

/** Pauses after a failure: up to 0.1 s after the first, up to 15 s in the end. */
const RETRY_PAUSE_MS = { first: 100, max: 15_000 }
/** How many calls may go on after their time was up, beside those that are heard; when there are more, no call begins. */
export const DEAF_CALLS_MAX = 1000

/** Something to give to the function. */
export interface Call {
  /** For the log. */
  readonly name: string
  readonly context: Omit<HandlerContext, 'attempt' | 'signal'>
  /** Made anew for each attempt: what a function has changed is its own. */
  payloads(): unknown[]
  /** The function has taken it. */
  taken(): void
  /** The function never will. */
  condemned(reason: string, attempts: number): void
  /** Everything stops: it is given again after the next start. */
  dropped(): void
}

/** How calls fare. */
export interface CallCounts {
  running: number
  /** Of those, how many have failed and wait for another attempt, or are at one. */
  failing: number
  /** Attempts after one that failed, since the start. */
  retried: number
}

/** What calling needs. */
export interface CallOptions {
  /** How many at once. */
  callsMax: number
  /** The longest an attempt may take. */
  timeoutMs: number
}

/** All calls of a function. */
export class HandlerCalls {
  readonly #handler: Handler<unknown>
  readonly #callsMax: number
  readonly #dispatcher: Dispatcher<Call>
  readonly #going: Budget
  readonly #failing = new Map<Call, string>()

  constructor(handler: Handler<unknown>, { callsMax, timeoutMs }: CallOptions, platform: Platform, observe: Observer) {
    this.#handler = handler
    this.#callsMax = callsMax
    this.#going = new Budget(callsMax + DEAF_CALLS_MAX)
    this.#dispatcher = new Dispatcher<Call>({
      workers: callsMax,
      queue: 0,
      run: (call, context) => this.#run(call, context),
      timeoutMs,
      timers: platform.clock,
      onError: (error, { job: call, attempt }) => {
        const longestMs = Math.min(RETRY_PAUSE_MS.max, RETRY_PAUSE_MS.first * 2 ** Math.min(attempt - 1, 30))
        const pauseMs = platform.random.unit() * longestMs
        const reason = failureReason(error)
        this.#failing.set(call, reason)
        observe({ kind: 'delivery-retry', object: call.name, reason, attempt, pauseMs })
        return { retryAfterMs: pauseMs }
      },
    })
    this.#dispatcher.on('aborted', ({ job: call }) => {
      this.#failing.delete(call)
      call.dropped()
    })
  }

  /** Resolves as soon as the call has begun; with false when everything stops. */
  begin(call: Call): Promise<boolean> {
    return this.#dispatcher.put(call)
  }

  /** Why nothing gets through; undefined when something may. */
  get stuck(): string | undefined {
    if (this.#failing.size < this.#callsMax) return undefined
    const [[call, reason] = []] = this.#failing
    return `all of ${this.#callsMax} calls at once have failed and are tried again, ${call?.name}: ${reason}`
  }

  get counts(): CallCounts {
    const { running, retried } = this.#dispatcher.counters
    return { running, failing: this.#failing.size, retried }
  }

  /** Tells all calls to end, and waits for none of them. */
  stop(): Promise<void> {
    return this.#dispatcher.stop({ drain: false })
  }

  async #run(call: Call, { signal, attempt }: JobContext): Promise<void> {
    const cut = cutBy(signal)
    // A function that doesn't hear the signal goes on: how many of those there may be is bounded here.
    const room = this.#going.take(1)
    await Promise.race([room, cut]).catch((reason) => {
      void room.then(() => this.#going.give(1))
      throw reason
    })
    const work = this.#call(call, { ...call.context, attempt, signal }).finally(() => this.#going.give(1))
    // Nobody hears of what comes of it when it was cut.
    work.catch(() => {})
    try {
      await Promise.race([work, cut])
    } catch (error) {
      const reason = signal.aborted ? undefined : deadReason(error)
      if (reason === undefined) throw error
      this.#failing.delete(call)
      call.condemned(reason, attempt)
      return
    }
    this.#failing.delete(call)
    call.taken()
  }

  /** Also what it throws before its promise is an error like any other. */
  async #call(call: Call, context: HandlerContext): Promise<void> {
    await this.#handler(call.payloads(), context)
  }
}

/** Rejects when the signal aborts. */
function cutBy(signal: AbortSignal): Promise<never> {
  return new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    if (signal.aborted) reject(signal.reason)
  })
}
