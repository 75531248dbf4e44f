/** One POST, from its headers to its answer: received, checked, kept, acknowledged. */

import { AppendError, type Journal } from '../journal/journal.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import { type BodyContext, type Charge, CLOSE, enter, isPlain, readBody } from './body.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import { problemResponse, type Refusal } from './problem.ts'
import { type ReadShape, readCollection, readForm, readLines, readValueOrArray, type Shape } from './shapes.ts'

/** What handling a request needs. */
export interface RequestContext extends BodyContext {
  journal: Journal
  deadlines: Deadlines
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
export function intakeHandler(
  path: string,
  context: RequestContext,
): (request: Request) => Response | Promise<Response> {
  const readers = INTAKE_PATHS[path] ?? {}
  const types = Object.keys(readers).join(' or ')
  return (request) => {
    if (request.method !== 'POST') return notAllowed(path, 'POST')
    const contentType = request.headers.get('content-type')
    const read = readers[contentType ?? ''] ?? readers[mediaType(contentType)]
    if (!read) {
      const detail = `${path} takes ${types}, not '${contentType ?? 'no content type'}'`
      return problemResponse({ code: 'unsupported_media_type', detail, headers: { accept: types } })
    }
    const charge = enter(request, context)
    if ('code' in charge) return problemResponse(charge)
    return new Promise((answer) => void new Post(context, charge, answer).run(request, read))
  }
}

/** The answer to a method that a path doesn't take. */
export function notAllowed(path: string, allow: string): Response {
  return problemResponse({ code: 'method_not_allowed', detail: `${path} takes ${allow}`, headers: { allow } })
}

/** A request under way. */
class Post implements Expiring {
  startedMs = 0
  readonly #context: RequestContext
  readonly #charge: Charge
  readonly #answer: (response: Response) => void
  #isLate = false

  constructor(context: RequestContext, charge: Charge, answer: (response: Response) => void) {
    this.#context = context
    this.#charge = charge
    this.#answer = answer
  }

  /** Answers in every case; never rejects. One function, because each `async` one costs 3 % of all CPU here. */
  async run(request: Request, read: ReadShape): Promise<void> {
    const { journal, admission, deadlines, clock } = this.#context
    try {
      deadlines.start(this)
      const body = isPlain(request, this.#charge)
        ? new Uint8Array(await request.arrayBuffer())
        : await readBody(request, this.#context, this.#charge)
      deadlines.stop(this)
      // It came after its refusal: what was refused is not kept.
      if (this.#isLate) return
      const shape = body instanceof Uint8Array ? read(body) : body
      if ('code' in shape) return this.#refuse(shape)
      const { kind, payloads } = shape
      const full = admission.keep(payloads, shape.body.length)
      if (full) return this.#refuse(full)
      const receivedAtMs = clock.nowMs()
      const receipt = await journal.append({ kind, body: shape.body, payloads, receivedAtMs, source: SOURCE })
      this.#answer(accepted(receipt, shape))
    } catch (error) {
      deadlines.stop(this)
      this.#fail(error)
    } finally {
      admission.leave(this.#charge)
    }
  }

  /** The time for the body is over. */
  expire(): void {
    this.#isLate = true
    const detail = `the body took longer than ${this.#context.deadlines.limitMs} ms`
    this.#refuse({ code: 'body_timeout', detail, headers: CLOSE })
  }

  #refuse(refusal: Refusal): void {
    this.#answer(problemResponse(refusal))
  }

  #fail(error: unknown): void {
    if (error instanceof AppendError) return this.#refuse(notKept(error))
    // The client went away: nobody reads this answer.
    if ((error as Error)?.name === 'AbortError') return this.#answer(new Response(null, { status: 400 }))
    this.#context.observe({ kind: 'intake-failure', reason: String((error as Error)?.stack ?? error) })
    this.#refuse({ code: 'internal', detail: 'an unexpected error; the log has it' })
  }
}

function accepted(receipt: string, { payloads, rejected }: Shape): Response {
  const answer = `{"receipt":"${receipt}","accepted":${payloads},"ack":"disk"`
  const more = rejected ? `,"rejected":${rejected.count},"errors":${JSON.stringify(rejected.errors)}` : ''
  return new Response(`${answer}${more}}`, ACCEPTED)
}

function notKept({ refusal }: AppendError): Refusal {
  const detail = refusal === 'stopping' ? 'the server is stopping' : 'it is tried again shortly; the log says more'
  return { code: refusal, detail, retryAfterSeconds: RETRY_AFTER_SECONDS }
}

/** `Application/JSON; charset=utf-8` → `application/json`. */
function mediaType(contentType: string | null): string {
  return (contentType ?? '').split(';', 1).join('').trim().toLowerCase()
}
