/** Reads the command line of a command: its words, its receipts, its own flags and those it shares with the server. */

import { readArguments } from './arguments.ts'
import {
  COMMAND_OPTIONS,
  COMMANDS,
  type CommandName,
  type CommandRow,
  FLAGS,
  type FlagName,
  usageOf,
} from './commands.ts'
import { DESIGNS_ROWS, type DesignsValues } from './flags-designs.ts'
import { asKnown, readValues, type Variables } from './load.ts'
import type { OptionRow } from './option-row.ts'
import { OPTIONS, type Options } from './options.ts'
import { parseMoment } from './units.ts'

/** What a command is called with. */
export interface Command {
  name: CommandName
  receipts: string[]
  /** Those that the command doesn't take have their defaults. */
  options: Pick<Options, (typeof COMMAND_OPTIONS)[number]>
  /** `--to`, if it stands on the command line: where to look, instead of where objects went. */
  instead: string | undefined
  /** What `bench designs` is told; its defaults for any other command. */
  designs: DesignsValues
  json: boolean
  quiet: boolean
  deep: boolean
  all: boolean
  /** Milliseconds since 1970; undefined for everything. */
  sinceMs: number | undefined
}

/** What the command line asks for. */
export type LoadedCommand =
  /** No command: the program serves, and the command line is the server's. */
  | { kind: 'serve' }
  | { kind: 'command'; command: Command }
  /** About one command, or all of them. */
  | { kind: 'help'; name: CommandName | undefined }
  | { kind: 'version' }
  | { kind: 'wrong'; messages: string[] }

const NAMES = Object.keys(COMMANDS) as CommandName[]

/** Reads the command line. `nowMs` is what `--since 24h` counts from. */
export function loadCommand(args: readonly string[], env: Variables, nowMs: number): LoadedCommand {
  const [first, second] = args
  if (first === undefined || first.startsWith('-')) return { kind: 'serve' }
  const group = NAMES.filter((name) => COMMANDS[name].words.split(' ')[0] === first)
  if (group.length === 0) return wrong(`'${first}' is not a command; commands are ${list(NAMES)}; see --help`)
  const name = group.find((each) => COMMANDS[each].words === first || COMMANDS[each].words === `${first} ${second}`)
  if (name !== undefined) return loadOne(name, args.slice(COMMANDS[name].words.split(' ').length), env, nowMs)
  if (args.includes('--help') || args.includes('-h')) return { kind: 'help', name: undefined }
  const what = second === undefined ? `'${first}' needs another word` : `'${first} ${second}' is not a command`
  return wrong(`${what}; commands are ${list(group)}; see --help`)
}

function loadOne(name: CommandName, args: readonly string[], env: Variables, nowMs: number): LoadedCommand {
  const row: CommandRow = COMMANDS[name]
  const own = row.flags.map((flag) => ({ flag: FLAGS[flag].flag, takesValue: FLAGS[flag].value !== undefined }))
  const taken = COMMAND_OPTIONS.filter((option) => row.options.includes(option)).map(asRow)
  const others = COMMAND_OPTIONS.filter((option) => !row.options.includes(option)).map(asRow)
  const { flags, operands, messages, asked } = readArguments(args, [...own, ...taken.map(asKnown)])
  if (asked === 'help') return { kind: 'help', name }
  if (asked === 'version') return { kind: 'version' }
  const values = { ...readValues(others, new Map(), {}, []), ...readValues(taken, flags, env, messages) }
  const designs = readValues(DESIGNS_ROWS, flags, {}, messages) as unknown as DesignsValues
  const has = (flag: FlagName) => flags.has(FLAGS[flag].flag)
  const sinceText = flags.get(FLAGS.since.flag)
  const sinceMs = sinceText === undefined ? undefined : parseMoment(sinceText, nowMs)
  if (sinceText !== undefined && sinceMs === undefined) {
    messages.push(`--since is '${sinceText}'; allowed is 24h, 2026-11-20 or 2026-11-20T10:00:00Z`)
  }
  messages.push(...receiptFaults(row, operands, has('all')))
  if (messages.length > 0) return { kind: 'wrong', messages }
  const options = { to: undefined, ...values } as unknown as Command['options']
  const instead = flags.get(OPTIONS.to.flag)
  const switches = { json: has('json'), quiet: has('quiet'), deep: has('deep'), all: has('all') }
  return { kind: 'command', command: { name, receipts: operands, options, instead, designs, sinceMs, ...switches } }
}

function receiptFaults(row: CommandRow, operands: readonly string[], isAll: boolean): string[] {
  const { receipts, words } = row
  const usage = `millrace ${usageOf(row, (name) => `--${OPTIONS[name].flag} ${OPTIONS[name].value}`)}`
  if (receipts === 'none') return operands.map((operand) => `'${words}' takes no '${operand}'; it is written ${usage}`)
  if (receipts === 'one' && operands.length !== 1) return [`'${words}' needs one receipt; it is written ${usage}`]
  if (receipts === 'many' && isAll === operands.length > 0) {
    return [`'${words}' needs receipts, or --all instead of them; it is written ${usage}`]
  }
  return []
}

function asRow(name: (typeof COMMAND_OPTIONS)[number]): [string, OptionRow] {
  return [name, OPTIONS[name]]
}

function list(names: readonly CommandName[]): string {
  return names.map((name) => `'${COMMANDS[name].words}'`).join(', ')
}

function wrong(message: string): LoadedCommand {
  return { kind: 'wrong', messages: [message] }
}
