/**
 * One connection to the port: plain POSTs are read and answered here, one after the other. With the first request that is
 * anything else it is passed on, for good, to the runtime's HTTP server.
 */

import type { Sender } from '../journal/journal.ts'
import { joined } from '../platform/garbage.ts'
import type { Answer } from './answer.ts'
import { type Charge, decode, enter } from './body.ts'
import { type BodyPlace, type BodyRoom, RoomGuest } from './body-room.ts'
import { PassThrough, type Pipe, type PipeEvents } from './pass-through.ts'
import { type PlainPost, readPlainPost } from './plain-post.ts'
import { Post, type PostContext } from './post.ts'
import { problemAnswer } from './problem.ts'
import { headOf } from './wire.ts'

/** What connections need. */
export interface ConnectionContext {
  post: PostContext
  room: BodyRoom
  /** The time for the Date header. */
  httpDate(): string
  /** Opens a connection to the HTTP server that takes what isn't plain. */
  connect(events: PipeEvents): void
}

/** As much of a socket as is needed here. */
export interface ConnectionSocket extends Pipe {
  write(bytes: Uint8Array | string): number
}

type State =
  /** Waits for a head. */
  | 'head'
  /** Has the beginning of a body, and waits for room. */
  | 'waiting'
  /** Waits for the rest of a body. */
  | 'body'
  /** The request is complete, and its answer is to come. */
  | 'answering'
  /** The other end doesn't read its answer. */
  | 'flushing'
  | 'passed'
  | 'closed'

/** A request that isn't whole. */
interface Incoming {
  post: Post
  plain: PlainPost
  charge: Charge
  body: Buffer
  /** How much of it is there. */
  bytes: number
}

const NOTHING = Buffer.alloc(0)

/** What came is read in order; at most one request is under way, and what is behind it stays in the socket. */
export class Connection implements Sender {
  round = 0
  /** Something came since this was last set to false. */
  isActive = true
  readonly #socket: ConnectionSocket
  readonly #context: ConnectionContext
  #state: State = 'head'
  /** What came before its turn. */
  #early: Buffer = NOTHING
  #hasEnded = false
  #isPaused = false
  #isReading = false
  readonly #guest: RoomGuest
  /** The request whose body is on its way. */
  #incoming: Incoming | undefined
  /** Of a body that was refused before it came. */
  #skipBytes = 0
  #unsent: Uint8Array = NOTHING
  #isLast = false
  #passed: PassThrough | undefined
  readonly #free = (bytes: Uint8Array) => this.#context.post.garbage.free(bytes)
  readonly #onAnswer = (answer: Answer) => this.#answer(answer)

  constructor(socket: ConnectionSocket, context: ConnectionContext) {
    this.#socket = socket
    this.#context = context
    this.#guest = new RoomGuest(context.room)
  }

  /** It waits for its client, and nothing else would end that. */
  get isIdle(): boolean {
    return this.#state === 'head' || this.#state === 'flushing'
  }

