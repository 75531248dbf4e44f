/** The options, one row each: flags, environment, defaults, checks, `--help` and `docs/OPTIONS.md` all come out of here. */

import { availableParallelism } from 'node:os'
import type { OptionRow } from './option-row.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3

/** How many lanes there are by default. */
const LANES = Math.max(1, Math.floor(availableParallelism() / 2))

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
    what: 'Where objects go: s3://bucket/prefix, or a directory.',
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
    what: 'How long an object’s lines get, before compression; a segment is sealed when it holds that much.',
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
    what: 'How large the journal may grow (and never into the last 5 % of the disk); past it the answer is 503.',
  },
  bodyBytesMax: {
    kind: 'size',
    flag: 'body-bytes-max',
    env: 'MILLRACE_BODY_BYTES_MAX',
    default: '16MiB',
    min: 1024,
    max: 256 * MIB,
    value: 'SIZE',
    what: 'The largest request body, after decompression; past it the answer is 413.',
  },
  intakeBytesMax: {
    kind: 'size',
    flag: 'intake-bytes-max',
    env: 'MILLRACE_INTAKE_BYTES_MAX',
    default: `${Math.max(64, 16 * LANES)}MiB`,
    defaultMeans: '64MiB, or 8MiB × cores',
    min: 1 * MIB,
    value: 'SIZE',
    isDivided: true,
    what: 'How many bytes of request bodies may be in memory at once; past it the answer is 503.',
  },
  bodyTimeoutMs: {
    kind: 'duration',
    flag: 'body-timeout',
    env: 'MILLRACE_BODY_TIMEOUT',
    default: '30s',
    min: 100,
    max: 3_600_000,
    value: 'TIME',
    what: 'How long a request body may take to arrive; past it the answer is 408.',
  },
  ackDefault: {
    kind: 'choice',
    flag: 'ack-default',
    env: 'MILLRACE_ACK_DEFAULT',
    default: 'disk',
    choices: ['memory', 'disk', 'stored'],
    value: 'LEVEL',
    what: 'How much is true before a POST is answered that doesn’t ask with ?ack=.',
  },
  ackAllow: {
    kind: 'choices',
    flag: 'ack-allow',
    env: 'MILLRACE_ACK_ALLOW',
    default: 'memory,disk,stored',
    choices: ['memory', 'disk', 'stored'],
    value: 'LEVELS',
    what: 'The levels that clients may ask for; the default one is among them.',
  },
  ackStoredLingerMs: {
    kind: 'duration',
    flag: 'ack-stored-linger',
    env: 'MILLRACE_ACK_STORED_LINGER',
    default: '200ms',
    min: 1,
    max: 3_600_000,
    value: 'TIME',
    what: 'How long a POST with ?ack=stored waits for others to share its object before the segment is sealed.',
  },
  ackStoredTimeoutMs: {
    kind: 'duration',
    flag: 'ack-stored-timeout',
    env: 'MILLRACE_ACK_STORED_TIMEOUT',
    default: '30s',
    min: 100,
    max: 3_600_000,
    value: 'TIME',
    what: 'How long a POST with ?ack=stored waits at the most; then the answer is 202 with "ack": "disk".',
  },
  idempotencyWindowMs: {
    kind: 'duration',
    flag: 'idempotency-window',
    env: 'MILLRACE_IDEMPOTENCY_WINDOW',
    default: '10m',
    min: 1000,
    max: 86_400_000,
    value: 'TIME',
    what: 'For how long a repeat with the same Idempotency-Key gets the first answer and stores nothing.',
  },
  idempotencyKeysMax: {
    kind: 'count',
    flag: 'idempotency-keys-max',
    env: 'MILLRACE_IDEMPOTENCY_KEYS_MAX',
    default: '100000',
    min: 1,
    max: 10_000_000,
    value: 'N',
    isDivided: true,
    what: 'How many keys are remembered at once, at about 400 bytes of memory each; past it the answer is 503.',
  },
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
    default: String(Math.max(1, availableParallelism() - 1)),
    defaultMeans: 'cores − 1, at least 1',
    min: 1,
    max: 256,
    value: 'N',
    isDivided: true,
    what: 'How many threads encode and deliver; each lane has at least one.',
  },
  lanes: {
    kind: 'count',
    flag: 'lanes',
    env: 'MILLRACE_LANES',
    default: String(LANES),
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
export interface Options {
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
