/** What a lane gets of the bounds that are for all lanes together. */

import type { OptionValue } from '../config/option-values.ts'
import { OPTIONS, type OptionRow, type Options } from '../config/options.ts'
import { formatSize } from '../config/units.ts'

/** The options of one lane. Shares differ by one at the most, come to the whole, and are at least one. */
export function shareOf(options: Options, lane: number): Options {
  const share: Record<string, OptionValue | undefined> = { ...options }
  for (const [name, { isDivided }] of Object.entries<OptionRow>(OPTIONS)) {
    const whole = share[name]
    if (isDivided && typeof whole === 'number') share[name] = portion(whole, options.lanes, lane)
  }
  return share as unknown as Options
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
