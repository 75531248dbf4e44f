/** The one door to the outside: clock, disk and randomness, passed as an argument to whoever needs them. */

import { type Clock, systemClock } from './clock.ts'
import { type Files, systemFiles } from './files.ts'
import { type Random, systemRandom } from './random.ts'

/** What a stage needs of the machine. */
export interface Platform {
  clock: Clock
  files: Files
  random: Random
}

/** The real machine. */
export const systemPlatform: Platform = { clock: systemClock, files: systemFiles, random: systemRandom }
