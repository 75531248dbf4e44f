/** Options given from code, by their names: checked as those of the command line are, within the same bounds. */

import type { OptionRow } from './option-row.ts'
import { readOption } from './option-values.ts'
import { OPTIONS, type Options } from './options.ts'

/** Options that may be given, or left out. */
export type GivenOptions = { [Name in keyof Options]?: Options[Name] | undefined }

/** All options, or one line for each thing that is wrong. */
export type LoadedGiven = { kind: 'options'; options: Options } | { kind: 'wrong'; messages: string[] }

const ROWS = Object.entries(OPTIONS) as [keyof Options, OptionRow][]

/** Reads options; those that aren't given have the value in `instead`, or the command's default. The environment isn't asked. */
export function loadGiven(given: GivenOptions, instead: GivenOptions = {}): LoadedGiven {
  const messages: string[] = []
  const names = ROWS.map(([name]) => name as string)
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) messages.push(`'${name}' is not an option; options are ${names.join(', ')}`)
  }
  const options: Record<string, unknown> = {}
  for (const [name, row] of ROWS) {
    const value = given[name] ?? instead[name] ?? defaultOf(row)
    options[name] = value
    if (value !== undefined && !isAllowed(row, value))
      messages.push(`${name} is ${show(value)}; allowed is ${allowed(row)}`)
  }
  for (const [name, { defaultFrom }] of ROWS) {
    if (defaultFrom) options[name] ??= defaultFrom(options as unknown as Options)
  }
  return messages.length > 0 ? { kind: 'wrong', messages } : { kind: 'options', options: options as unknown as Options }
}

function defaultOf(row: OptionRow): unknown {
  if (row.default === undefined) return undefined
  const read = readOption(row, row.default)
  return read.kind === 'value' ? read.value : undefined
}

function isAllowed({ kind, min = 0, max = Number.MAX_SAFE_INTEGER, choices = [] }: OptionRow, value: unknown): boolean {
  if (kind === 'text') return typeof value === 'string' && value !== ''
  if (kind === 'choice') return choices.includes(value as string)
  if (kind === 'choices') return Array.isArray(value) && value.length > 0 && value.every((one) => choices.includes(one))
  const isNumber = (one: unknown) => Number.isSafeInteger(one) && (one as number) >= min && (one as number) <= max
  return kind === 'counts' ? Array.isArray(value) && value.length > 0 && value.every(isNumber) : isNumber(value)
}

/** In numbers, where the command line takes units. */
function allowed({ kind, min = 0, max, choices = [] }: OptionRow): string {
  if (kind === 'text') return 'any text but the empty one'
  if (kind === 'choice') return choices.map(show).join(', ')
  if (kind === 'choices') return `a list of one or more of ${choices.map(show).join(', ')}`
  const unit = { count: '', counts: '', duration: ' of milliseconds', size: ' of bytes' }[kind]
  const what = kind === 'counts' ? 'a list of whole numbers' : `a whole number${unit}`
  return `${what} from ${min}${max === undefined ? '' : ` to ${max}`}`
}

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value))
}
