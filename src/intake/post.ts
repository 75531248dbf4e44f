/** One POST, from its headers to its answer: received, checked, kept, acknowledged. */

import type { AppendRefusal, Journal, Waiter } from '../journal/journal.ts'
import { parseReceipt, type ReceiptParts } from '../journal/name.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import type { Garbage } from '../platform/garbage.ts'
import { type AckLevel, type AckOptions, wantedAck } from './ack.ts'
import { ACCEPTED, type AnswerInit, marked, rejectedMembers, repeatableMembers, STORED } from './answer.ts'
import { type BodyContext, type Charge, CLOSE, enter, isPlain, readBody } from './body.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import type { Idempotency, Turn } from './idempotency.ts'
import { problemResponse, type Refusal } from './problem.ts'
import { type ReadShape, readCollection, readForm, readLines, readValueOrArray, type Shape } from './shapes.ts'
import type { StoredWaiter } from './stored-waiters.ts'

/** What handling a request needs. */
export interface RequestContext extends BodyContext {
  journal: Journal
  deadlines: Deadlines
  clock: Clock
  /** What bodies leave behind. */
  garbage: Garbage
  observe: Observer
  ack: AckOptions
  idempotency: Idempotency
  /** Gives a POST to the lane that remembers its key; undefined where that is this one. Never rejects. */
  passOn: (post: KeyedPost) => Promise<Response> | undefined
}

/** A POST with an Idempotency-Key, received whole and not yet looked into. */
export interface KeyedPost {
  path: string
  ack: AckLevel
  contentType: string
  key: string
  body: Uint8Array
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
    return new Promise((answer) => new Post(context, charge, read, ack, path, answer).receive(request))
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
  readonly #path: string
  readonly #answer: (response: Response) => void
  #shape: Shape | undefined
  #receipt = ''
  /** The Idempotency-Key header; null for none. */
  #key: string | null = null
  #contentType = ''
  /** Tells those who sent the same again how this one ended. */
  #first: Extract<Turn, { kind: 'first' }> | undefined
  #isLate = false
  #isRepeat = false
  /** Answered before it was on the disk, as the client asked. */
  #isAcked = false

  constructor(
    context: RequestContext,
    charge: Charge,
    read: ReadShape,
    ack: AckLevel,
    path: string,
    answer: (response: Response) => void,
  ) {
    this.#context = context
    this.#charge = charge
    this.#read = read
    this.#ack = ack
    this.#path = path
    this.#answer = answer
  }

