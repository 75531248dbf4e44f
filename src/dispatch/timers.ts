/** Timers as an argument: timeouts and pauses go through these, so that a test moves time by hand. */

/** What the dispatcher needs of a clock. */
export interface Timers {
  /** Runs `callback` once, `delayMs` from now; `cancel` is idempotent. */
  after(delayMs: number, callback: () => void): { cancel(): void }
}

/** The longest that a runtime's timer can wait; beyond it, one would end at once. */
export const DELAY_MS_MAX = 2 ** 31 - 1

/** The runtime's own. */
export const systemTimers: Timers = {
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(handle) }
  },
}
