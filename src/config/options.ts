/** The options, one row each: flags, environment, defaults, checks, `--help` and `docs/OPTIONS.md` all come out of here. */

import { availableParallelism } from 'node:os'
import type { OptionRow } from './option-row.ts'
import { INTAKE_OPTIONS } from './options-intake.ts'
import { TCP_OPTIONS, type TcpOptions } from './options-tcp.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3

/** Every option, in the order people look for them. */
export const OPTIONS = {
  port: {
    kind: 'count',
    flag: 'port',
    env: 'PORT',
    default: '8080',
    min: 0,
    max: 65_535,
    value: 'N',
    what: 'The port to listen on; 0 takes a free one.',
  },
  host: {
    kind: 'text',
    flag: 'host',
    env: 'HOST',
    default: '127.0.0.1',
    value: 'ADDRESS',
    what: 'The address to listen on; 0.0.0.0 for every IPv4 address of this machine.',
  },
  data: {
    kind: 'text',
    flag: 'data',
    env: 'MILLRACE_DATA',
    default: './data',
    value: 'DIR',
    what: 'The directory of the journal; one process at a time uses it.',
  },
  to: {
    kind: 'text',
    flag: 'to',
    env: 'MILLRACE_TO',
    default: undefined,
    defaultMeans: 'objects in the data directory',
    value: 'PLACE',
    what: 'Where objects go: s3://bucket/prefix, a directory, or other servers, http://a:8080,http://b:8080.',
  },
  format: {
    kind: 'choice',
    flag: 'format',
    env: 'MILLRACE_FORMAT',
    default: 'lines',
    choices: ['lines', 'payload'],
    value: 'WHAT',
    what: 'What an object holds: many payloads as lines, or one payload (a PUT each: $5 a million at AWS).',
  },
  compression: {
    kind: 'choice',
    flag: 'compression',
    env: 'MILLRACE_COMPRESSION',
    default: 'zstd',
    choices: ['zstd', 'gzip', 'none'],
    value: 'HOW',
    what: 'How objects of lines are compressed; segments that exist already keep what they were begun with.',
  },
  lingerMs: {
    kind: 'duration',
    flag: 'linger',
    env: 'MILLRACE_LINGER',
    default: '5s',
    min: 10,
    max: 3_600_000,
    value: 'TIME',
    what: 'The longest a payload waits for others before its segment is sealed and delivered.',
  },
  objectBytesMax: {
    kind: 'size',
    flag: 'object-bytes-max',
    env: 'MILLRACE_OBJECT_BYTES_MAX',
    default: '64MiB',
    min: 64 * 1024,
    max: 1 * GIB,
    value: 'SIZE',
    what: 'How long an object’s lines get, before compression; to servers at most half of --body-bytes-max.',
  },
  maxWorkers: {
    kind: 'count',
    flag: 'max-workers',
    env: 'MAX_WORKERS',
    default: '32',
    min: 1,
    max: 1024,
    value: 'N',
    isDivided: true,
    what: 'How many segments are delivered at once.',
  },
  maxQueue: {
    kind: 'count',
    flag: 'max-queue',
    env: 'MAX_QUEUE',
    default: undefined,
    defaultMeans: 'no bound but the journal’s bytes',
    min: 1,
    value: 'N',
    isDivided: true,
    what: 'How many payloads may be accepted and not yet stored; past it the answer is 503.',
  },
  journalBytesMax: {
    kind: 'size',
    flag: 'journal-bytes-max',
    env: 'MILLRACE_JOURNAL_BYTES_MAX',
    default: '10GiB',
    min: 1 * MIB,
    value: 'SIZE',
    isDivided: true,
    what: 'How large the journal may grow (never into the last 5 % of the disk); past it the answer is 503.',
  },
  ...INTAKE_OPTIONS,
  ...TCP_OPTIONS,
  ledgerDays: {
    kind: 'count',
    flag: 'ledger-days',
    env: 'MILLRACE_LEDGER_DAYS',
    default: '30',
    min: 1,
    max: 36_500,
    value: 'N',
    what: 'How many days the ledger keeps what became of each segment; for so long receipts can be looked up.',
  },
  threads: {
    kind: 'count',
    flag: 'threads',
    env: 'MILLRACE_THREADS',
    default: undefined,
    defaultMeans: 'cores − 1, at least 1; all with --format payload',
    // Where a put is all there is to a payload, delivery takes more of a machine than intake does.
    defaultFrom: ({ format }) => Math.max(1, availableParallelism() - (format === 'payload' ? 0 : 1)),
    min: 1,
    max: 256,
    value: 'N',
    isDivided: true,
    what: 'How many threads encode and deliver; at least one for each lane.',
  },
  lanes: {
    kind: 'count',
    flag: 'lanes',
    env: 'MILLRACE_LANES',
    default: String(Math.max(1, Math.floor(availableParallelism() / 2))),
    defaultMeans: 'cores ÷ 2, at least 1',
    min: 1,
    max: 64,
    value: 'N',
    what: 'How many processes share the port, each with a journal and threads of its own.',
  },
  stopGraceMs: {
    kind: 'duration',
    flag: 'stop-grace',
    env: 'MILLRACE_STOP_GRACE',
    default: '20s',
    min: 0,
    max: 3_600_000,
    value: 'TIME',
    what: 'How long a stop waits for deliveries; what is left is delivered after the next start.',
  },
} as const satisfies Record<string, OptionRow>

/** The options' values: numbers in milliseconds and bytes. */
export interface Options extends TcpOptions {
  port: number
  host: string
  data: string
  to: string | undefined
  format: 'lines' | 'payload'
  compression: 'zstd' | 'gzip' | 'none'
  lingerMs: number
  objectBytesMax: number
  maxWorkers: number
  maxQueue: number | undefined
  journalBytesMax: number
  bodyBytesMax: number
  intakeBytesMax: number
  bodyTimeoutMs: number
  ackDefault: 'memory' | 'disk' | 'stored'
  ackAllow: readonly ('memory' | 'disk' | 'stored')[]
  ackStoredLingerMs: number
  ackStoredTimeoutMs: number
  idempotencyWindowMs: number
  idempotencyKeysMax: number
  ledgerDays: number
  threads: number
  lanes: number
  stopGraceMs: number
}