  /** Takes the body in. */
  receive(request: Request): void {
    this.#context.deadlines.start(this)
    this.#key = request.headers.get('idempotency-key')
    if (this.#key !== null) this.#contentType = request.headers.get('content-type') ?? ''
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
    if (this.#ack === 'stored') return this.#awaitStored(receipt)
    this.#context.admission.leave(this.#charge)
    // To an ack of memory this is no news: it has been answered.
    if (!this.#isAcked) this.#acknowledge(receipt, 'disk', '', ACCEPTED)
  }

  /** The record's objects are at the destination. */
  stored(objects: string[]): void {
    this.#acknowledge(this.#receipt, 'stored', `,"objects":${JSON.stringify(objects)}`, STORED)
  }

  /** They are not, and the client has waited long enough: what is true is that the record is on the disk. */
  notYet(): void {
    this.#acknowledge(this.#receipt, 'disk', '', ACCEPTED)
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
      if (!('code' in received)) this.#context.garbage.add(received.byteLength)
      this.#keep(received instanceof ArrayBuffer ? new Uint8Array(received) : received)
    } catch (error) {
      this.#failed(error)
    }
  }

  #keep(received: Uint8Array | Refusal): void {
    if ('code' in received) return this.#refuse(received)
    if (this.#key !== null && this.#isPassedOn(this.#key, received)) return
    const shape = this.#read(received)
    if ('code' in shape) return this.#refuse(shape)
    const { journal, admission, clock } = this.#context
    this.#shape = shape
    if (this.#key !== null && !this.#isFirst(this.#key, received, shape)) return
    const full = admission.keep(shape.payloads, shape.body.length)
    if (full) return this.#refuse(full)
    const { kind, body: kept, payloads } = shape
    const record = { kind, body: kept, payloads, receivedAtMs: clock.nowMs(), source: SOURCE }
    journal.append(this.#first ? { ...record, note: this.#first.note } : record, this)
    if (this.#ack !== 'memory') return
    this.#isAcked = true
    this.#acknowledge('', 'memory', '', ACCEPTED)
  }

  /** Whether another lane answers this. Its memory stays set aside until then. */
  #isPassedOn(key: string, body: Uint8Array): boolean {
    const post = { path: this.#path, ack: this.#ack, contentType: this.#contentType, key, body }
    const answer = this.#context.passOn(post)
    void answer?.then((response) => this.#finish(response))
    return answer !== undefined
  }

  /** Whether this request is the first with its key, so that it goes on; a repeat waits for the first one's answer. */
  #isFirst(key: string, body: Uint8Array, shape: Shape): boolean {
    const turn = this.#context.idempotency.begin(key, this.#path, body, repeatableMembers(shape), this.#ack)
    if (turn.kind === 'first') {
      this.#first = turn
      return true
    }
    if (turn.kind === 'refused') this.#refuse(turn.refusal)
    else {
      turn.told((outcome) => {
        if (outcome.kind === 'refusal') return this.#refuse(outcome.refusal)
        const { status, body, receipt } = outcome.answer
        this.#isRepeat = true
        if (receipt !== undefined && this.#ack === 'stored') return this.#awaitStoredAgain(receipt)
        this.#finish(new Response(body, marked({ ...ACCEPTED, status })))
      })
    }
    return false
  }

  #awaitStored(receipt: string): void {
    const { admission, journal, ack } = this.#context
    // The body is on the disk: only the connection waits.
    admission.leave(this.#charge)
    this.#receipt = receipt
    ack.storedWaiters.wait(parseReceipt(receipt) as ReceiptParts, this)
    journal.hasten(ack.storedLingerMs)
  }

  /** The first one's process is gone: its record is waited for as it would have been there, if it isn't stored already. */
  #awaitStoredAgain(receipt: string): void {
    const { admission, journal, ack } = this.#context
    const { segment, tag, place } = parseReceipt(receipt) as ReceiptParts
    if (journal.holds(segment, tag, place)) return this.#awaitStored(receipt)
    admission.leave(this.#charge)
    this.#receipt = receipt
    ack.storedIn(receipt).then(
      (objects) => (objects ? this.stored(objects) : this.notYet()),
      (error) => {
        this.#context.observe({ kind: 'intake-failure', reason: String((error as Error)?.stack ?? error) })
        this.notYet()
      },
    )
  }

  #failed(error: unknown): void {
    this.#context.deadlines.stop(this)
    // The client went away: nobody reads this answer.
    if ((error as Error)?.name === 'AbortError') return this.#finish(new Response(null, { status: 400 }))
    this.#context.observe({ kind: 'intake-failure', reason: String((error as Error)?.stack ?? error) })
    this.#refuse({ code: 'internal', detail: 'an unexpected error; the log has it' })
  }

  /** What is acked from memory has no receipt: its place in the journal isn't decided yet. */
  #acknowledge(receipt: string, ack: AckLevel, more: string, init: AnswerInit): void {
    const shape = this.#shape as Shape
    const named = receipt === '' ? '' : `"receipt":"${receipt}",`
    const start = `{${named}"accepted":${shape.payloads},"ack":"${ack}"${more}`
    if (this.#first) {
      const answer = { status: init.status, body: `${start}${repeatableMembers(shape)}}` }
      this.#first.ended({ kind: 'answer', answer })
    }
    this.#answer(new Response(`${start}${rejectedMembers(shape)}}`, this.#isRepeat ? marked(init) : init))
  }

  #refuse(refusal: Refusal): void {
    this.#first?.ended({ kind: 'refusal', refusal })
    this.#finish(problemResponse(refusal))
  }

  #finish(response: Response): void {
    this.#context.admission.leave(this.#charge)
    this.#answer(response)
  }
}

/** `Application/JSON; charset=utf-8` → `application/json`. */
function mediaType(contentType: string | null): string {
  return (contentType ?? '').split(';', 1).join('').trim().toLowerCase()
}
