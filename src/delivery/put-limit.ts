/**
 * How many puts may be under way at once: fewer when the destination throttles or its answers become slow, more again while
 * they come as they usually do. Additive increase, multiplicative decrease, judged once for each round of answers.
 */

import type { Clock, Timer } from '../platform/clock.ts'

/** Where all threads together begin, if they may be that high. As many connections are kept open by the runtime when they idle. */
export const LIMIT_AT_START = 64
/** Answers that come sooner say nothing of the destination, and more puts at once would only wait in this process. */
export const QUICK_MS = 10
/** A round whose answers take so many times as long as usual is congestion. */
export const SLOW_FACTOR = 2
/** What is left of the limit after a throttled answer, and after a slow round. */
export const LEFT_WHEN_THROTTLED = 0.5
export const LEFT_WHEN_SLOW = 0.8
/** What a round makes of the limit as long as nothing was ever met, and what it adds from then on. */
export const GROWTH_AT_START = 1.25
export const GROWTH_CAREFUL = 0.25
/** How many times as much a round has to store after a growth at the start; else nothing is gained by more at once. */
export const GAIN_LEAST = 1.1
/**
 * How many rounds above the start there are before the start is tried again: where it stores about as much, more at once
 * was for nothing. On a busy machine the growth at the start is easily deceived, and a limit that is too high slows itself.
 */
export const ROUNDS_BEFORE_TRIAL = 50
/** How much of what is usual comes from the last round. */
export const USUAL_SHARE = 0.1
/** Where even one put at a time is too much, nobody puts for this long, twice as long after each further refusal. */
export const FLOOR_PAUSE_MS = { first: 50, max: 5000 }
/** A destination that says when to come back is believed, up to this. */
export const RETRY_AFTER_MS_MAX = 60_000

/** What an answer says of the destination. */
export type PutResult =
  | { kind: 'stored'; bytes: number }
  /** It has too much to do, or didn't answer in time. */
  | { kind: 'throttled'; retryAfterMs: number | undefined }
  /** Neither; a destination that is away, refuses or had it already has nothing to do with how many ask. */
  | { kind: 'failed' }

/** A put that is under way. */
export interface PutTicket {
  readonly number: number
  readonly startedMs: number
}

/** What can be seen of it from outside. */
export interface PutCounts {
  inFlight: number
  limit: number
  /** How many answers were throttling. */
  throttled: number
}

/** Sizes that are a factor of four apart are usual with different latencies. */
interface SizeClass {
  usualMs: number
  roundMs: number
  roundPuts: number
}

/** The limit of one thread. */
export class PutLimit {
  readonly #clock: Clock
  readonly #max: number
  readonly #start: number
  readonly #onChange: (counts: PutCounts) => void
  #limit: number
  #hasMetSomething = false
  #hasThrottled = false
  /** What a growth at the start began with, until the round after it is judged. */
  #before = { limit: 0, putsPerMs: 0 }
  /** What the limit was and stored, while the start is tried again. */
  #trial: { limit: number; putsPerMs: number } | undefined
  #roundsAboveStart = 0
  #inFlight = 0
  #throttled = 0
  #tickets = 0
  /** Puts with lower numbers were begun before the limit was last lowered: what they meet was the same congestion. */
  #freshFrom = 0
  readonly #waiting: ((ticket: PutTicket) => void)[] = []
  readonly #classes = new Map<number, SizeClass>()
  #roundPuts = 0
  /** Whether somebody had to wait in this round: only a limit that is felt may grow. */
  #isFelt = false
  #resumeAtMs = Number.NEGATIVE_INFINITY
  /** The last pause at a limit of one; 0 while something is stored. */
  #floorPauseMs = 0
  #timer: Timer | undefined

  /** Never more than `max`, never less than 1; it begins at `start`. `onChange` hears of every change. */
  constructor(clock: Clock, max: number, onChange: (counts: PutCounts) => void = () => {}, start = LIMIT_AT_START) {
    this.#clock = clock
    this.#max = Math.max(1, max)
    this.#start = Math.min(this.#max, start)
    this.#limit = this.#start
    this.#onChange = onChange
    this.#report()
  }

