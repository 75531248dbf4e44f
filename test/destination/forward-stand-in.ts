/** A stand-in for a server that takes forwarded objects: remembers keys as Millrace does, and answers as a test tells it to. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { DOUBT_HEADER, LINES_PATH, LINES_TYPE } from '../../src/observe/forwarding.ts'

/** One object that came. */
export interface Came {
  key: string
  doubt: string | undefined
  encoding: string | undefined
  body: string
}

/** What becomes of a request. */
export type Way =
  | 'keep'
  /** The answer is lost, what came is kept or not. */
  | 'keep, no answer'
  | 'no answer'
  /** Nothing is said for as long as the test runs. */
  | 'hang'
  | { status: number; code: string; retryAfter?: string; keeps?: true }
  /** Somebody else answers. */
  | { status: number; text: string; keeps?: true }

/** A server on a port of its own, which it keeps over restarts. */
export class ForwardStandIn implements AsyncDisposable {
  readonly came: Came[] = []
  /** By key. */
  readonly kept = new Map<string, string>()
  /** What is wrong with how it was asked. */
  readonly wrongs: string[] = []
  connections = 0
  checks = 0
  way: Way | ((came: Came) => Way | Promise<Way>) = 'keep'
  ready: Way = 'keep'
  port = 0
  #server: Server | undefined

  static async start(): Promise<ForwardStandIn> {
    const standIn = new ForwardStandIn()
    await standIn.listen()
    return standIn
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => void this.#take(request, response))
    server.on('connection', () => this.connections++)
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
    const address = server.address()
    this.port = typeof address === 'object' ? (address?.port ?? 0) : 0
    this.#server = server
  }

  /** Nobody listens there any more. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve))
    this.#server?.closeAllConnections()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/readyz') {
      this.checks += 1
      return this.#answer(response, this.ready, '{"status":"ready"}', 200)
    }
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString()
    const { headers, method, url } = request
    if (method !== 'POST' || url !== `${LINES_PATH}?ack=disk`) this.wrongs.push(`${method} ${url}`)
    if (headers['content-type'] !== LINES_TYPE) this.wrongs.push(`${headers['content-type']}`)
    const key = String(headers['idempotency-key'])
    const came = {
      key,
      doubt: headers[DOUBT_HEADER] as string | undefined,
      encoding: headers['content-encoding'],
      body,
    }
    this.came.push(came)
    const way = typeof this.way === 'function' ? await this.way(came) : this.way
    if (way === 'keep' || way === 'keep, no answer' || (typeof way === 'object' && way.keeps)) this.kept.set(key, body)
    this.#answer(response, way, `{"receipt":"r","accepted":1,"ack":"disk"}`, 202)
  }

  #answer(response: ServerResponse, way: Way, text: string, status: number): void {
    if (way === 'hang') return
    if (way === 'no answer' || way === 'keep, no answer') return void response.socket?.destroy()
    if (way === 'keep') return void response.writeHead(status, { 'content-type': 'application/json' }).end(text)
    if ('text' in way) return void response.writeHead(way.status).end(way.text)
    const { code, retryAfter } = way
    const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter }
    const type = `urn:problem:millrace:${code}`
    response
      .writeHead(way.status, headers)
      .end(JSON.stringify({ type, title: '', status: way.status, code, detail: 'so' }))
  }
}
