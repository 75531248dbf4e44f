/** One POST, from its body to its answer: checked, kept, acknowledged. Whoever has the connection hears the answer. */

import type { AppendRefusal, Journal, Sender, Waiter } from '../journal/journal.ts'
import { parseReceipt, type ReceiptParts } from '../journal/name.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import type { Garbage } from '../platform/garbage.ts'
import type { AckLevel, AckOptions } from './ack.ts'
import { type Answer, jsonAnswer, REPLAYED } from './answer.ts'
import { type BodyContext, type Charge, CLOSE } from './body.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import type { Idempotency, Turn } from './idempotency.ts'
import { hasLineOf } from './made-lines.ts'
import { problemAnswer, type Refusal } from './problem.ts'
import { rejectedMembers, repeatableMembers } from './rejected.ts'
import type { ReadShape, Shape } from './shapes.ts'
import type { StoredWaiter } from './stored-waiters.ts'

/** What handling a POST needs. */
export interface PostContext extends BodyContext {
  /** This node's id. */
  node: string
  journal: Journal
  deadlines: Deadlines
  clock: Clock
  /** What bodies leave behind. */
  garbage: Garbage
  observe: Observer
  ack: AckOptions
  idempotency: Idempotency
  /** Keys of lines that another Millrace has made; undefined where such are not taken. */
  madeIdempotency: Idempotency | undefined
  /** Gives a POST to the lane that remembers its key; undefined where that is this one. Never rejects. */
  passOn: (post: KeyedPost) => Promise<Answer> | undefined
}

/** A POST with an Idempotency-Key, received whole and not yet looked into. */
export interface KeyedPost {
  path: string
  ack: AckLevel
  contentType: string
  key: string
  /** The header `DOUBT_HEADER`, where there is one. */
  doubt?: string | null
  body: Uint8Array
}

/** What a POST says before its body comes. */
export interface PostHead {
  path: string
  /** As it stands in the header. */
  contentType: string
  read: ReadShape
  ack: AckLevel
  /** The Idempotency-Key header; null for none. */
  key: string | null
  /** The header `DOUBT_HEADER`, where there is one. */
  doubt?: string | null
}

/** Until tokens have names, everything comes from one source. */
const SOURCE = 'default'
const RETRY_AFTER_SECONDS = 1
const LOOP: Refusal = {
  code: 'forward_loop',
  detail: 'lines of this node have come back to it: its --to, or that of a server behind it, names it itself',
}

/**
 * A request under way. The hot path is plain calls from one method to the next: each `async` function and each promise
 * that isn't there saves 3 to 4 % of all CPU at one payload a POST.
 */
export class Post implements Expiring, Waiter, StoredWaiter {
  startedMs = 0
  readonly #context: PostContext
  readonly #head: PostHead
  readonly #charge: Charge
  readonly #answer: (answer: Answer) => void
  readonly sender: Sender | undefined
  /** What the body lies in. */
  #memory: Uint8Array | undefined
  #shape: Shape | undefined
  #receipt = ''
  /** Tells those who sent the same again how this one ended. */
  #first: Extract<Turn, { kind: 'first' }> | undefined
  #isLate = false
  #isRepeat = false
  /** Answered before it was on the disk, as the client asked. */
  #isAcked = false

  /** `charge` is what was set aside for the body; `answer` is called once, whatever happens. */
  constructor(context: PostContext, head: PostHead, charge: Charge, answer: (answer: Answer) => void, sender?: Sender) {
    this.#context = context
    this.#head = head
    this.#charge = charge
    this.#answer = answer
    this.sender = sender
  }

  /** The body is still to come: its time begins. */
  await(): void {
    this.#context.deadlines.start(this)
  }

  /** The time for the body is over. */
  expire(): void {
    this.#isLate = true
    const detail = `the body took longer than ${this.#context.deadlines.limitMs} ms`
    this.#answer(problemAnswer({ code: 'body_timeout', detail, headers: CLOSE }))
  }

