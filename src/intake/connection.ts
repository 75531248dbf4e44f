/**
 * One connection to the port: plain POSTs are read and answered here, one after the other. With the first request that is
 * anything else it is passed on, for good, to the runtime's HTTP server.
 */

import type { Answer } from './answer.ts'
import { type Charge, decode, enter } from './body.ts'
import { PassThrough, type PipeEvents } from './pass-through.ts'
import { HEAD_BYTES_MAX, type PlainPost, readPlainPost } from './plain-post.ts'
import { Post, type PostContext } from './post.ts'
import { problemAnswer } from './problem.ts'
import { answerText } from './wire.ts'

/** What connections need. */
export interface ConnectionContext {
  post: PostContext
  /** The time for the Date header. */
  httpDate(): string
  /** Opens a connection to the HTTP server that takes what isn't plain. */
  connect(events: PipeEvents): void
}

/** As much of a socket as is needed here. */
export interface ConnectionSocket {
  /** How many bytes it took: fewer than there are when the other end doesn't read. */
  write(bytes: Uint8Array | string): number
  pause(): void
  resume(): void
  /** Sends what it took, and closes. */
  end(): void
}

type State =
  /** Waits for a head. */
  | 'head'
  /** Waits for the rest of a body. */
  | 'body'
  /** The request is complete, and its answer is to come. */
  | 'answering'
  /** The other end doesn't read its answer. */
  | 'flushing'
  | 'passed'
  | 'closed'

const POST_BEGIN = 0x50
const HEAD_END = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)

/** What came is read in order; at most one request is under way, and what is behind it stays in the socket. */
export class Connection {
  /** Something came since this was last set to false. */
  isActive = true
  readonly #socket: ConnectionSocket
  readonly #context: ConnectionContext
  #state: State = 'head'
  /** What came before its turn. */
  #early: Buffer = NOTHING
  #isPaused = false
  #isReading = false
  #post: Post | undefined
  #plain: PlainPost | undefined
  #charge: Charge | undefined
  #body: Buffer = NOTHING
  #bodyBytes = 0
  /** Of a body that was refused before it came. */
  #skipBytes = 0
  #unsent: Uint8Array = NOTHING
  #isLast = false
  #passed: PassThrough | undefined

  constructor(socket: ConnectionSocket, context: ConnectionContext) {
    this.#socket = socket
    this.#context = context
  }

  /** It waits for its client, and nothing else would end that. */
  get isIdle(): boolean {
    return this.#state === 'head' || this.#state === 'flushing'
  }

  /** Bytes came. */
  data(chunk: Buffer): void {
    this.isActive = true
    if (this.#state === 'passed') return this.#passed?.fromClient(chunk)
    if (this.#state === 'body') return this.#addToBody(chunk)
    this.#early = this.#early.length === 0 ? chunk : Buffer.concat([this.#early, chunk])
    if (this.#state === 'head') return this.#read()
    // Pipelined: it waits for its turn, in the kernel's memory rather than here.
    this.#isPaused = true
    this.#socket.pause()
  }

  /** The socket takes more. */
  drained(): void {
    if (this.#state === 'passed') return this.#passed?.clientDrained()
    if (this.#state === 'flushing') this.#flush()
  }

  /** The client sends no more; it may still want its answer. */
  ended(): void {
    this.#isLast = true
    if (this.#state === 'passed') return this.#passed?.clientEnded()
    if (this.#state === 'head' || this.#state === 'body') this.#socket.end()
  }

  /** Nothing has happened on it for long enough. */
  abandon(): void {
    this.#socket.end()
  }

  /** It is gone. */
  closed(): void {
    if (this.#state === 'body') this.#post?.gone()
    if (this.#state === 'passed') this.#passed?.clientEnded()
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
  }

  /** The body of a request that has its answer. */
  #skip(bytes: Buffer): void {
    const skipped = Math.min(this.#skipBytes, bytes.length)
    this.#skipBytes -= skipped
    this.#early = bytes.subarray(skipped)
  }

  #readHead(bytes: Buffer): void {
    if (bytes[0] !== POST_BEGIN) return this.#pass(bytes)
    const end = bytes.indexOf(HEAD_END)
    if (end < 0 && bytes.length < HEAD_BYTES_MAX) {
      this.#early = bytes
      return
    }
    const head = end < 0 || end > HEAD_BYTES_MAX ? '' : bytes.toString('latin1', 0, end + 2)
    const plain = readPlainPost(head, this.#context.post.ack)
    if (plain === undefined) return this.#pass(bytes)
    this.#begin(plain, bytes, end + HEAD_END.length)
  }

  #begin(plain: PlainPost, bytes: Buffer, bodyAt: number): void {
    const { post: context } = this.#context
    this.#isLast ||= plain.isLast
    this.#plain = plain
    const length = Number(plain.length)
    const rest = bytes.length - bodyAt - length
    const charge = enter(plain.length, context)
    if ('code' in charge) {
      this.#skipBytes = Math.max(0, -rest)
      this.#early = rest > 0 ? bytes.subarray(bodyAt + length) : NOTHING
      return this.#answer(problemAnswer(charge))
    }
    this.#charge = charge
    const post = new Post(context, plain, charge, (answer) => this.#answer(answer))
    this.#post = post
    if (rest >= 0) {
      if (rest > 0) this.#early = bytes.subarray(bodyAt + length)
      return this.#complete(bytes.subarray(bodyAt, bodyAt + length))
    }
    this.#state = 'body'
    this.#body = Buffer.allocUnsafeSlow(length)
    this.#bodyBytes = bytes.copy(this.#body, 0, bodyAt)
    post.await()
  }

  #addToBody(chunk: Buffer): void {
    const body = this.#body
    const copied = chunk.copy(body, this.#bodyBytes)
    this.#bodyBytes += copied
    if (this.#bodyBytes < body.length) return
    this.#body = NOTHING
    if (copied < chunk.length) this.#early = chunk.subarray(copied)
    this.#complete(body)
  }

  #complete(body: Buffer): void {
    this.#state = 'answering'
    const post = this.#post as Post
    const { encoding } = this.#plain as PlainPost
    if (encoding === null) return post.received(body)
    decode(body, encoding, this.#context.post, this.#charge as Charge).then(
      (decoded) => post.received(decoded),
      (error) => post.failed(error),
    )
  }

  #answer(answer: Answer): void {
    if (this.#state === 'closed') return
    // Its time was over before it was whole.
    if (this.#state === 'body') this.#post?.gone()
    this.#post = undefined
    this.#isLast ||= answer.headers?.['connection'] === 'close'
    const text = answerText(answer, this.#context.httpDate(), this.#isLast)
    const taken = this.#socket.write(text)
    this.#state = 'flushing'
    // All of it, nearly always; what is longer in bytes than in characters is looked at again.
    if (taken < text.length || taken < Buffer.byteLength(text)) {
      this.#unsent = Buffer.from(text).subarray(Math.max(0, taken))
      return
    }
    this.#next()
  }

  #flush(): void {
    const taken = this.#socket.write(this.#unsent)
    this.#unsent = this.#unsent.subarray(Math.max(0, taken))
    if (this.#unsent.length === 0) this.#next()
  }

  #next(): void {
    if (this.#isLast) {
      this.#state = 'closed'
      return this.#socket.end()
    }
    this.#state = 'head'
    if (this.#isPaused) {
      this.#isPaused = false
      this.#socket.resume()
    }
    if (this.#early.length > 0) this.#read()
  }

  #pass(bytes: Buffer): void {
    this.#state = 'passed'
    this.#passed = new PassThrough(this.#socket, this.#context.connect, bytes)
  }
}
