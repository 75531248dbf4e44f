/** The contract with a function that takes payloads where a destination would: what it is given, and how it says no for good. */

/** What stands for a function where others have the name of a destination. */
export const HANDLER = 'handler'

/** What a call is about. */
export interface HandlerContext {
  /** The record's name. With `index` it names this call: both are the same whenever it is repeated. */
  receipt: string
  /** The place in the record of the first payload that is given: 0, unless they come one by one. */
  index: number
  receivedAtMs: number
  /** The collection's; null for payloads that came otherwise. */
  version: string | null
  source: string
  /** 1 for the first since the start. */
  attempt: number
  /** Aborts when time is up, or the server stops: what the call comes to after that is not heard any more. */
  signal: AbortSignal
}

/** Takes payloads. Whatever it throws is tried again, except a `DeadLetter`. */
export type Handler<Payload> = (payloads: Payload[], context: HandlerContext) => unknown

/** What a function is given at a call: all of a record, or one payload. */
export type Batch = 'record' | 'payload'

/** The longest reason that is kept of a dead letter, and the longest that is told of a failure. */
const REASON_LENGTH_MAX = 500

/** Thrown by a function that will never take these payloads: they are kept in `dead/`, and not given to it again. */
export class DeadLetter extends Error {
  override readonly name = 'DeadLetter'
  readonly code = 'dead_letter'
}

/** Why payloads are never to be given again; undefined for any other error. An error's code will do: not everybody imports the class. */
export function deadReason(error: unknown): string | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return code === 'dead_letter' ? inOneLine(String(message ?? '') || 'no reason was given') : undefined
}

/** What is told of a failure. */
export function failureReason(error: unknown): string {
  return inOneLine(String(error))
}

function inOneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, REASON_LENGTH_MAX)
}
