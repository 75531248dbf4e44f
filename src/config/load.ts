/** Puts the options together: a flag (the last of equal ones) wins over the environment, that over the default. */

import { OPTIONS, type OptionRow, type Options, type OptionValue, readOption } from './options.ts'

/** What the command line asks for. */
export type Loaded =
  | { kind: 'options'; options: Options }
  | { kind: 'help' }
  | { kind: 'version' }
  /** One line for each thing that is wrong. */
  | { kind: 'wrong'; messages: string[] }

const ROWS = Object.entries(OPTIONS) as [keyof Options, OptionRow][]

/** Reads arguments and environment. An empty environment variable counts as not set. */
export function loadOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Loaded {
  const { flags, messages, asked } = readFlags(args)
  if (asked) return { kind: asked }
  const options: Record<string, OptionValue | undefined> = {}
  for (const [name, row] of ROWS) {
    const flag = flags.get(row.flag)
    const [from, text] =
      flag !== undefined ? [`--${row.flag}`, flag] : env[row.env] ? [row.env, env[row.env]] : ['', row.default]
    if (text === undefined) continue
    const read = readOption(row, text)
    if (read.kind === 'value') options[name] = read.value
    else messages.push(`${from} is '${text}'; allowed is ${read.allowed}`)
  }
  if (messages.length > 0) return { kind: 'wrong', messages }
  return { kind: 'options', options: options as unknown as Options }
}

function readFlags(args: readonly string[]) {
  const flags = new Map<string, string>()
  const messages: string[] = []
  let asked: 'help' | 'version' | undefined
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] as string
    if (argument === '--help' || argument === '-h') asked ??= 'help'
    else if (argument === '--version' || argument === '-V') asked ??= 'version'
    else if (!argument.startsWith('--')) messages.push(`'${argument}' is not an option; see --help`)
    else {
      const [name = '', ...rest] = argument.slice(2).split('=')
      const inline = argument.includes('=') ? rest.join('=') : undefined
      const known = ROWS.some(([, row]) => row.flag === name)
      if (!known) messages.push(`--${name} is not an option${suggestion(name)}; see --help`)
      const next = args[i + 1]
      if (inline === undefined && known && (next === undefined || next.startsWith('--'))) {
        messages.push(`--${name} needs a value`)
        continue
      }
      flags.set(name, inline ?? next ?? '')
      // The value of an unknown flag can't be told from an argument; it is skipped unless it is a flag itself.
      if (inline === undefined && (known || (next !== undefined && !next.startsWith('-')))) i++
    }
  }
  return { flags, messages, asked }
}

function suggestion(name: string): string {
  const near = ROWS.map(([, row]) => row.flag).find((flag) => flag.startsWith(name) || name.startsWith(flag))
  return near ? ` (did you mean --${near}?)` : ''
}
