/** The options' values: read from text within their bounds, and what each takes in words. */

import type { OptionRow } from './option-row.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

/** A value of any kind. */
export type OptionValue = string | number | readonly string[] | readonly number[]

/** What reading a value takes of its row. */
type ValueRow = Pick<OptionRow, 'kind' | 'min' | 'max' | 'choices'>

/** A value that was read, or what is allowed instead. */
export type ReadValue = { kind: 'value'; value: OptionValue } | { kind: 'wrong'; allowed: string }

/** Reads one option's text. */
export function readOption(row: ValueRow, text: string): ReadValue {
  const value = parseText(row, text)
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = row
  const isWithin = (one: string | number) => typeof one === 'string' || (one >= min && one <= max)
  if (value === undefined || ![value].flat().every(isWithin)) return { kind: 'wrong', allowed: allowedValues(row) }
  return { kind: 'value', value }
}

function parseText(row: ValueRow, text: string): OptionValue | undefined {
  if (row.kind === 'count') return /^\d+$/.test(text) ? Number(text) : undefined
  if (row.kind === 'counts') return /^\d+(,\d+)*$/.test(text) ? text.split(',').map(Number) : undefined
  if (row.kind === 'duration') return parseDuration(text)
  if (row.kind === 'size') return parseSize(text)
  if (row.kind === 'choice') return row.choices?.includes(text) ? text : undefined
  if (row.kind === 'choices') {
    const chosen = text.split(',').map((part) => part.trim())
    return chosen.every((part) => row.choices?.includes(part)) ? chosen : undefined
  }
  return text === '' ? undefined : text
}

/** What an option takes, in words: the same in error messages, `--help` and the docs. */
export function allowedValues(row: ValueRow): string {
  const { min, max } = row
  if (row.kind === 'choice') return (row.choices ?? []).join(', ')
  if (row.kind === 'choices') return `one or more of ${(row.choices ?? []).join(', ')}, with commas between them`
  if (row.kind === 'text') return 'any text but the empty one'
  const show = row.kind === 'duration' ? formatDuration : row.kind === 'size' ? formatSize : String
  const what = {
    count: 'a whole number',
    counts: 'whole numbers, with commas between them, each',
    duration: 'a duration such as 500ms, 5s or 10m',
    size: 'a size such as 64KiB, 16MiB or 10GiB',
  }[row.kind]
  if (min !== undefined && max !== undefined) return `${what} from ${show(min)} to ${show(max)}`
  return min === undefined ? what : `${what} from ${show(min)}`
}
