/** Simulated time: what is to happen, in order, and a digest of all that did, so that two runs can be compared. */

import type { Clock, Timer } from '../../src/platform/clock.ts'
import { type Seeded, seeded } from '../seeded.ts'

/** What a run found wrong: a promise that wasn't kept. */
export class Breach extends Error {}

/** Something that lives until it's ended: a process, or one of its threads. Nothing of it happens after that. */
export interface Strand {
  readonly name: string
  dead: boolean
}

interface Due {
  atMs: number
  order: number
  strand: Strand | undefined
  /** What it returns is waited for before anything else happens: work of real threads ends so. */
  run: (() => void | Promise<void>) | undefined
}

/** The time that a run starts at. */
const WALL_START_MS = Date.UTC(2026, 10, 21, 1, 30)

/** One run's time, randomness and log. */
export class World {
  /** Steady time since the run's start. */
  nowMs = 0
  /** What the wall clock is off by. */
  wallOffsetMs = 0
  readonly random: Seeded
  readonly breaches: string[] = []
  /** How often what happened, for the summary. */
  readonly counts = new Map<string, number>()
  readonly #print: ((line: string) => void) | undefined
  readonly #due: Due[] = []
  #order = 0
  #digest = 0

  constructor(seed: number, print?: (line: string) => void) {
    this.random = seeded(seed)
    this.#print = print
  }

  /** The same for the same events in the same order at the same times. */
  get digest(): number {
    return this.#digest
  }

  get wallMs(): number {
    return Math.floor(WALL_START_MS + this.nowMs + this.wallOffsetMs)
  }

  /** Randomness of its own for a part, so that parts don't shift each other's. */
  fork(): Seeded {
    return seeded(this.random.below(2 ** 32))
  }

  log(line: string): void {
    const text = `${this.nowMs.toFixed(3)} ${line}`
    this.#digest = Bun.hash.xxHash32(text, this.#digest)
    this.#print?.(text)
  }

  count(what: string, times = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + times)
  }

  /** Notes a promise that wasn't kept; the run ends with the first. */
  breach(message: string): void {
    this.log(`BREACH ${message}`)
    this.breaches.push(message)
  }

  stopAtBreach(): void {
    if (this.breaches.length > 0) throw new Breach(this.breaches[0])
  }

  /** Runs `run` after `delayMs`, unless the strand has ended before. */
  after(delayMs: number, run: () => void | Promise<void>, strand?: Strand): Timer {
    const due: Due = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, strand, run }
    pushDue(this.#due, due)
    return {
      cancel() {
        due.run = undefined
      },
    }
  }

  /** Lets things happen until `isOver`, looking with `check` after each. */
  async runUntil(isOver: () => boolean, check = () => {}): Promise<void> {
    for (;;) {
      // All the code under test does between two events, it does in microtasks.
      await new Promise((resolve) => setImmediate(resolve))
      check()
      this.stopAtBreach()
      if (isOver()) return
      const next = popDue(this.#due)
      if (!next) throw new Breach('nothing is left to happen, and the end has not come')
      if (!next.run || next.strand?.dead) continue
      this.nowMs = next.atMs
      const ended = next.run()
      if (ended) await ended
    }
  }

  /** The clock as a strand sees it. A strand that has ended waits for ever. */
  clockOf(strand: Strand): Clock {
    const bootMs = this.nowMs
    const after = (delayMs: number, callback: () => void) => this.after(delayMs, callback, strand)
    return {
      nowMs: () => this.wallMs,
      monotonicMs: () => this.nowMs - bootMs,
      after,
      sleep(delayMs, signal) {
        if (signal?.aborted) return Promise.resolve()
        return new Promise((resolve) => {
          const wake = () => {
            timer.cancel()
            signal?.removeEventListener('abort', wake)
            resolve()
          }
          const timer = after(delayMs, wake)
          signal?.addEventListener('abort', wake, { once: true })
        })
      },
    }
  }
}

/** A duration between two, all magnitudes as likely as each other. */
export function magnitude(random: Seeded, least: number, most: number): number {
  return least * (most / least) ** random.unit()
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** A binary heap: the next thing due is `heap[0]`. */
function pushDue(heap: Due[], due: Due): void {
  let at = heap.length
  heap.push(due)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(due, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = due
}

function popDue(heap: Due[]): Due | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (!first || !last || heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = at * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}
