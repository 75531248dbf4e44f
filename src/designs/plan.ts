/** The plan of a run: which rates, what the work can take, how long it all takes; pure. */

import { DESIGN_NAMES } from './designs.ts'
import type { Settings } from './result.ts'

/** Before the first step each design is warmed up at the lowest rate: what a runtime compiles then is no figure of a design. */
export const WARMUP_MS = 500
/** How far into more of the highest load a design is killed. */
export const KILL_AFTER_MS = 300
/** About what it takes to start a design, and to find out what it had lost. */
const START_AND_COUNT_MS = 2500
/** The rates that are offered when none are named, as parts of what the work can take. */
const PARTS_OF_CAPACITY = [1 / 2, 1, 2, 4, 8]

/** How many uploads a second the store can do. */
export function capacityPerSecond({ workers, jobTimeMs }: Pick<Settings, 'workers' | 'jobTimeMs'>): number {
  return (workers * 1000) / jobTimeMs
}

/** The rates when none are named: from below what the work can take to far past it, no two the same, none above `most`. */
export function defaultRates(capacity: number, most: number): number[] {
  const rates = PARTS_OF_CAPACITY.map((part) => Math.min(most, Math.max(1, Math.round(capacity * part))))
  return [...new Set(rates)]
}

/** About how long a run takes. */
export function expectedMs({ rates, stepTimeMs }: Settings): number {
  const each = START_AND_COUNT_MS + WARMUP_MS + rates.length * stepTimeMs + KILL_AFTER_MS
  return DESIGN_NAMES.length * each
}
