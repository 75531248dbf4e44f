/** Refusals: values inside intake, RFC 9457 `application/problem+json` on the wire. */

import { PROBLEMS, type ProblemCode } from '../observe/errors.ts'
import { type Answer, responseOf } from './answer.ts'

/** Why a request was refused. Members beside `code` and `detail` go into the answer as they are. */
export interface Refusal {
  code: ProblemCode
  /** What is wrong with this one request, and what to do. */
  detail: string
  /** For 503: how long the client had better wait. */
  retryAfterSeconds?: number
  members?: Readonly<Record<string, unknown>>
  headers?: Readonly<Record<string, string>>
}

/** A problem's type is its name, not an address: there is nothing to fetch. `docs/ERRORS.md` explains the codes. */
const TYPE_BASE = 'urn:problem:millrace:'

/** A refusal as JSON, on one line. */
export function problemText({ code, detail, members }: Refusal): string {
  const { status, title } = PROBLEMS[code]
  return JSON.stringify({ type: TYPE_BASE + code, title, status, code, detail, ...members })
}

/** The answer for a refusal. */
export function problemAnswer(refusal: Refusal): Answer {
  const { status } = PROBLEMS[refusal.code]
  const { retryAfterSeconds } = refusal
  const headers: Record<string, string> = { ...refusal.headers }
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
  return { status, contentType: 'application/problem+json', headers, body: problemText(refusal) }
}

/** The same as the runtime's HTTP server takes it. */
export function problemResponse(refusal: Refusal): Response {
  return responseOf(problemAnswer(refusal))
}
