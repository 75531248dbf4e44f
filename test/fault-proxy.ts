/** A proxy in front of an S3 store, or a server that takes POSTs, that treats each request as a seed decides: as it should be, or as networks do. */

import { connect, createServer, type Server, type Socket } from 'node:net'
import { s3Error } from './s3-store.ts'
import type { Seeded } from './seeded.ts'

/** The longest a request is held back: longer than a start takes, so that what a killed program sent can come after it. */
const DELAY_MS_MAX = 600
/** The share of requests that meet a fault, until `heal`. */
const FAULT_RATE = 0.5

/** What can become of a request, besides being passed on. */
const FAULTS = [
  /** Passed on later, also when whoever sent it is gone by then. */
  'delayed',
  /** The connection is reset before the store sees anything. */
  'reset',
  /** 500, the store sees nothing. */
  'internal-error',
  /** 503, the store sees nothing. */
  'slow-down',
  /** The store sees nothing, and the beginning of a 200 comes before the connection ends. */
  'torn-200',
  /** The store takes it, and the connection ends in the middle of its answer. */
  'cut-answer',
  /** The store takes it, and the connection is reset instead of an answer. */
  'lost-answer',
] as const

type Fault = (typeof FAULTS)[number]

/** Passes on HTTP/1.1 requests to a store on this machine, byte for byte, or doesn't. */
export class FaultProxy implements AsyncDisposable {
  /** How many requests were treated in which way. */
  readonly counts = Object.fromEntries(['passed', ...FAULTS].map((way) => [way, 0])) as Record<'passed' | Fault, number>
  /** Called, and waited for, when a request has arrived, and when the store has taken one and nobody knows yet. */
  onPut: (moment: 'seen' | 'stored') => void | Promise<void> = () => {}
  readonly #target: URL
  readonly #random: Seeded
  readonly #sockets = new Set<Socket>()
  readonly #treating = new Set<Promise<void>>()
  readonly #server: Server
  #rate = FAULT_RATE

  private constructor(target: string, random: Seeded) {
    this.#target = new URL(target)
    this.#random = random
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** Starts a proxy for the store at `target`, on a free port. */
  static async start(target: string, random: Seeded): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, random)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', () => resolve()))
    return proxy
  }

  get endpoint(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  }

  /** From now on everything is passed on. */
  heal(): void {
    this.#rate = 0
  }

  /** Waits for the requests that are held back. */
  async quiet(): Promise<void> {
    while (this.#treating.size > 0) await Promise.all(this.#treating)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await this.quiet()
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    // The other end may be killed at any time.
    socket.on('error', () => {})
    let received = Buffer.alloc(0)
    let before = Promise.resolve()
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const length = messageBytes(received)
      if (length === undefined || received.length < length) return
      const request = received.subarray(0, length)
      received = received.subarray(length)
      const treating = before.then(() => this.#treat(request, socket)).catch(() => void socket.resetAndDestroy())
      before = treating
      this.#treating.add(treating)
      void treating.then(() => this.#treating.delete(treating))
    })
  }

  async #treat(request: Buffer, client: Socket): Promise<void> {
    const fault = this.#random.chance(this.#rate) ? this.#random.pick(FAULTS) : undefined
    this.counts[fault ?? 'passed'] += 1
    if (isPut(request)) await this.onPut('seen')
    switch (fault) {
      case undefined:
        return this.#answer(client, await this.#pass(request))
      case 'delayed':
        await Bun.sleep(this.#random.below(DELAY_MS_MAX))
        return this.#answer(client, await this.#pass(request))
      case 'reset':
        return void client.resetAndDestroy()
      case 'internal-error':
        return void client.write(
          errorAnswer(500, 'InternalError', 'We encountered an internal error. Please try again.'),
        )
      case 'slow-down':
        return this.#answer(client, errorAnswer(503, 'SlowDown', 'Please reduce your request rate.'))
      case 'torn-200':
        return this.#cut(client, STORED, STORED.indexOf('\r\n\r\n') + 3)
      case 'cut-answer': {
        const answer = await this.#pass(request)
        // S3's 200 for a PUT has no body that could be cut; other stores' may.
        const empty = /content-length: 0\r\n/i
        const text = answer.toString('latin1')
        const longer = empty.test(text) ? `${text.replace(empty, 'content-length: 64\r\n')}${' '.repeat(64)}` : text
        return this.#cut(client, longer, longer.length - 1)
      }
      case 'lost-answer':
        await this.#pass(request)
        return void client.resetAndDestroy()
    }
  }

  /** Sends an answer; every other time the connection is closed then, as stores do with idle ones. */
  #answer(client: Socket, answer: Buffer | string): void {
    if (this.#random.chance(0.5)) client.end(answer)
    else client.write(answer)
  }

  /** Sends some of an answer, at most `bytesMax`, and ends the connection, in either way. */
  #cut(client: Socket, answer: string, bytesMax: number): void {
    const sent = Buffer.from(answer, 'latin1').subarray(0, 1 + this.#random.below(bytesMax))
    if (this.#random.chance(0.5)) client.end(sent)
    else client.write(sent, () => client.resetAndDestroy())
  }

  /** Sends a request to the store; its answer, as it came. */
  async #pass(request: Buffer): Promise<Buffer> {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const store = connect(Number(this.#target.port), this.#target.hostname, () => store.write(request))
      let received = Buffer.alloc(0)
      store.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk])
        const length = messageBytes(received)
        if (length === undefined || received.length < length) return
        store.destroy()
        resolve(received)
      })
      store.on('error', reject)
      store.on('close', () => reject(new Error('the store ended the connection')))
    })
    if (isPut(request) && answer.toString('latin1', 0, 10) === 'HTTP/1.1 2') await this.onPut('stored')
    return answer
  }
}

/** Whether a request brings something to store. */
function isPut(request: Buffer): boolean {
  return /^(PUT|POST) /.test(request.toString('latin1', 0, 5))
}

const STORED = 'HTTP/1.1 200 OK\r\nETag: "never stored"\r\nServer: AmazonS3\r\nContent-Length: 0\r\n\r\n'

function errorAnswer(status: number, code: string, message: string): string {
  const xml = s3Error(code, message)
  return `HTTP/1.1 ${status} ${code}\r\nContent-Type: application/xml\r\nContent-Length: ${xml.length}\r\n\r\n${xml}`
}

/** The length of the message that these bytes begin with, once its head is there. */
function messageBytes(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (length === undefined && head.startsWith('GET ')) return end + 4
  if (length === undefined) throw new Error('a message without Content-Length: S3 takes none')
  return end + 4 + Number(length)
}
