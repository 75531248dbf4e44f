/** A machine in memory: a clock moved by hand, seeded randomness, and a disk that knows what a power loss would leave of it. */

import type { Clock, Timer } from '../src/platform/clock.ts'
import type { Platform } from '../src/platform/platform.ts'
import type { Random } from '../src/platform/random.ts'
import { MemoryFiles } from './memory-files.ts'

/** Resolves when nothing more happens unless the clock moves: all of this machine's work is done in microtasks. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Randomness that is the same for the same seed (mulberry32). */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.unit() * limit)
  }
}

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  readonly #timers = new Set<{ atMs: number; callback: () => void }>()
  #nowMs: number
  #steadyMs = 0

  constructor(nowMs = Date.UTC(2026, 10, 21, 1, 30)) {
    this.#nowMs = nowMs
  }

  nowMs = () => this.#nowMs
  monotonicMs = () => this.#steadyMs

  /** How many timers and sleeps are pending. */
  get pending(): number {
    return this.#timers.size
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#steadyMs + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel()
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = this.after(delayMs, wake)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  /** Lets `ms` pass; each timer runs at its time, and what follows from it happens before the next one. */
  async advance(ms: number): Promise<void> {
    await quiet()
    const endMs = this.#steadyMs + ms
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (!due) break
      this.#timers.delete(due)
      this.#pass(Math.max(0, due.atMs - this.#steadyMs))
      due.callback()
      await quiet()
    }
    this.#pass(endMs - this.#steadyMs)
  }

  /** Somebody sets the wall clock: no time passes. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  #pass(ms: number): void {
    this.#steadyMs += ms
    this.#nowMs += ms
  }
}

/** A machine in memory, the same for the same seed. */
export interface MemoryPlatform extends Platform {
  clock: FakeClock
  files: MemoryFiles
  random: SeededRandom
}

/** A fresh machine, or one with the disk of another. */
export function memoryPlatform(seed = 1, files = new MemoryFiles()): MemoryPlatform {
  return { clock: new FakeClock(), files, random: new SeededRandom(seed) }
}
