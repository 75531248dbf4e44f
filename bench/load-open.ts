/**
 * Open-loop load: requests are due at a constant rate, whatever became of those before. Latency counts from when a request
 * was due, so that a server (or this generator) that stalls can't hide the ones that should have been sent meanwhile.
 */

import { type Connection, openConnections, send } from '../src/designs/connections.ts'
import { newHistogram, recordMs } from '../src/designs/latency.ts'
import { type Clock, systemClock } from '../src/platform/clock.ts'
import { requestsOf } from './requests.ts'

/** What to post, where, and how often. */
export interface OpenLoad {
  url: string
  /** A file of bodies, one a line. */
  bodies: string
  connections: number
  postsPerSecond: number
  warmupSeconds: number
  seconds: number
}

/** What came of it, without the warm-up. */
export interface OpenOutcome {
  postsPerSecond: number
  p50Ms: number
  p99Ms: number
  p999Ms: number
  maxMs: number
  /** By how much the generator itself was late: 99 of 100 requests were handed on no later than this. */
  generatorLateP99Ms: number
  /** The share of one core that the generator took. */
  generatorCores: number
  /** Answers that were not 2xx. */
  refused: number
  /** Requests without an answer. */
  broken: number
}

/** More than this and the generator's own lateness, not the server, makes the tail. */
export const GENERATOR_LATE_MS_MAX = 3
/** How long the last answers may take. */
const ANSWERS_MS_MAX = 10_000
const TICK_MS = 1
/** Posts for the whole time and waits for the answers. */
export async function openLoad(load: OpenLoad, clock: Clock = systemClock): Promise<OpenOutcome> {
  const generator = new Generator(load, clock)
  return await generator.run()
}

class Generator {
  readonly #load: OpenLoad
  readonly #clock: Clock
  readonly #latency = newHistogram()
  readonly #late = newHistogram()
  readonly #requests: Buffer[]
  readonly #idle: Connection[] = []
  /** Requests that are due and found no idle connection: the moments when they were due, and how many of them went since. */
  #waiting: number[] = []
  #waitingGone = 0
  #sent = 0
  #underWay = 0
  #recordFromMs = 0
  #refused = 0
  #broken = 0
  /** Told when nothing is under way. */
  #whenQuiet: (() => void) | undefined

  constructor(load: OpenLoad, clock: Clock) {
    this.#load = load
    this.#clock = clock
    this.#requests = requestsOf(load.url, load.bodies)
  }

  async run(): Promise<OpenOutcome> {
    const { url, connections, warmupSeconds, seconds, postsPerSecond } = this.#load
    const all = await openConnections(url, connections, {
      answered: (connection, status) => this.#answered(connection, status),
      gone: (connection) => this.#gone(connection),
    })
    this.#idle.push(...all)
    const cpuBefore = process.cpuUsage()
    const beginMs = this.#clock.monotonicMs()
    this.#recordFromMs = beginMs + warmupSeconds * 1000
    const planned = Math.round(postsPerSecond * (warmupSeconds + seconds))
    await this.#keepSchedule(beginMs, planned)
    const { user, system } = process.cpuUsage(cpuBefore)
    const tookMs = this.#clock.monotonicMs() - beginMs
    await this.#lastAnswers()
    const unanswered = this.#underWay + this.#waiting.length - this.#waitingGone
    const ms = (percentile: number) => this.#latency.percentile(percentile) / 1000
    const outcome = {
      postsPerSecond: this.#latency.count / seconds,
      p50Ms: ms(50),
      p99Ms: ms(99),
      p999Ms: ms(99.9),
      maxMs: this.#latency.max / 1000,
      generatorLateP99Ms: this.#late.percentile(99) / 1000,
      generatorCores: (user + system) / 1000 / tookMs,
      refused: this.#refused,
      broken: this.#broken + unanswered,
    }
    for (const { socket } of all) socket.end()
    return outcome
  }

  /** Hands on every request that is due, once a tick, until all were. */
  async #keepSchedule(beginMs: number, planned: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const gapMs = 1000 / this.#load.postsPerSecond
    let next = 0
    const tick = () => {
      const nowMs = this.#clock.monotonicMs()
      for (; next < planned; next++) {
        const dueMs = beginMs + next * gapMs
        if (dueMs > nowMs) break
        if (dueMs >= this.#recordFromMs) recordMs(this.#late, nowMs - dueMs)
        this.#due(dueMs)
      }
      if (next < planned) this.#clock.after(TICK_MS, tick)
      else resolve()
    }
    tick()
    await promise
  }

  async #lastAnswers(): Promise<void> {
    if (this.#underWay === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.after(ANSWERS_MS_MAX, resolve)
    this.#whenQuiet = resolve
    await promise
    timer.cancel()
  }

  #due(dueMs: number): void {
    const connection = this.#idle.pop()
    if (connection) this.#send(connection, dueMs)
    else this.#waiting.push(dueMs)
  }

  #send(connection: Connection, dueMs: number): void {
    connection.dueMs = dueMs
    this.#underWay += 1
    send(connection, this.#requests[this.#sent++ % this.#requests.length] as Buffer)
  }

  #answered(connection: Connection, status: number): void {
    this.#underWay -= 1
    if (connection.dueMs >= this.#recordFromMs) {
      if (status >= 200 && status < 300) recordMs(this.#latency, this.#clock.monotonicMs() - connection.dueMs)
      else this.#refused += 1
    }
    const dueMs = this.#waiting[this.#waitingGone]
    if (dueMs === undefined) {
      this.#idle.push(connection)
      if (this.#underWay === 0) this.#whenQuiet?.()
      return
    }
    this.#waitingGone += 1
    if (this.#waitingGone === this.#waiting.length) {
      this.#waiting = []
      this.#waitingGone = 0
    }
    this.#send(connection, dueMs)
  }

  #gone(connection: Connection): void {
    if (connection.isBusy) {
      this.#underWay -= 1
      this.#broken += 1
      if (this.#underWay === 0) this.#whenQuiet?.()
    }
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}
