/** Medians over rounds; pure. */

import type { Median, Run } from './question.ts'

/** The median of `values`; undefined when there are none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  const lower = sorted[middle - 1]
  if (upper === undefined || sorted.length % 2 === 1 || lower === undefined) return upper
  return (lower + upper) / 2
}

/** Every value of one contender's figure, in the order they were measured. */
export function valuesOf(runs: readonly Run[], contender: string, figure: string): number[] {
  const ofContender = runs.filter((run) => run.contender === contender)
  return ofContender.flatMap(({ figures }) => figures[figure] ?? [])
}

/** The medians of these runs. */
export function mediansOf(runs: readonly Run[]): Median {
  return (contender, figure) => median(valuesOf(runs, contender, figure))
}
