/** What a lane gets of the bounds that are for all lanes together. */

import type { OptionRow } from '../config/option-row.ts'
import type { OptionValue } from '../config/option-values.ts'
import { OPTIONS, type Options } from '../config/options.ts'
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

/** Why these options leave a lane too little; undefined when they don't. What one lane would take, each of several must. */
export function shareFault(options: Options): string | undefined {
  const { lanes, journalBytesMax, intakeBytesMax } = options
  const least = shareOf(options, lanes - 1)
  // A lane takes a body only if its journal has room for two of its size; and others arrive beside it.
  const bodyBytes = Math.floor(Math.min(options.bodyBytesMax, journalBytesMax / 2))
  const fault = (flag: string, whole: number, share: number, needed: string) =>
    `--${flag} is ${formatSize(whole)}: with --lanes ${lanes} each lane has ${formatSize(share)} of it, and a body of ${formatSize(bodyBytes)} needs ${needed}. More of it, fewer lanes, or a smaller --body-bytes-max.`
  if (lanes === 1) return undefined
  if (least.journalBytesMax < 2 * bodyBytes) {
    return fault('journal-bytes-max', journalBytesMax, least.journalBytesMax, 'twice that')
  }
  if (least.intakeBytesMax < Math.min(bodyBytes, intakeBytesMax)) {
    return fault('intake-bytes-max', intakeBytesMax, least.intakeBytesMax, 'that')
  }
  return undefined
}

function portion(whole: number, lanes: number, lane: number): number {
  return Math.max(1, Math.floor(whole / lanes) + (lane < whole % lanes ? 1 : 0))
}
