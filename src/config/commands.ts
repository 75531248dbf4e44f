/** The commands, one row each: their words, what they take and their exit codes; `--help` and `docs/COMMANDS.md` come out of here. */

import { DESIGNS_FLAGS } from './flags-designs.ts'
import type { FlagRow } from './option-row.ts'
import type { Options } from './options.ts'

/** Options of the server that commands share with it. */
export const COMMAND_OPTIONS = [
  'data',
  'to',
  'ledgerDays',
  'format',
  'compression',
  'objectBytesMax',
] as const satisfies readonly (keyof Options)[]

/** The flags of commands. */
export const FLAGS = {
  json: { flag: 'json', value: undefined, what: 'Prints JSON instead of text.' },
  deep: {
    flag: 'deep',
    value: undefined,
    what: 'Reads every object: checksum, decompression, the number of lines and whose they are.',
  },
  since: {
    flag: 'since',
    value: 'WHEN',
    what: 'Checks only objects stored since then: 24h, 2026-11-20 or 2026-11-20T10:00:00Z (UTC).',
  },
  all: { flag: 'all', value: undefined, what: 'Takes every dead record instead of receipts.' },
  ...DESIGNS_FLAGS,
} as const satisfies Record<string, FlagRow>

/** A command's flag. */
export type FlagName = keyof typeof FLAGS

/** One command. */
export interface CommandRow {
  /** What is typed behind `millrace`. */
  words: string
  /** The receipts it takes: none, exactly one, or one and more, instead of which `--all` can stand. */
  receipts: 'none' | 'one' | 'many'
  /** One sentence. */
  what: string
  /** What else there is to know, for the docs. */
  more: string
  options: readonly (typeof COMMAND_OPTIONS)[number][]
  flags: readonly FlagName[]
  /** Exit codes besides 2, a wrong option. */
  exits: readonly (readonly [code: number, meaning: string])[]
}

const DEAD_EXITS = [
  [0, 'done'],
  [1, 'no dead record has this receipt, or an operating error'],
] as const

/** Every command. Without one the program serves. */
export const COMMANDS = {
  where: {
    words: 'where',
    receipts: 'one',
    what: 'Says where the payloads of a receipt are.',
    more: `Works while a server runs on the data directory and without one; it takes no lock and changes nothing. Where many records of
differing lengths share an object, the lines are a range that other records share ("among lines"). \`--to\` is for objects that
were moved: it is named instead of the place that the ledger says they went to.`,
    options: ['data', 'to'],
    flags: ['json'],
    exits: [
      [0, 'the receipt is known'],
      [1, 'it is not'],
    ],
  },
  verify: {
    words: 'verify',
    receipts: 'none',
    what: 'Checks that everything accepted is there: journal, ledger, objects and dead letters.',
    more: `Changes nothing, and a server may run meanwhile. Objects are looked for where the ledger says they went; a place that can't be
opened is reported as not checked. With \`--to\` on the command line they are looked for there instead, where the ledger's place
is of the same kind (a directory, or S3): for objects that were moved or copied. Totals and dead letters are always checked for
the whole ledger, objects from \`--since\` on.
Segments are numbered without a gap: a number that is neither in the journal nor in the ledger is one that was lost.

What it can't tell: where nothing of a higher number is left either, a lost segment looks as if it had never been there, and what
is older than the ledger goes back (\`--ledger-days\`) is only known as a sum.

On S3 it needs \`s3:GetObject\` on the prefix and \`s3:ListBucket\` on the bucket: without the latter S3 answers 403, not 404, for
what is missing.`,
    options: ['data', 'to', 'ledgerDays'],
    flags: ['deep', 'since', 'json'],
    exits: [
      [0, 'all is there'],
      [1, 'something is missing or wrong, or an operating error'],
      [3, 'nothing is known to be wrong, but not everything could be checked'],
    ],
  },
  deadList: {
    words: 'dead list',
    receipts: 'none',
    what: 'Lists the dead records: those that can never be stored.',
    more: 'Works while a server runs, as `show` and `drop` do.',
    options: ['data'],
    flags: [],
    exits: [[0, 'done']],
  },
  deadShow: {
    words: 'dead show',
    receipts: 'one',
    what: 'Prints a dead record: a line of JSON about it, then its body as it was received.',
    more: '',
    options: ['data'],
    flags: [],
    exits: DEAD_EXITS,
  },
  deadReplay: {
    words: 'dead replay',
    receipts: 'many',
    what: 'Puts dead records back into the journal, under new receipts.',
    more: `Needs the data directory for itself: stop the server first. The body is checked anew, and refused when it would die again. It
keeps its source and the time it was received at; the next start of the server delivers it. A repeat after a crash doesn't put
a record back twice, as long as the ledger goes back to the first try.`,
    options: ['data', 'format', 'compression', 'objectBytesMax'],
    flags: ['all'],
    exits: [
      [0, 'all are back'],
      [1, 'at least one is not, or an operating error'],
    ],
  },
  deadDrop: {
    words: 'dead drop',
    receipts: 'many',
    what: 'Removes dead records for good. It asks nothing.',
    more: '',
    options: ['data'],
    flags: ['all'],
    exits: DEAD_EXITS,
  },
  benchDesigns: {
    words: 'bench designs',
    receipts: 'none',
    what: 'Shows the known designs and Millrace side by side, as load rises past what the work can take.',
    more: `Each design is a server in a process of its own. Each has to bring payloads to the same store, which works on \`--workers\` uploads
at once and takes \`--job-time\` for each, however much is in it. At the end each is killed (\`kill -9\`) under the highest load,
and what it had acknowledged is looked for in the store. Needs nothing but this machine; the data directory is a temporary one
beside the page and is gone afterwards. What it shows: docs/DESIGNS.md.`,
    options: [],
    flags: ['jobTimeMs', 'workers', 'queue', 'rates', 'stepTimeMs', 'out', 'json', 'quiet'],
    exits: [
      [0, 'done'],
      [1, 'an operating error'],
      [130, 'interrupted, with nothing left behind'],
    ],
  },
} as const satisfies Record<string, CommandRow>

/** A command's name in the table. */
export type CommandName = keyof typeof COMMANDS

/** How a command is written: `where RECEIPT [--json] [--data DIR]`. */
export function usageOf(row: CommandRow, optionUsage: (name: (typeof COMMAND_OPTIONS)[number]) => string): string {
  const takes = { none: '', one: ' RECEIPT', many: ' RECEIPT…|--all' }[row.receipts]
  const flags = row.flags.filter((name) => name !== 'all').map((name) => flagUsage(FLAGS[name]))
  return [row.words + takes, ...[...flags, ...row.options.map(optionUsage)].map((flag) => `[${flag}]`)].join(' ')
}

/** `[default: 20ms]`, for a flag that has one. */
export function flagDefault({ default: fallback, defaultMeans = fallback }: FlagRow): string | undefined {
  return defaultMeans === undefined ? undefined : `[default: ${defaultMeans}]`
}

/** `--since WHEN`. */
export function flagUsage({ flag, value }: FlagRow): string {
  return value === undefined ? `--${flag}` : `--${flag} ${value}`
}
