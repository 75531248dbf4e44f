/** One POST, from its headers to its answer: received, checked, kept, acknowledged. */

import { AppendError, type Journal } from '../journal/journal.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import { type BodyContext, enter, readBody } from './body.ts'
import { problemResponse, type Refusal } from './problem.ts'
import { type ReadShape, readCollection, readForm, readLines, readValueOrArray, type Shape } from './shapes.ts'

/** What handling a request needs. */
export interface RequestContext extends BodyContext {
  journal: Journal
  clock: Clock
  observe: Observer
}

/** For each path, the content types it takes and how each is read. */
export const INTAKE_PATHS: Readonly<Record<string, Readonly<Record<string, ReadShape>>>> = {
  '/payload': { 'application/json': readCollection },
  '/payloads': { 'application/json': readValueOrArray, 'application/x-ndjson': readLines },
  '/submit': { 'application/x-www-form-urlencoded': readForm },
}

/** Until tokens have names, everything comes from one source. */
const SOURCE = 'default'
const RETRY_AFTER_SECONDS = 1
const ACCEPTED = { status: 202, headers: { 'content-type': 'application/json' } }

/** Makes the handler of one intake path. Its promise never rejects. */
export function intakeHandler(path: string, context: RequestContext): (request: Request) => Promise<Response> {
  const readers = INTAKE_PATHS[path] ?? {}
  const types = Object.keys(readers).join(' or ')
  return async (request) => {
    if (request.method !== 'POST') return notAllowed(path, 'POST')
    const contentType = request.headers.get('content-type')
    const read = readers[contentType ?? ''] ?? readers[mediaType(contentType)]
    if (!read) {
      const detail = `${path} takes ${types}, not '${contentType ?? 'no content type'}'`
      return problemResponse({ code: 'unsupported_media_type', detail, headers: { accept: types } })
    }
    const charge = enter(request, context)
    if ('code' in charge) return problemResponse(charge)
    try {
      const body = await readBody(request, context, charge)
      if ('code' in body) return problemResponse(body)
      const shape = read(body)
      return 'code' in shape ? problemResponse(shape) : await keep(shape, context)
    } catch (error) {
      // The client went away: nobody reads this answer.
      if ((error as Error)?.name === 'AbortError') return new Response(null, { status: 400 })
      context.observe({ kind: 'intake-failure', reason: String((error as Error)?.stack ?? error) })
      return problemResponse({ code: 'internal', detail: 'an unexpected error; the log has it' })
    } finally {
      context.admission.leave(charge)
    }
  }
}

/** The answer to a method that a path doesn't take. */
export function notAllowed(path: string, allow: string): Response {
  return problemResponse({ code: 'method_not_allowed', detail: `${path} takes ${allow}`, headers: { allow } })
}

async function keep(shape: Shape, { journal, admission, clock }: RequestContext): Promise<Response> {
  const { kind, body, payloads, rejected } = shape
  const refusal = admission.keep(payloads, body.length)
  if (refusal) return problemResponse(refusal)
  try {
    const receipt = await journal.append({ kind, body, payloads, receivedAtMs: clock.nowMs(), source: SOURCE })
    const answer = `{"receipt":"${receipt}","accepted":${payloads},"ack":"disk"}`
    if (!rejected) return new Response(answer, ACCEPTED)
    const more = { rejected: rejected.count, errors: rejected.errors }
    return new Response(JSON.stringify({ ...JSON.parse(answer), ...more }), ACCEPTED)
  } catch (error) {
    if (error instanceof AppendError) return problemResponse(notKept(error))
    throw error
  }
}

function notKept(error: AppendError): Refusal {
  const detail =
    error.refusal === 'stopping' ? 'the server is stopping' : 'it is tried again shortly; the log says more'
  return { code: error.refusal, detail, retryAfterSeconds: RETRY_AFTER_SECONDS }
}

/** `Application/JSON; charset=utf-8` → `application/json`. */
function mediaType(contentType: string | null): string {
  return (contentType ?? '').split(';', 1).join('').trim().toLowerCase()
}
