/** Randomness that a seed decides: a test that fails, fails again. */

import type { Random } from '../src/platform/random.ts'

/** A source of randomness that repeats itself. */
export interface Seeded extends Random {
  /** An integer in [0, max). */
  below(max: number): number
  /** One of `list`, which must not be empty. */
  pick<T>(list: readonly T[]): T
  /** True with this probability. */
  chance(probability: number): boolean
}

/** The mulberry32 generator from this seed on. */
export function seeded(seed: number): Seeded {
  let state = seed | 0
  const unit = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (max: number) => Math.floor(unit() * max)
  return {
    unit,
    below,
    bytes: (count) => Uint8Array.from({ length: count }, () => below(256)),
    pick<T>(list: readonly T[]): T {
      return list[below(list.length)] as T
    },
    chance: (probability) => unit() < probability,
  }
}