  /** Bytes came. */
  data(chunk: Buffer): void {
    this.isActive = true
    if (this.#state === 'passed') return this.#pipe(chunk)
    if (this.#state === 'body') return this.#addToBody(chunk)
    this.#early = this.#early.length === 0 ? chunk : joined([this.#early, chunk], this.#free)
    if (this.#state === 'head') return this.#read()
    // Pipelined: it waits for its turn, in the kernel's memory rather than here.
    this.#pause()
  }

  /** The socket takes more. */
  drained(): void {
    if (this.#state === 'passed') return this.#passed?.clientDrained()
    if (this.#state === 'flushing') this.#flush()
  }

  /** The client sends no more; it may still want answers. */
  ended(): void {
    this.#hasEnded = true
    if (this.#state === 'passed') return this.#passed?.clientEnded()
    if (this.#state === 'head' || this.#state === 'body') this.#socket.end()
  }

  /** Nothing has happened on it for long enough. */
  abandon(): void {
    this.#socket.end()
  }

  /** It is gone. */
  closed(): void {
    this.#guest.leave()
    this.#forgetIncoming()
    if (this.#state === 'passed') this.#passed?.clientGone()
    this.#state = 'closed'
  }

  /** Reads requests for as long as each is answered at once. */
  #read(): void {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#state === 'head' && this.#early.length > 0) {
      const bytes = this.#early
      this.#early = NOTHING
      if (this.#skipBytes > 0) this.#skip(bytes)
      else this.#readHead(bytes)
      // No whole head yet.
      if (this.#early === bytes) break
    }
    this.#isReading = false
    // What is left is no whole request, and never will be.
    if (this.#hasEnded && this.#state === 'head') this.#close()
  }

  /** The body of a request that has its answer. */
  #skip(bytes: Buffer): void {
    const skipped = Math.min(this.#skipBytes, bytes.length)
    this.#skipBytes -= skipped
    this.#leave(bytes, skipped)
    if (this.#isLast && this.#skipBytes === 0) this.#close()
  }

  #readHead(bytes: Buffer): void {
    const plain = readPlainPost(bytes, this.#context.post.ack)
    if (plain === 'more') this.#early = bytes
    else if (plain === 'not-plain') this.#pass(bytes)
    else this.#begin(plain, bytes)
  }

  #begin(plain: PlainPost, bytes: Buffer): void {
    const { post: context } = this.#context
    const { bodyAt, bodyBytes, isLast } = plain
    const bodyEnd = bodyAt + bodyBytes
    if (isLast) this.#isLast = true
    const charge = enter(bodyBytes, context)
    if ('code' in charge) {
      this.#skipBytes = Math.max(0, bodyEnd - bytes.length)
      this.#leave(bytes, bodyEnd)
      return this.#answer(problemAnswer(charge))
    }
    const post = new Post(context, plain, charge, this.#onAnswer, this)
    if (bytes.length >= bodyEnd) {
      const body = bytes.subarray(bodyAt, bodyEnd)
      const isAlone = bytes.length === bodyEnd
      if (!isAlone) this.#early = bytes.subarray(bodyEnd)
      charge.place = this.#guest.came(bodyBytes)
      return this.#complete(post, plain, charge, body, isAlone ? bytes : body)
    }
    this.#incoming = { post, plain, charge, body: NOTHING, bytes: 0 }
    this.#early = bytes
    this.#state = 'waiting'
    post.await()
    if (this.#guest.waitsFor(bodyBytes, (place) => this.#receive(place))) this.#pause()
  }

  /** The body may be read. */
  #receive(place: BodyPlace | undefined): void {
    const { post, plain, charge } = this.#incoming as Incoming
    const bytes = this.#early
    this.#early = NOTHING
    charge.place = place
    this.#incoming = { post, plain, charge, body: Buffer.allocUnsafeSlow(plain.bodyBytes), bytes: 0 }
    this.#state = 'body'
    this.#resume()
    this.#addToBody(bytes, plain.bodyAt)
    // While it waited its client said that there is no more.
    if (this.#hasEnded && this.#state === 'body') this.#close()
  }

  #addToBody(chunk: Buffer, from = 0): void {
    const incoming = this.#incoming as Incoming
    const { post, plain, charge, body } = incoming
    const copied = chunk.copy(body, incoming.bytes, from)
    incoming.bytes += copied
    this.#leave(chunk, from + copied)
    if (incoming.bytes < body.length) return
    this.#incoming = undefined
    charge.place?.whole()
    this.#complete(post, plain, charge, body, body)
  }

  #complete(post: Post, { encoding }: PlainPost, charge: Charge, body: Buffer, memory: Buffer): void {
    this.#state = 'answering'
    if (encoding === null) return post.received(body, memory)
    decode(body, encoding, this.#context.post, charge).then(
      (decoded) => {
        if (decoded === body) return post.received(body, memory)
        this.#free(memory)
        post.received(decoded)
      },
      (error) => post.failed(error),
    )
  }

  /** The first `done` of these bytes were what was awaited; what is behind them waits for its turn. */
  #leave(bytes: Buffer, done: number): void {
    if (done < bytes.length) this.#early = bytes.subarray(done)
    else this.#free(bytes)
  }

  #answer(answer: Answer): void {
    if (this.#state === 'closed') return
    // Its time was over before it was whole.
    this.#forgetIncoming()
    if (answer.headers?.['connection'] === 'close') this.#isLast = true
    const bodyBytes = Buffer.byteLength(answer.body)
    const head = headOf(answer, bodyBytes, this.#context.httpDate(), this.#isLast)
    const taken = this.#socket.write(head + answer.body)
    this.#state = 'flushing'
    if (taken === head.length + bodyBytes) return this.#next()
    this.#unsent = Buffer.from(head + answer.body).subarray(Math.max(0, taken))
  }

  #forgetIncoming(): void {
    if (this.#incoming === undefined) return
    this.#guest.leave()
    this.#incoming.post.gone()
    this.#free(this.#incoming.body)
    this.#incoming = undefined
  }

  #flush(): void {
    const taken = this.#socket.write(this.#unsent)
    this.#unsent = this.#unsent.subarray(Math.max(0, taken))
    if (this.#unsent.length === 0) this.#next()
  }

  #next(): void {
    // With a body still to come it waits for that: bytes that nobody reads make a reset of the end, and it may overtake the answer.
    if (this.#isLast && this.#skipBytes === 0) return this.#close()
    this.#state = 'head'
    // What is read can't be given back, and may be half a megabyte: where there is no room, nothing is.
    const mayWait = this.#early.length === 0 && !this.#hasEnded
    if (mayWait && this.#guest.waitsFirst(() => this.#resume())) return this.#pause()
    this.#resume()
    this.#read()
  }

  #pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
  }

  #close(): void {
    this.#state = 'closed'
    this.#socket.end()
  }

  #pipe(chunk: Buffer): void {
    this.#context.post.garbage.add(chunk.length)
    this.#passed?.fromClient(chunk)
  }

  #pass(bytes: Buffer): void {
    this.#guest.leave()
    this.#state = 'passed'
    this.#passed = new PassThrough(this.#socket, this.#context.connect, bytes)
  }
}
