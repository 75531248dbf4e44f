/** Every error a client or an operator can meet: one row each, with what it means and what state things are in after it. */

/** A refusal, answered as RFC 9457 `application/problem+json`; over TCP as a line of it. */
export interface ProblemRow {
  status: number
  title: string
  /** Whether the same request can succeed later, unchanged. */
  retryable: boolean
  /** What holds after the refusal. */
  after: string
}

const NOTHING_KEPT = 'Nothing of the request was kept.'
const MEND_AND_REPEAT = `${NOTHING_KEPT} Mend the request, then send it again.`
const REPEAT_LATER = `${NOTHING_KEPT} Send it again after \`Retry-After\` seconds.`

/** Refusals, by the stable `code` in their body. */
export const PROBLEMS = {
  invalid_json: {
    status: 400,
    title: 'The body is not valid JSON',
    retryable: false,
    after: `${MEND_AND_REPEAT} \`offset\`, \`line\` and \`column\` say where.`,
  },
  invalid_utf8: {
    status: 400,
    title: 'The body is not valid UTF-8',
    retryable: false,
    after: `${MEND_AND_REPEAT} \`offset\` is the byte.`,
  },
  wrong_shape: {
    status: 400,
    title: 'The body does not have the expected shape',
    retryable: false,
    after: MEND_AND_REPEAT,
  },
  ack_not_allowed: {
    status: 400,
    title: 'This server does not give the ack level that was asked for',
    retryable: false,
    after: `${MEND_AND_REPEAT} \`detail\` names the levels.`,
  },
  idempotency_key_invalid: {
    status: 400,
    title: 'The Idempotency-Key is not one',
    retryable: false,
    after: MEND_AND_REPEAT,
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key belongs to another request',
    retryable: false,
    after: `${NOTHING_KEPT} The request that had the key first stands.`,
  },
  doubt_too_old: {
    status: 409,
    title: 'Whether an earlier request with this Idempotency-Key was kept is not known any more',
    retryable: false,
    after: `${NOTHING_KEPT} An earlier one with its key may have been, at the time that its sender says.`,
  },
  forward_loop: {
    status: 409,
    title: 'Lines of this very node have come back to it',
    retryable: false,
    after: `${NOTHING_KEPT} A server in a --to forwards to itself, or around a circle: change that.`,
  },
  idempotency_full: {
    status: 503,
    title: 'As many idempotency keys are remembered as may be',
    retryable: true,
    after: REPEAT_LATER,
  },
  corrupt_encoding: {
    status: 400,
    title: 'The body does not decompress',
    retryable: false,
    after: MEND_AND_REPEAT,
  },
  invalid_lines: {
    status: 400,
    title: 'No line of the body is valid JSON',
    retryable: false,
    after: `${MEND_AND_REPEAT} \`errors\` lists the first bad lines. (When at least one line is good the answer is 202.)`,
  },
  not_found: {
    status: 404,
    title: 'There is nothing at this path',
    retryable: false,
    after: NOTHING_KEPT,
  },
  receipt_unknown: {
    status: 404,
    title: 'No record is known by this receipt',
    retryable: false,
    after: 'Nothing was changed. Receipts are known for as long as `--ledger-days` says, where they were given.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This path does not take this method',
    retryable: false,
    after: `${NOTHING_KEPT} \`Allow\` names the methods.`,
  },
  body_timeout: {
    status: 408,
    title: 'The body did not arrive in time',
    retryable: true,
    after: `${NOTHING_KEPT} The connection is closed. Send it again.`,
  },
  body_too_large: {
    status: 413,
    title: 'The body is larger than this server takes',
    retryable: false,
    after: `${NOTHING_KEPT} Split it; the limit counts bytes after decompression.`,
  },
  too_many_payloads: {
    status: 413,
    title: 'The body holds more payloads than the queue can ever hold',
    retryable: false,
    after: `${NOTHING_KEPT} Split it.`,
  },
  line_too_long: {
    status: 413,
    title: 'A line is longer than this server takes',
    retryable: false,
    after: 'Over TCP: nothing of line `line` was kept, and the lines after it are read on. Split it.',
  },
  line_unfinished: {
    status: 400,
    title: 'The connection ended in the middle of a line',
    retryable: false,
    after:
      'Over TCP: nothing of line `line` was kept. Send it again with its line feed: a number without one may have been cut.',
  },
  idle_timeout: {
    status: 408,
    title: 'No whole line came in time',
    retryable: true,
    after: 'Over TCP: nothing from line `line` on was kept. The connection is closed; open another.',
  },
  too_many_connections: {
    status: 503,
    title: 'As many connections are open as may be',
    retryable: true,
    after: 'Over TCP: nothing was kept. The connection is closed; try again later.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'This path does not take this content type',
    retryable: false,
    after: `${NOTHING_KEPT} \`detail\` names what it takes.`,
  },
  unsupported_encoding: {
    status: 415,
    title: 'This content encoding is not supported',
    retryable: false,
    after: `${NOTHING_KEPT} \`Accept-Encoding\` names what is.`,
  },
  internal: {
    status: 500,
    title: 'The server failed in a way it should not',
    retryable: true,
    after: `${NOTHING_KEPT} It is logged; please report it.`,
  },
  queue_full: {
    status: 503,
    title: 'As many payloads are waiting as MAX_QUEUE allows',
    retryable: true,
    after: REPEAT_LATER,
  },
  journal_full: {
    status: 503,
    title: 'The journal has reached its size limit',
    retryable: true,
    after: REPEAT_LATER,
  },
  disk_full: {
    status: 503,
    title: 'The disk under the journal is full',
    retryable: true,
    after: REPEAT_LATER,
  },
  journal_failed: {
    status: 503,
    title: 'The journal could not be written',
    retryable: true,
    after: `It was not acknowledged; it may still be stored. Send it again after \`Retry-After\` seconds.`,
  },
  busy: {
    status: 503,
    title: 'More bytes are being received than memory is set aside for',
    retryable: true,
    after: REPEAT_LATER,
  },
  lane_down: {
    status: 503,
    title: 'The lane that has to answer this does not',
    retryable: true,
    after:
      'It was not acknowledged; it may still be stored. Send it again with the same `Idempotency-Key` after `Retry-After` seconds.',
  },
  stopping: {
    status: 503,
    title: 'The server is stopping',
    retryable: true,
    after: REPEAT_LATER,
  },
  destination_parked: {
    status: 503,
    title: 'The destination refuses objects until somebody mends it',
    retryable: true,
    after: 'Only `/readyz` answers this. Payloads are still accepted and kept in the journal.',
  },
} as const satisfies Record<string, ProblemRow>

