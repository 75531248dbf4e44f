/** One POST, from its headers to its answer: received, checked, kept, acknowledged. */

import type { AppendRefusal, Journal, Waiter } from '../journal/journal.ts'
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

/** Makes the handler of one intake path. Its promise never rejects: whatever happens, there is an answer. */
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
    return new Promise((answer) => new Post(context, charge, read, answer).receive(request))
  }
}

/** The answer to a method that a path doesn't take. */
export function notAllowed(path: string, allow: string): Response {
  return problemResponse({ code: 'method_not_allowed', detail: `${path} takes ${allow}`, headers: { allow } })
}

/**
 * A request under way. The hot path is plain calls from one method to the next: each `async` function and each promise
 * that isn't there saves 3 to 4 % of all CPU at one payload a POST.
 */
class Post implements Expiring, Waiter {
  startedMs = 0
  readonly #context: RequestContext
  readonly #charge: Charge
  readonly #read: ReadShape
  readonly #answer: (response: Response) => void
  #shape: Shape | undefined
  #isLate = false

  constructor(context: RequestContext, charge: Charge, read: ReadShape, answer: (response: Response) => void) {
    this.#context = context
    this.#charge = charge
    this.#read = read
    this.#answer = answer
  }

  /** Takes the body in. */
  receive(request: Request): void {
    this.#context.deadlines.start(this)
    const body = isPlain(request, this.#charge) ? request.arrayBuffer() : readBody(request, this.#context, this.#charge)
    body.then(
      (received) => this.#received(received),
      (error) => this.#failed(error),
    )
  }

  /** The time for the body is over. */
  expire(): void {
    this.#isLate = true
    const detail = `the body took longer than ${this.#context.deadlines.limitMs} ms`
    this.#answer(problemResponse({ code: 'body_timeout', detail, headers: CLOSE }))
  }

  /** The record is durable. */
  kept(receipt: string): void {
    this.#finish(accepted(receipt, this.#shape as Shape))
  }

  /** The journal could not keep the record. */
  refused(refusal: AppendRefusal): void {
    const detail = refusal === 'stopping' ? 'the server is stopping' : 'it is tried again shortly; the log says more'
    this.#refuse({ code: refusal, detail, retryAfterSeconds: RETRY_AFTER_SECONDS })
  }

  #received(received: ArrayBuffer | Uint8Array | Refusal): void {
    this.#context.deadlines.stop(this)
    // It came after its refusal: what was refused is not kept.
    if (this.#isLate) return this.#context.admission.leave(this.#charge)
    try {
      this.#keep(received instanceof ArrayBuffer ? new Uint8Array(received) : received)
    } catch (error) {
      this.#failed(error)
    }
  }

  #keep(body: Uint8Array | Refusal): void {
    const shape = body instanceof Uint8Array ? this.#read(body) : body
    if ('code' in shape) return this.#refuse(shape)
    const { journal, admission, clock } = this.#context
    const full = admission.keep(shape.payloads, shape.body.length)
    if (full) return this.#refuse(full)
    this.#shape = shape
    const { kind, body: kept, payloads } = shape
    journal.append({ kind, body: kept, payloads, receivedAtMs: clock.nowMs(), source: SOURCE }, this)
  }

  #failed(error: unknown): void {
    this.#context.deadlines.stop(this)
    // The client went away: nobody reads this answer.
    if ((error as Error)?.name === 'AbortError') return this.#finish(new Response(null, { status: 400 }))
    this.#context.observe({ kind: 'intake-failure', reason: String((error as Error)?.stack ?? error) })
    this.#refuse({ code: 'internal', detail: 'an unexpected error; the log has it' })
  }

  #refuse(refusal: Refusal): void {
    this.#finish(problemResponse(refusal))
  }

  #finish(response: Response): void {
    this.#context.admission.leave(this.#charge)
    this.#answer(response)
  }
}

function accepted(receipt: string, { payloads, rejected }: Shape): Response {
  const answer = `{"receipt":"${receipt}","accepted":${payloads},"ack":"disk"`
  const more = rejected ? `,"rejected":${rejected.count},"errors":${JSON.stringify(rejected.errors)}` : ''
  return new Response(`${answer}${more}}`, ACCEPTED)
}

/** `Application/JSON; charset=utf-8` → `application/json`. */
function mediaType(contentType: string | null): string {
  return (contentType ?? '').split(';', 1).join('').trim().toLowerCase()
}