  /** Waits until one more put may be under way. Whoever has the ticket says `done` with it. */
  take(): PutTicket | Promise<PutTicket> {
    if (this.#waiting.length === 0 && this.#hasRoom()) return this.#begin()
    this.#isFelt = true
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      // Perhaps there is no put under way whose end would let it begin, only a time that has to pass.
      this.#wake()
    })
  }

  /** A put is over. */
  done(ticket: PutTicket, result: PutResult): void {
    this.#inFlight -= 1
    if (result.kind === 'stored') this.#floorPauseMs = 0
    if (result.kind === 'throttled') this.#throttle(ticket, result.retryAfterMs)
    else if (result.kind === 'stored' && ticket.number >= this.#freshFrom) this.#measure(ticket, result.bytes)
    this.#wake()
    this.#report()
  }

  #throttle(ticket: PutTicket, retryAfterMs = 0): void {
    this.#throttled += 1
    if (ticket.number >= this.#freshFrom) {
      if (this.#limit <= 1)
        this.#floorPauseMs = Math.min(FLOOR_PAUSE_MS.max, this.#floorPauseMs * 2 || FLOOR_PAUSE_MS.first)
      this.#lower(LEFT_WHEN_THROTTLED)
    }
    const pauseMs = Math.max(this.#floorPauseMs, Math.min(retryAfterMs, RETRY_AFTER_MS_MAX))
    if (pauseMs > 0) this.#resumeAtMs = Math.max(this.#resumeAtMs, this.#clock.monotonicMs() + pauseMs)
  }

  #measure({ startedMs }: PutTicket, bytes: number): void {
    const latencyMs = this.#clock.monotonicMs() - startedMs
    const key = Math.floor(Math.log2(Math.max(1, bytes)) / 2)
    let size = this.#classes.get(key)
    if (!size) {
      size = { usualMs: Number.NaN, roundMs: 0, roundPuts: 0 }
      this.#classes.set(key, size)
    }
    size.roundMs += latencyMs
    size.roundPuts += 1
    this.#roundPuts += 1
    if (this.#roundPuts >= Math.floor(this.#limit)) this.#endRound()
  }

  #endRound(): void {
    const puts = this.#roundPuts
    let roundMs = 0
    let usualMs = 0
    for (const size of this.#classes.values()) {
      if (size.roundPuts === 0) continue
      const meanMs = size.roundMs / size.roundPuts
      if (Number.isNaN(size.usualMs)) size.usualMs = meanMs
      roundMs += size.roundMs
      usualMs += size.usualMs * size.roundPuts
      size.usualMs += (meanMs - size.usualMs) * USUAL_SHARE
    }
    const isQuick = roundMs < puts * QUICK_MS
    const isSlow = !isQuick && roundMs > usualMs * SLOW_FACTOR
    const mayGrow = this.#isFelt && !isSlow && (!isQuick || this.#limit < this.#start)
    const putsPerMs = (this.#limit * puts) / Math.max(roundMs, Number.MIN_VALUE)
    if (this.#trial) return this.#endTrial(this.#trial, putsPerMs)
    const hasGained = putsPerMs >= this.#before.putsPerMs * GAIN_LEAST
    if (isSlow) this.#lower(LEFT_WHEN_SLOW)
    else if (!hasGained) this.#takeBack()
    this.#before = { limit: 0, putsPerMs: 0 }
    if (mayGrow && hasGained) this.#grow(putsPerMs)
    this.#roundsAboveStart = this.#limit > this.#start && !isSlow ? this.#roundsAboveStart + 1 : 0
    if (this.#roundsAboveStart > ROUNDS_BEFORE_TRIAL) this.#beginTrial(putsPerMs)
    this.#beginRound()
  }

  #beginTrial(putsPerMs: number): void {
    this.#trial = { limit: this.#limit, putsPerMs }
    this.#roundsAboveStart = 0
    this.#limit = this.#start
    this.#before = { limit: 0, putsPerMs: 0 }
    this.#freshFrom = this.#tickets
  }

  #endTrial(trial: { limit: number; putsPerMs: number }, putsPerMs: number): void {
    this.#trial = undefined
    if (trial.putsPerMs >= putsPerMs * GAIN_LEAST) this.#limit = trial.limit
    else this.#hasMetSomething = true
    this.#beginRound()
  }

  #grow(putsPerMs: number): void {
    if (this.#limit >= this.#max) return
    const grown = this.#hasMetSomething ? this.#limit + GROWTH_CAREFUL : this.#limit * GROWTH_AT_START
    // The last step may be too small to gain that much.
    if (!this.#hasMetSomething && grown <= this.#max) this.#before = { limit: this.#limit, putsPerMs }
    this.#limit = Math.min(this.#max, grown)
  }

  /** More at once have only made each of them longer: what is scarce is on this machine. */
  #takeBack(): void {
    this.#limit = this.#before.limit
    this.#hasMetSomething = true
  }

  #lower(left: number): void {
    this.#limit = Math.max(1, this.#limit * left)
    this.#trial = undefined
    // Slowness passes or becomes usual: then it grows again as at the start. A destination that throttles stays one.
    this.#hasThrottled ||= left === LEFT_WHEN_THROTTLED
    this.#hasMetSomething = this.#hasThrottled
    this.#freshFrom = this.#tickets
    this.#beginRound()
  }

  #beginRound(): void {
    for (const size of this.#classes.values()) {
      size.roundMs = 0
      size.roundPuts = 0
    }
    this.#roundPuts = 0
    this.#isFelt = this.#waiting.length > 0
  }

  #hasRoom(): boolean {
    return this.#inFlight < Math.floor(this.#limit) && this.#clock.monotonicMs() >= this.#resumeAtMs
  }

  #begin(): PutTicket {
    this.#inFlight += 1
    const ticket = { number: this.#tickets++, startedMs: this.#clock.monotonicMs() }
    this.#report()
    return ticket
  }

  #wake(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#waiting.shift()?.(this.#begin())
    const pauseMs = this.#resumeAtMs - this.#clock.monotonicMs()
    if (this.#waiting.length === 0 || pauseMs <= 0 || this.#timer) return
    // Whole milliseconds: a rest that rounding leaves would be waited for without end.
    this.#timer = this.#clock.after(Math.ceil(pauseMs), () => {
      this.#timer = undefined
      this.#wake()
    })
  }

  #report(): void {
    this.#onChange({ inFlight: this.#inFlight, limit: Math.floor(this.#limit), throttled: this.#throttled })
  }
}
