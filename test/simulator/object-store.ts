/** Where the objects of a run go, whichever of the two it is: a faulty store somewhere else, or a directory on the disk. */

import type { Destination } from '../../src/destination/destination.ts'
import type { Files } from '../../src/platform/files.ts'
import type { Strand } from './world.ts'

/** What it does with all puts for a while. */
export type Mood = 'well' | 'down' | 'parked'

/** One for a whole run: it outlives every process. */
export interface ObjectStore {
  /** How many objects it has confirmed. */
  readonly size: number
  /** The destination as a strand sees it; `onPut` hears of each put that leaves, and may end the strand. */
  of(strand: Strand, files: Files, onPut: () => void): Destination
  become(mood: Mood): void
  /** How many of a hundred puts go wrong while it is well. */
  setFaults(percent: number): void
  /** What it has confirmed is there, and is what was put. */
  checkKept(): void
}
