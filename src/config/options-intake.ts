/** The options of intake: bounds on bodies, what an ack means, and what is remembered of keys. */

import { availableParallelism } from 'node:os'
import type { OptionRow } from './option-row.ts'

const MIB = 1024 ** 2

/** How many lanes there are by default. */
export const LANES = Math.max(1, Math.floor(availableParallelism() / 2))

/** Those that say what intake takes and answers. */
export const INTAKE_OPTIONS = {
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
} as const satisfies Record<string, OptionRow>