  /** The body has come, or can't be taken. It is this request's from now on, and so is all of the `memory` that it lies in. */
  received(body: Uint8Array | Refusal, memory?: Uint8Array): void {
    this.#context.deadlines.stop(this)
    this.#memory = memory ?? ('code' in body ? undefined : body)
    // It came after its refusal: what was refused is not kept.
    if (this.#isLate) return this.#leave()
    try {
      this.#keep(body)
    } catch (error) {
      this.failed(error)
    }
  }

  /** The client went away before its body was there: there is nobody to answer. */
  gone(): void {
    this.#context.deadlines.stop(this)
    this.#charge.place?.leave()
    this.#context.admission.leave(this.#charge)
  }

  /** Something that nobody expected. */
  failed(error: unknown): void {
    this.#context.deadlines.stop(this)
    // Who knows who still has it.
    this.#memory = undefined
    this.#context.observe({ kind: 'intake-failure', reason: String((error as Error)?.stack ?? error) })
    this.#refuse({ code: 'internal', detail: 'an unexpected error; the log has it' })
  }

  /** The journal has the body: nothing else needs it. */
  copied(): void {
    this.#free()
  }

  /** The record is durable. */
  kept(receipt: string): void {
    if (this.#head.ack === 'stored') return this.#awaitStored(receipt)
    this.#context.admission.leave(this.#charge)
    // To an ack of memory this is no news: it has been answered.
    if (!this.#isAcked) this.#acknowledge(receipt, 'disk', '', 202)
  }

  /** The record's objects are at the destination. */
  stored(objects: string[]): void {
    this.#acknowledge(this.#receipt, 'stored', `,"objects":${JSON.stringify(objects)}`, 201)
  }

  /** They are not, and the client has waited long enough: what is true is that the record is on the disk. */
  notYet(): void {
    this.#acknowledge(this.#receipt, 'disk', '', 202)
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

  #keep(received: Uint8Array | Refusal): void {
    if ('code' in received) return this.#refuse(received)
    const { key, read } = this.#head
    if (key !== null && this.#isPassedOn(key, received)) return
    const shape = read(received)
    if ('code' in shape) return this.#refuse(shape)
    if (shape.kind === 'made' && hasLineOf(this.#context.node, shape.body)) return this.#refuse(LOOP)
    const { journal, admission, clock } = this.#context
    this.#shape = shape
    if (key !== null && !this.#isFirst(key, received, shape)) return
    const full = admission.keep(shape.payloads, shape.body.length)
    if (full) return this.#refuse(full)
    const { kind, body: kept, payloads } = shape
    const record = { kind, body: kept, payloads, receivedAtMs: clock.nowMs(), source: SOURCE }
    journal.append(this.#first ? { ...record, note: this.#first.note } : record, this)
    if (this.#head.ack !== 'memory') return
    this.#isAcked = true
    this.#acknowledge('', 'memory', '', 202)
  }

  /** Whether another lane answers this. Its memory stays set aside until then. */
  #isPassedOn(key: string, body: Uint8Array): boolean {
    const answer = this.#context.passOn({ ...this.#head, key, body })
    // That may take long, and is not what others' bodies wait for.
    if (answer) this.#charge.place?.leave()
    void answer?.then((theirs) => this.#finish(theirs))
    return answer !== undefined
  }

  /** Whether this request is the first with its key, so that it goes on; a repeat waits for the first one's answer. */
  #isFirst(key: string, body: Uint8Array, shape: Shape): boolean {
    const { path, ack, doubt } = this.#head
    const doubtMs = Number(doubt ?? 0) * 1000
    const turn = this.#context.idempotency.begin(key, path, body, repeatableMembers(shape), ack, doubtMs)
    if (turn.kind === 'first') {
      this.#first = turn
      return true
    }
    if (turn.kind === 'refused') this.#refuse(turn.refusal)
    else {
      // What counts of a repeat is known.
      this.#free()
      turn.told((outcome) => {
        if (outcome.kind === 'refusal') return this.#refuse(outcome.refusal)
        const { status, body, receipt } = outcome.answer
        this.#isRepeat = true
        if (receipt !== undefined && ack === 'stored') return this.#awaitStoredAgain(receipt)
        this.#finish({ ...jsonAnswer(status, body), headers: REPLAYED })
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

  /** What is acked from memory has no receipt: its place in the journal isn't decided yet. */
  #acknowledge(receipt: string, ack: AckLevel, more: string, status: number): void {
    const shape = this.#shape as Shape
    const named = receipt === '' ? '' : `"receipt":"${receipt}",`
    const start = `{${named}"accepted":${shape.payloads},"ack":"${ack}"${more}`
    if (this.#first) {
      const answer = { status, body: `${start}${repeatableMembers(shape)}}` }
      this.#first.ended({ kind: 'answer', answer })
    }
    const answer = jsonAnswer(status, `${start}${rejectedMembers(shape)}}`)
    this.#answer(this.#isRepeat ? { ...answer, headers: REPLAYED } : answer)
  }

  #refuse(refusal: Refusal): void {
    this.#first?.ended({ kind: 'refusal', refusal })
    this.#finish(problemAnswer(refusal))
  }

  #finish(answer: Answer): void {
    this.#leave()
    this.#answer(answer)
  }

  #leave(): void {
    this.#free()
    this.#context.admission.leave(this.#charge)
  }

  #free(): void {
    this.#charge.place?.leave()
    const memory = this.#memory
    this.#memory = undefined
    if (memory !== undefined) this.#context.garbage.free(memory)
  }
}
