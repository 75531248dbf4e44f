/** One POST, from its headers to its answer: received, checked, kept, acknowledged. */

import type { AppendRefusal, Journal, Waiter } from '../journal/journal.ts'
import { parseReceipt, type ReceiptParts } from '../journal/name.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import { type AckLevel, type AckOptions, wantedAck } from './ack.ts'
import { type BodyContext, type Charge, CLOSE, enter, isPlain, readBody } from './body.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import { problemResponse, type Refusal } from './problem.ts'
import { type ReadShape, readCollection, readForm, readLines, readValueOrArray, type Shape } from './shapes.ts'
import type { StoredWaiter } from './stored-waiters.ts'

/** What handling a request needs. */
export interface RequestContext extends BodyContext {
  journal: Journal
  deadlines: Deadlines
  clock: Clock
  observe: Observer
  ack: AckOptions
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
const STORED = { status: 201, headers: { 'content-type': 'application/json' } }
const ACCEPTED = { status: 202, headers: { 'content-type': 'application/json' } }

/** Makes the handler of one intake path. Its promise never rejects: whatever happens, there is an answer. */
export function intakeHandler(
  path: string,
  context: RequestContext,
): (request: Request) => Response | Promise<Response> {
  const readers = new Map(Object.entries(INTAKE_PATHS[path] ?? {}))
  const types = [...readers.keys()].join(' or ')
  return (request) => {
    if (request.method !== 'POST') return notAllowed(path, 'POST')
    const contentType = request.headers.get('content-type')
    const read = readers.get(contentType ?? '') ?? readers.get(mediaType(contentType))
    if (!read) {
      const detail = `${path} takes ${types}, not '${contentType ?? 'no content type'}'`
      return problemResponse({
        code: 'unsupported_media_type',
        detail,
        headers: { accept: [...readers.keys()].join(', ') },
      })
    }
    const ack = wantedAck(request.url, context.ack)
    if (typeof ack !== 'string') return problemResponse(ack)
    const charge = enter(request, context)
    if ('code' in charge) return problemResponse(charge)
    return new Promise((answer) => new Post(context, charge, read, ack, answer).receive(request))
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
class Post implements Expiring, Waiter, StoredWaiter {
  startedMs = 0
  readonly #context: RequestContext
  readonly #charge: Charge
  readonly #read: ReadShape
  readonly #ack: AckLevel
  readonly #answer: (response: Response) => void
  #shape: Shape | undefined
  #receipt = ''
  #isLate = false
  /** Answered before it was on the disk, as the client asked. */
  #isAcked = false

  constructor(
    context: RequestContext,
    charge: Charge,
    read: ReadShape,
    ack: AckLevel,
    answer: (response: Response) => void,
  ) {
    this.#context = context
    this.#charge = charge
    this.#read = read
    this.#ack = ack
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
    if (this.#ack === 'stored') this.#awaitStored(receipt)
    // To an ack of memory this is no news: it has been answered.
    else this.#finish(accepted(receipt, this.#shape as Shape))
  }

  /** The record's objects are at the destination. */
  stored(objects: string[]): void {
    const more = `,"objects":${JSON.stringify(objects)}`
    this.#answer(acknowledged(this.#receipt, this.#shape as Shape, 'stored', more, STORED))
  }

  /** They are not, and the client has waited long enough: what is true is that the record is on the disk. */
  notYet(): void {
    this.#answer(accepted(this.#receipt, this.#shape as Shape))
  }

  /** The journal could not keep the record. */
  refused(refusal: AppendRefusal): void {
    if (this.#isAcked) {
      const { payloads } = this.#shape as Shape
      this.#context.observe({ kind: 'memory-ack-broken', payloads, reason: refusal })
    }
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
    if (this.#ack !== 'memory') return
    this.#isAcked = true
    this.#answer(acknowledged('', shape, 'memory', '', ACCEPTED))
  }

  #awaitStored(receipt: string): void {
    const { admission, journal, ack } = this.#context
    // The body is on the disk: only the connection waits.
    admission.leave(this.#charge)
    this.#receipt = receipt
    ack.storedWaiters.wait(parseReceipt(receipt) as ReceiptParts, this)
    journal.hasten(ack.storedLingerMs)
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

function accepted(receipt: string, shape: Shape): Response {
  return acknowledged(receipt, shape, 'disk', '', ACCEPTED)
}

/** What is acked from memory has no receipt: its place in the journal isn't decided yet. */
function acknowledged(receipt: string, shape: Shape, ack: AckLevel, more: string, init: ResponseInit): Response {
  const { payloads, rejected } = shape
  const named = receipt === '' ? '' : `"receipt":"${receipt}",`
  const errors = rejected ? `,"rejected":${rejected.count},"errors":${JSON.stringify(rejected.errors)}` : ''
  return new Response(`{${named}"accepted":${payloads},"ack":"${ack}"${more}${errors}}`, init)
}

/** `Application/JSON; charset=utf-8` → `application/json`. */
function mediaType(contentType: string | null): string {
  return (contentType ?? '').split(';', 1).join('').trim().toLowerCase()
}
