/** What a TCP client is told: one JSON object a line. */

import { problemText, type Refusal } from './problem.ts'
import { rejectedMembers } from './rejected.ts'
import type { Shape } from './shapes.ts'

/** Which of the connection's lines an answer is about, from 1, blank ones counted. */
export interface LineRange {
  from: number
  to: number
}

/** They are kept, but for those that `errors` lists. */
export function keptLine(receipt: string, shape: Shape, { from, to }: LineRange): string {
  const start = `{"receipt":"${receipt}","accepted":${shape.payloads},"ack":"disk","lines":[${from},${to}]`
  return `${start}${rejectedMembers(shape)}}\n`
}

/** None of them is kept; `line` is the first that isn't. */
export function problemLine(refusal: Refusal, { from, to }: LineRange): string {
  return `${problemText({ ...refusal, members: { line: from, lines: [from, to], ...refusal.members } })}\n`
}

/** The last line of a connection that the server ends: nothing from line `line` on is kept. */
export function farewellLine(refusal: Refusal, line: number): string {
  return `${problemText({ ...refusal, members: { line } })}\n`
}

/** Errors of lines counted within a piece, as errors of the connection's lines; `before` are those before the piece. */
export function renumbered(shape: Shape, before: number): Shape {
  const { rejected } = shape
  if (!rejected) return shape
  const errors = rejected.errors.map((error) => ({ ...error, line: error.line + before }))
  return { ...shape, rejected: { ...rejected, errors } }
}

/** The problem of lines of which none is good: that of the line itself, where it is only one. */
export function badLines(refusal: Refusal, before: number): Refusal {
  const { errors = [] } = (refusal.members ?? {}) as {
    errors?: { line: number; code: Refusal['code']; detail: string }[]
  }
  const own = errors.map((error) => ({ ...error, line: error.line + before }))
  const [first] = own
  if (!first) return refusal
  const { line, code, detail } = first
  if (own.length === 1) return { code, detail, members: { line } }
  return { ...refusal, members: { line, ...refusal.members, errors: own } }
}
