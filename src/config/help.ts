/** The texts of `--help`, made from the rows of options and commands. */

import { COMMANDS, type CommandName, type CommandRow, FLAGS, flagDefault, flagUsage, usageOf } from './commands.ts'
import type { OptionRow } from './option-row.ts'
import { OPTIONS } from './options.ts'

/** How long the lines of a command's usage get. */
const USAGE_WIDTH = 110

/** What `millrace --help` prints. */
export function helpText(version: string): string {
  const rows = Object.values(OPTIONS) as OptionRow[]
  const left = (row: OptionRow) => `  --${row.flag} ${row.value}`
  const width = Math.max(...rows.map((row) => left(row).length)) + 2
  const lines = rows.map((row) => {
    const fallback = row.defaultMeans ?? row.default ?? 'none'
    const where = `[${row.env}; default: ${fallback}]${row.isDivided ? ' all lanes together' : ''}`
    return `${left(row).padEnd(width)}${row.what}\n${' '.repeat(width)}${where}`
  })
  return `millrace ${version}: takes JSON POSTs, keeps them on disk before it says yes, lands them in S3 once each.

Usage: millrace [options]             serve
       millrace COMMAND [options]     look into a data directory, mend it, or compare designs

Commands (\`millrace COMMAND --help\` says more):
${commandLines()}

Options of the server:
${lines.join('\n')}
  --help, -h${' '.repeat(Math.max(1, width - 12))}Print this and exit.
  --version, -V${' '.repeat(Math.max(1, width - 15))}Print the version and exit.

A flag wins over its environment variable. S3 takes the standard AWS_* environment: AWS_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_ENDPOINT_URL_S3 and the rest of the SDK's chain.

Examples:
  millrace                                     listen on 127.0.0.1:8080, objects under ./data/objects
  millrace --to s3://my-bucket/events          put objects into S3
  millrace --host 0.0.0.0 --port 80 --data /var/lib/millrace --to s3://my-bucket

  millrace where k3v9x2ab-0-17-9f3c01d2-4      where the payloads of a receipt are
  millrace verify --deep                       whether everything accepted is there

  curl -d '{"hello":"world"}' -H 'Content-Type: application/json' http://127.0.0.1:8080/payloads

Exit codes: 0 stopped in good order, 1 an operating error (docs/ERRORS.md), 2 a wrong option.
`
}

/** What `millrace COMMAND --help` prints. */
export function commandHelpText(name: CommandName): string {
  const row: CommandRow = COMMANDS[name]
  const flags = row.flags.flatMap((flag) => {
    const fallback = flagDefault(FLAGS[flag])
    const own = [flagUsage(FLAGS[flag]), FLAGS[flag].what] as const
    return fallback === undefined ? [own] : [own, ['', fallback] as const]
  })
  const options = row.options.flatMap((option) => {
    const { env, default: fallback, defaultMeans, what } = OPTIONS[option] as OptionRow
    return [
      [optionUsage(option), what],
      ['', `[${env}; default: ${defaultMeans ?? fallback ?? 'none'}]`],
    ] as const
  })
  const exits = [...row.exits, [2, 'a wrong option'] as const].toSorted(([a], [b]) => a - b)
  return `millrace ${row.words}: ${row.what}

Usage: millrace ${folded(usageOf(row, optionUsage), 16)}

${columns([...flags, ...options, ['--help, -h', 'Print this and exit.']])}
${row.more === '' ? '' : `\n${row.more}\n`}
Exit codes:
${columns(exits.map(([code, meaning]) => [String(code), meaning]))}
`
}

/** `--data DIR`. */
export function optionUsage(name: keyof typeof OPTIONS): string {
  return `--${OPTIONS[name].flag} ${OPTIONS[name].value}`
}

function commandLines(): string {
  const takes = { none: '', one: ' RECEIPT', many: ' RECEIPT…|--all' }
  return columns(Object.values(COMMANDS).map(({ words, receipts, what }) => [words + takes[receipts], what]))
}

/** In lines that aren't too long, broken between flags. */
function folded(usage: string, indent: number): string {
  let width = 0
  const parts = usage.split(/ (?=\[)/).map((part) => {
    width += part.length + 1
    if (width < USAGE_WIDTH) return part
    width = part.length
    return `\n${' '.repeat(indent)}${part}`
  })
  return parts.join(' ').replaceAll(' \n', '\n')
}

function columns(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([left]) => left.length)) + 2
  return lines.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')
}
