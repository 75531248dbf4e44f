/** The clock: the only place that reads time or waits, so that tests and the simulator can replace it. */

/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

/** Time as the rest of the program sees it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970 UTC. May jump in either direction. */
  nowMs(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number
  /** Runs `callback` once, `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer
  /** Resolves after `delayMs`, or as soon as `signal` aborts (it never rejects: look at the signal). */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(handle) }
  },
  sleep(delayMs, signal) {
    if (signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(handle)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const handle = setTimeout(wake, delayMs)
      signal?.addEventListener('abort', wake, { once: true })
    })
  },
}
