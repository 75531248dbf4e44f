/**
 * Generates `docs/OPTIONS.md`, `docs/ERRORS.md`, `docs/METRICS.md` and `docs/COMMANDS.md` from the rows in the code, and what README and
 * `docs/PERFORMANCE.md` say of speed from the kept results of the bench; `--check` only compares, and fails on a difference.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performanceBlock, readmeBlock, withBlock } from '../bench/pages.ts'
import { QUESTIONS } from '../bench/questions.ts'
import { readResult } from '../bench/result.ts'
import {
  COMMANDS,
  type CommandName,
  type CommandRow,
  FLAGS,
  flagDefault,
  flagUsage,
  usageOf,
} from '../src/config/commands.ts'
import { optionUsage } from '../src/config/help.ts'
import type { OptionRow } from '../src/config/option-row.ts'
import { allowedValues } from '../src/config/option-values.ts'
import { OPTIONS } from '../src/config/options.ts'
import { METRICS } from '../src/intake/metrics.ts'
import { FAULTS, type FaultRow, PROBLEMS, type ProblemRow } from '../src/observe/errors.ts'
import examples from './command-examples.json' with { type: 'json' }

const ROOT = join(import.meta.dir, '..')
const GENERATED = '<!-- Generated from the code by `npm run docs`. Change the rows, not this page. -->'

const answered = QUESTIONS.map((question) => ({ question, result: readResult(question.name) }))
const pages: Record<string, string> = {
  'docs/OPTIONS.md': optionsPage(),
  'docs/ERRORS.md': errorsPage(),
  'docs/METRICS.md': metricsPage(),
  'docs/COMMANDS.md': commandsPage(),
  'docs/PERFORMANCE.md': withBlock(readFileSync(join(ROOT, 'docs/PERFORMANCE.md'), 'utf8'), performanceBlock(answered)),
  'README.md': withBlock(readFileSync(join(ROOT, 'README.md'), 'utf8'), readmeBlock(answered)),
}
const flags = process.argv.slice(2)
if (flags.some((flag) => flag !== '--check')) {
  console.error(`docs: unknown ${flags.join(' ')}; only --check is known`)
  process.exit(2)
}
const check = flags.includes('--check')
let stale = 0
for (const [name, text] of Object.entries(pages)) {
  const path = join(ROOT, name)
  if (check && (!existsSync(path) || readFileSync(path, 'utf8') !== text)) {
    console.error(`${name} isn’t what is generated: run \`npm run docs\``)
    stale += 1
  }
  if (!check) writeFileSync(path, text)
}
process.exit(stale === 0 ? 0 : 1)

function optionsPage(): string {
  const rows = Object.values(OPTIONS) as OptionRow[]
  const cells = rows.map((row) => {
    const fallback = row.defaultMeans ?? (row.default === undefined ? 'none' : `\`${row.default}\``)
    return [
      `\`--${row.flag} ${row.value}\``,
      `\`${row.env}\``,
      fallback,
      allowedValues(row),
      row.what + (row.isDivided ? ' All lanes together.' : ''),
    ]
  })
  return `${GENERATED}
# Options

A flag wins over its environment variable, the variable over the default. A value that isn't allowed is refused at the
start with exit code 2. \`--help\` prints all of this, \`--version\` the version.

${table(['flag', 'environment', 'default', 'allowed', 'what it is'], cells)}

## S3

\`--to s3://bucket/prefix\` reads the standard environment of the AWS SDKs and nothing else:

${table(
  ['environment', 'what it is'],
  [
    ['`AWS_REGION`, `AWS_DEFAULT_REGION`', 'The region; else that of the profile. Needed unless an endpoint is set.'],
    [
      '`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`',
      'Credentials; when they are set, nothing else is asked.',
    ],
    [
      '`AWS_PROFILE`, `AWS_CONFIG_FILE`, …',
      'Without those, the SDK’s chain: profiles, SSO, web identity, container and instance roles.',
    ],
    ['`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`', 'A store that isn’t AWS, addressed path-style.'],
  ],
)}

The credentials need \`s3:PutObject\` on the prefix (and \`s3:PutObjectAcl\`, unless the bucket has ACLs turned off), and
\`s3:GetObject\`: after a lost answer or a crash, and in a segment of many sources, a name may be taken, and an
object is only called stored when what is there is it.
`
}

function errorsPage(): string {
  const problems = Object.entries(PROBLEMS) as [string, ProblemRow][]
  const faults = Object.entries(FAULTS) as [string, FaultRow][]
  return `${GENERATED}
# Errors

## Refusals

A request that is refused is answered with \`application/problem+json\` (RFC 9457):
\`{"type":"urn:problem:millrace:queue_full","title":…,"status":503,"code":"queue_full","detail":…}\`. The code is stable;
\`detail\` is for people. Every 503 of an intake path has a \`Retry-After\`, computed from how fast the journal drains.
Over TCP it is a line of the same JSON, with the number of the line that it is about ([TCP.md](TCP.md)).

${table(
  ['code', 'status', 'what it means', 'same request later?', 'what holds afterwards'],
  problems.map(([code, row]) => [
    `\`${code}\``,
    String(row.status),
    row.title,
    row.retryable ? 'yes' : 'no',
    row.after,
  ]),
)}

## Faults

The command ends with one of these on its standard error.

${table(
  ['code', 'exit code', 'what it means', 'what holds afterwards'],
  faults.map(([code, row]) => [`\`${code}\``, String(row.exitCode), row.title, row.after]),
)}

Exit code 0 is a stop in good order; 130 and 143 are a second Ctrl-C or SIGTERM. Anything else is a bug.
`
}

function metricsPage(): string {
  const cells = METRICS.map(({ name, type, unit, what, label = '' }) => [`\`${name}\``, type, unit, what, label])
  return `${GENERATED}
# Metrics

\`GET /metrics\` has these, as Prometheus text; \`GET /status\` has the balance as JSON. Any lane answers for all: what has no
\`lane\` is a sum over them. While a lane does not answer, sums have no samples, since one without it would look like counters
that were reset; \`millrace_lane_up\` tells which lane it is, and \`/status\` what the others have. What is of lanes is there only
where there are several.

accepted = stored + dead + pending, in payloads and in bytes, at every moment. These go over the whole life of the data
directory; bytes are those of records as the journal holds them. What counts puts begins anew with the process.

${table(['metric', 'type', 'unit', 'what it is', 'label'], cells)}
`
}

function commandsPage(): string {
  const names = Object.keys(COMMANDS) as CommandName[]
  return `${GENERATED}
# Commands

Without a command \`millrace\` serves. These look into a data directory, mend it, or show how designs compare;
\`millrace COMMAND --help\` prints what is here. What stands below as their output is from a real run (\`scripts/command-examples.ts\`).

${table(
  ['command', 'what it does'],
  names.map((name) => [`\`${COMMANDS[name].words}\``, COMMANDS[name].what]),
)}

${names.map(commandSection).join('\n')}`
}

function commandSection(name: CommandName): string {
  const row: CommandRow = COMMANDS[name]
  const flags = row.flags.map((flag) => [
    `\`${flagUsage(FLAGS[flag])}\``,
    [FLAGS[flag].what, flagDefault(FLAGS[flag])].join(' ').trimEnd(),
  ])
  const options = row.options.map((option) => [`\`${optionUsage(option)}\``, OPTIONS[option].what])
  const exits = [...row.exits, [2, 'a wrong option'] as const].toSorted(([a], [b]) => a - b)
  return `## millrace ${row.words}

${row.what}

\`millrace ${usageOf(row, optionUsage)}\`
${row.more === '' ? '' : `\n${row.more}\n`}
${table(['flag', 'what it is'], [...flags, ...options])}

Exit codes: ${exits.map(([code, meaning]) => `${code} ${meaning}`).join('; ')}.

\`\`\`
${examples[name].join('\n')}\`\`\`
`
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