/** The stable code of a refusal. */
export type ProblemCode = keyof typeof PROBLEMS

/** An operating error: the command ends with it. */
export interface FaultRow {
  exitCode: number
  title: string
  after: string
}

/** Operating errors, by the stable code printed with them. */
export const FAULTS = {
  config_invalid: {
    exitCode: 2,
    title: 'An option has a value that is not allowed',
    after: 'Nothing was started or changed.',
  },
  data_locked: {
    exitCode: 1,
    title: 'Another process is using the data directory',
    after: 'The other process goes on undisturbed; nothing was changed.',
  },
  data_unusable: {
    exitCode: 1,
    title: 'The data directory cannot be used',
    after: 'Nothing was accepted. What the journal holds stays as it is.',
  },
  journal_newer: {
    exitCode: 1,
    title: 'The journal was written by a newer version',
    after: 'Nothing was changed. Start that version or a newer one.',
  },
  listen_failed: {
    exitCode: 1,
    title: 'The address cannot be listened on',
    after: 'Nothing was accepted. What the journal holds is delivered after the next start.',
  },
  bench_failed: {
    exitCode: 1,
    title: 'A design could not be measured',
    after: 'Its processes are ended, its files are gone, and no page is written. No data directory was touched.',
  },
} as const satisfies Record<string, FaultRow>

/** The stable code of an operating error. */
export type FaultCode = keyof typeof FAULTS

/** An operating error with its stable code; `message` says what, where and what to do. */
export class Fault extends Error {
  readonly code: FaultCode

  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Fault'
    this.code = code
  }
}
