/**
 * Load that rises step by step: in each step requests are due at a constant rate, whatever became of those before. Latency counts
 * from when a request was due. Connections stay open from step to step; a request that found none idle by the end of its step is
 * given up, as clients do.
 */

import type { RecordableHistogram } from 'node:perf_hooks'
import type { Clock } from '../platform/clock.ts'
import { type Connection, openConnections, requestOf, send } from './connections.ts'
import { newHistogram, percentileMs, recordMs } from './latency.ts'

const TICK_MS = 1
/** How many requests can be under way. */
const CONNECTIONS = 256
/** Fills a payload up to the size of a usual one, about 250 bytes. */
const FILLING = 'a payload is as long as a small event of a telemetry client usually is, with a few members. '.repeat(2)

/** What a step came to. */
export interface StepLoad {
  /** Requests answered with 2xx within the step. */
  acked: number
  p50Ms: number
  p99Ms: number
}

interface Sent {
  id: number
  dueMs: number
  /** Where its latency belongs; another step's is counted already. */
  latency: RecordableHistogram
}

/** Posts payloads, each with an id of its own. */
export class Load implements Disposable {
  /** The ids of the payloads that were answered with 2xx. */
  readonly acked: number[] = []
  readonly #url: string
  readonly #clock: Clock
  readonly #idle: Connection[] = []
  readonly #underWay = new Map<Connection, Sent>()
  #connections: readonly Connection[] = []
  #latency = newHistogram()
  /** When the requests were due that found no idle connection, and how many of them went since. */
  #waiting: number[] = []
  #waitingGone = 0
  #nextId = 0
  #whenQuiet: (() => void) | undefined

  private constructor(url: string, clock: Clock) {
    this.#url = url
    this.#clock = clock
  }

  /** Opens the connections. */
  static async open(url: string, clock: Clock): Promise<Load> {
    const load = new Load(url, clock)
    load.#connections = await openConnections(url, CONNECTIONS, {
      answered: (connection, status) => load.#answered(connection, status),
      gone: (connection) => load.#lost(connection),
    })
    load.#idle.push(...load.#connections)
    return load
  }

  /** Posts at this rate for so long. */
  async step(perSecond: number, durationMs: number): Promise<StepLoad> {
    const latency = newHistogram()
    this.#latency = latency
    const ackedBefore = this.acked.length
    await this.#keepSchedule(perSecond, durationMs)
    this.#countUnanswered()
    const ms = (percentile: number) => percentileMs(latency, percentile)
    return { acked: this.acked.length - ackedBefore, p50Ms: ms(50), p99Ms: ms(99) }
  }

  /**
   * Resolves when nothing is under way: all is answered, or its connection is gone. Between steps only. A connection on which
   * nothing was ever sent tells nobody that its server is gone: Linux may not have handed it to the server yet.
   */
  async quiet(): Promise<void> {
    if (this.#underWay.size === 0) return
    await new Promise<void>((resolve) => {
      this.#whenQuiet = resolve
    })
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#connections) socket.end()
  }

  /** Hands on what is due, once a tick, until the time is over. */
  async #keepSchedule(perSecond: number, durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const beginMs = this.#clock.monotonicMs()
    const planned = Math.round((perSecond * durationMs) / 1000)
    const gapMs = 1000 / perSecond
    let next = 0
    const tick = () => {
      const nowMs = this.#clock.monotonicMs()
      for (; next < planned && beginMs + next * gapMs <= nowMs; next++) this.#due(beginMs + next * gapMs)
      if (nowMs - beginMs < durationMs) this.#clock.after(TICK_MS, tick)
      else resolve()
    }
    tick()
    await promise
  }

  /** What has no answer yet has waited for at least so long. */
  #countUnanswered(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const { dueMs, latency } of this.#underWay.values()) {
      if (latency === this.#latency) recordMs(latency, nowMs - dueMs)
    }
    for (const dueMs of this.#waiting.slice(this.#waitingGone)) recordMs(this.#latency, nowMs - dueMs)
    this.#waiting = []
    this.#waitingGone = 0
    // From here on nothing of this step is recorded.
    this.#latency = newHistogram()
  }

  #due(dueMs: number): void {
    const connection = this.#idle.pop()
    if (connection) this.#send(connection, dueMs)
    else this.#waiting.push(dueMs)
  }

  #send(connection: Connection, dueMs: number): void {
    const id = this.#nextId++
    this.#underWay.set(connection, { id, dueMs, latency: this.#latency })
    send(connection, requestOf(this.#url, bodyOf(id)))
  }

  #answered(connection: Connection, status: number): void {
    const sent = this.#underWay.get(connection)
    this.#underWay.delete(connection)
    if (sent && status >= 200 && status < 300) {
      this.acked.push(sent.id)
      if (sent.latency === this.#latency) recordMs(sent.latency, this.#clock.monotonicMs() - sent.dueMs)
    }
    const dueMs = this.#waiting[this.#waitingGone]
    if (dueMs === undefined) {
      this.#idle.push(connection)
      this.#tellIfQuiet()
      return
    }
    this.#waitingGone += 1
    this.#send(connection, dueMs)
  }

  #lost(connection: Connection): void {
    this.#underWay.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#tellIfQuiet()
  }

  #tellIfQuiet(): void {
    if (this.#underWay.size === 0) this.#whenQuiet?.()
  }
}

/** A collection with one payload. */
function bodyOf(id: number): string {
  return JSON.stringify({ version: '1', token: 'designs', data: [{ id, kind: 'event', text: FILLING }] })
}
