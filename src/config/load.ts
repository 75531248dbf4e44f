/** Puts the options together: a flag (the last of equal ones) wins over the environment, that over the default. */

import { type KnownFlag, readArguments } from './arguments.ts'
import type { OptionRow } from './option-row.ts'
import { type OptionValue, readOption } from './option-values.ts'
import { OPTIONS, type Options } from './options.ts'

/** What the command line asks for. */
export type Loaded =
  | { kind: 'options'; options: Options }
  | { kind: 'help' }
  | { kind: 'version' }
  /** One line for each thing that is wrong. */
  | { kind: 'wrong'; messages: string[] }

/** The environment. An empty variable counts as not set. */
export type Variables = Readonly<Record<string, string | undefined>>

const ROWS = Object.entries(OPTIONS) as [keyof Options, OptionRow][]

/** Reads arguments and environment. */
export function loadOptions(args: readonly string[], env: Variables): Loaded {
  const { flags, operands, messages, asked } = readArguments(args, ROWS.map(asKnown))
  if (asked) return { kind: asked }
  messages.unshift(...operands.map((operand) => `'${operand}' is not an option; see --help`))
  const options = readValues(ROWS, flags, env, messages)
  return messages.length > 0 ? { kind: 'wrong', messages } : { kind: 'options', options: options as unknown as Options }
}

/** An option as the command line knows it. */
export function asKnown([, { flag }]: readonly [string, { flag: string }]): KnownFlag {
  return { flag, takesValue: true }
}

/** An option, or a command's own flag, which no environment variable sets. */
type ReadableRow = Omit<OptionRow, 'env' | 'default' | 'what' | 'value'> & {
  env?: string
  default?: string | undefined
}

/** The values of options, by name; what is wrong with them is added to `messages`. */
export function readValues(
  rows: readonly (readonly [string, ReadableRow])[],
  flags: ReadonlyMap<string, string>,
  env: Variables,
  messages: string[],
): Record<string, OptionValue> {
  const options: Record<string, OptionValue> = {}
  for (const [name, row] of rows) {
    const flag = flags.get(row.flag)
    const { env: variable = '' } = row
    const [from, text] =
      flag !== undefined ? [`--${row.flag}`, flag] : env[variable] ? [variable, env[variable]] : ['', row.default]
    if (text === undefined) continue
    const read = readOption(row, text)
    if (read.kind === 'value') options[name] = read.value
    else messages.push(`${from} is '${text}'; allowed is ${read.allowed}`)
  }
  for (const [name, { defaultFrom }] of rows) {
    if (defaultFrom) options[name] ??= defaultFrom(options as unknown as Options)
  }
  return options
}
