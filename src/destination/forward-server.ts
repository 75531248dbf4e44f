/**
 * One of the servers that objects are forwarded to: whether it takes any now. One that fails gets none for a while that
 * grows, and comes back once `GET /readyz` says so; one that asks for a pause gets it.
 */

import type { Platform } from '../platform/platform.ts'
import { readStart } from './attempt.ts'
import { judgeForward, judgeNoAnswer } from './forward-answer.ts'

/** How often a server is asked how it is, while there is something to send. */
export const CHECK_MS = 5000
/** How long its answer may take. */
export const CHECK_MS_MAX = 2000
/** How long it gets nothing after a failure: so long at first, doubled up to the most, half of it by chance. */
export const EJECTED_MS = { first: 500, max: 10_000 }
/** How long it is left alone when it says that it is busy, and not for how long; and when it says so, at the most. */
const REST_MS = { usual: 1000, max: 60_000 }

/** A server, as one thread sees it. */
export class ForwardServer {
  readonly url: string
  /** Objects that it is being sent. */
  inFlight = 0
  /** Why it isn't open. */
  reason = 'it was not asked yet'
  readonly #platform: Platform
  #isWell = false
  #failures = 0
  #checkAtMs = Number.NEGATIVE_INFINITY
  #restsUntilMs = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined

  constructor(url: string, platform: Platform) {
    this.url = url
    this.#platform = platform
  }

  /** Whether it takes objects, as far as is known. */
  get isOpen(): boolean {
    return this.#isWell && this.restMs <= 0
  }

  /** For how long it still wants to be left alone; not a number for one that doesn't answer as it should. */
  get restMs(): number {
    return this.#isWell ? this.#restsUntilMs - this.#nowMs : Number.NaN
  }

  /** Asks how it is, where that is due. What is under way resolves when it is known. */
  check(): Promise<void> | undefined {
    if (this.#nowMs < this.#checkAtMs) return this.#checking
    this.#checking ??= this.#ask().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  /** It has kept an object. */
  succeeded(): void {
    this.#failures = 0
  }

  /** It doesn't answer as it should. */
  failed(reason: string): void {
    this.reason = reason
    this.#isWell = false
    const pauseMs = Math.min(EJECTED_MS.max, EJECTED_MS.first * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    this.#checkAtMs = this.#nowMs + pauseMs * (0.5 + this.#platform.random.unit() / 2)
  }

  /** It answers, and takes nothing now. */
  rests(reason: string, ms = REST_MS.usual): void {
    this.reason = reason
    this.#restsUntilMs = this.#nowMs + Math.min(ms, REST_MS.max)
  }

  async #ask(): Promise<void> {
    const late = new AbortController()
    const timer = this.#platform.clock.after(CHECK_MS_MAX, () => late.abort())
    try {
      const response = await fetch(`${this.url}/readyz`, { redirect: 'manual', signal: late.signal })
      const { status, headers } = response
      const text = await readStart(response)
      const verdict = judgeForward({ status, headers, text })
      const isReady = status === 200 && text.startsWith('{"status":"ready"')
      const isRed = status === 503 && text.includes('urn:problem:millrace:')
      if (!isReady && !isRed) return this.failed(`${status} at /readyz, and not as a Millrace says it`)
      this.#isWell = true
      this.#checkAtMs = this.#nowMs + CHECK_MS
      const pauseMs = verdict.kind === 'refused' ? verdict.retryAfterMs : undefined
      if (verdict.kind !== 'kept' && isRed) this.rests(verdict.reason, pauseMs ?? CHECK_MS + CHECK_MS_MAX)
    } catch (error) {
      const verdict = judgeNoAnswer(error)
      const isLate = late.signal.aborted
      this.failed(isLate ? `no answer within ${CHECK_MS_MAX / 1000} s` : verdict.kind === 'kept' ? '' : verdict.reason)
    } finally {
      timer.cancel()
    }
  }

  get #nowMs(): number {
    return this.#platform.clock.monotonicMs()
  }
}
