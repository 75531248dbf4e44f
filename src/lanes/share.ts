/** What a lane gets of the bounds that are for all lanes together. */

import type { Options } from '../config/options.ts'
import { formatSize } from '../config/units.ts'

/** The options that say how much all lanes together may take. */
const DIVIDED = ['maxWorkers', 'journalBytesMax', 'intakeBytesMax', 'idempotencyKeysMax', 'threads'] as const

/** The options of one lane. Shares differ by one at the most, come to the whole, and are at least one. */
export function shareOf(options: Options, lane: number): Options {
  const { lanes, maxQueue } = options
  const share = { ...options }
  for (const name of DIVIDED) share[name] = portion(options[name], lanes, lane)
  if (maxQueue !== undefined) share.maxQueue = portion(maxQueue, lanes, lane)
  return share
}

/** Why these options leave a lane too little; undefined when they don't. */
export function shareFault(options: Options): string | undefined {
  const { lanes, journalBytesMax, bodyBytesMax } = options
  const last = shareOf(options, lanes - 1)
  // A lane takes a body only if two of its size have room in its journal. What one lane would take, each of several must.
  const bodyTaken = Math.floor(Math.min(bodyBytesMax, journalBytesMax / 2))
  if (lanes === 1 || last.journalBytesMax / 2 >= bodyTaken) return undefined
  return `--journal-bytes-max is ${formatSize(journalBytesMax)}: with --lanes ${lanes} each lane has ${formatSize(last.journalBytesMax)} of it, and a body of ${formatSize(bodyTaken)} needs twice its size; more of it, fewer lanes, or a smaller --body-bytes-max`
}

function portion(whole: number, lanes: number, lane: number): number {
  return Math.max(1, Math.floor(whole / lanes) + (lane < whole % lanes ? 1 : 0))
}
