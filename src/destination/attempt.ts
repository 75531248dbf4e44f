/** One attempt at a destination that is asked by HTTP: how long it may take, what ends it, and how much of an answer is read. */

import type { Clock, Timer } from '../platform/clock.ts'

/** How long one attempt may take: this, and as much again for each MiB as a slow, shared line needs. */
export const ATTEMPT_MS = 60_000
/** 205 KiB/s. A line slower than this for each object under way would never land anything. */
export const ATTEMPT_MS_PER_MIB = 5_000
/** How much of an answer's body is read. Errors have a few hundred bytes. */
export const ANSWER_BYTES_MAX = 16 * 1024

/** How long an attempt to put or read `bytes` may take. */
export function attemptMsMax(bytes: number): number {
  return ATTEMPT_MS + Math.ceil((bytes / 2 ** 20) * ATTEMPT_MS_PER_MIB)
}

/** One attempt's end: by the caller's signal or by its own time, whichever comes first. */
export class Attempt {
  endedBy: 'caller' | 'time' | undefined
  #limitMs: number
  #timer: Timer
  readonly #clock: Clock
  readonly #controller = new AbortController()
  readonly #caller: AbortSignal
  readonly #callerAborted = () => this.#end('caller')

  constructor(clock: Clock, caller: AbortSignal, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#caller = caller
    this.#timer = clock.after(limitMs, () => this.#end('time'))
    if (caller.aborted) this.#end('caller')
    else caller.addEventListener('abort', this.#callerAborted, { once: true })
  }

  /** Begins its time anew, with as much as `bytes` need. */
  giveTimeFor(bytes: number): void {
    this.#timer.cancel()
    this.#limitMs = attemptMsMax(bytes)
    this.#timer = this.#clock.after(this.#limitMs, () => this.#end('time'))
  }

  /** Why it ended, for people. */
  get ending(): string {
    return this.endedBy === 'caller'
      ? 'given up, since the program is stopping'
      : `no answer within ${this.#limitMs / 1000} s`
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The promise's value, or undefined when the attempt ends before it. */
  orEnded<T>(promise: Promise<T>): Promise<T | undefined> {
    if (this.signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      this.signal.addEventListener('abort', () => resolve(undefined), { once: true })
      promise.then(resolve, reject)
    })
  }

  /** Lets go of the caller's signal, which lives as long as the program, and of the timer. */
  close(): void {
    this.#timer.cancel()
    this.#caller.removeEventListener('abort', this.#callerAborted)
  }

  #end(by: 'caller' | 'time'): void {
    this.endedBy ??= by
    this.#controller.abort()
  }
}

/** The start of an answer's body; its connection is freed, of a long one by closing. */
export async function readStart(response: Response): Promise<string> {
  if (response.headers.get('content-length') === '0') return ''
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (let bytes = 0; bytes < ANSWER_BYTES_MAX; ) {
      const chunk = await reader?.read()
      if (chunk?.value === undefined) break
      bytes += chunk.value.length
      text += decoder.decode(chunk.value, { stream: true })
    }
    await reader?.cancel()
  } catch {
    // The status has arrived, and it says enough.
  }
  return text.slice(0, ANSWER_BYTES_MAX)
}
