/** A TCP client of the program under test: sends text, and has the lines that came back. */

import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Millrace } from './millrace.ts'

/** Where a running program takes lines over TCP. */
export function tcpPort(millrace: Millrace): number {
  const match = /^ {2}tcp {7}\S*?(?:tls )?127\.0\.0\.1:(\d+)$/m.exec(millrace.output)
  if (!match) throw new Error(`no TCP in:\n${millrace.output}`)
  return Number(match[1])
}

/** What a client is told. */
export interface TcpAnswer {
  receipt?: string
  accepted?: number
  ack?: string
  lines?: [number, number]
  rejected?: number
  errors?: { line: number; code: string }[]
  code?: string
  status?: number
  line?: number
}

/** One connection. */
export class TcpClient implements Disposable {
  /** What the server has answered, whole lines. */
  readonly lines: string[] = []
  /** The server sends no more, or the connection is gone. */
  isEnded = false
  readonly #socket: Socket
  #rest = ''
  #listeners: (() => void)[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      this.lines.push(...lines)
      this.#wake()
    })
    for (const event of ['end', 'close'] as const) {
      socket.on(event, () => {
        this.isEnded = true
        this.#wake()
      })
    }
    socket.on('error', () => {})
  }

  /** Opens a connection; with a certificate over TLS, and only to a server that has it. */
  static open(port: number, ca?: string): Promise<TcpClient> {
    return new Promise((resolve, reject) => {
      const at = { port, host: '127.0.0.1', allowHalfOpen: true }
      const socket =
        ca === undefined
          ? connect(at)
          : connectTls({ ...at, ca, servername: 'localhost' } as Parameters<typeof connectTls>[0])
      const client = new TcpClient(socket)
      socket.once('error', reject)
      socket.once(ca === undefined ? 'connect' : 'secureConnect', () => resolve(client))
    })
  }

  /** Answers, parsed. */
  get answers(): TcpAnswer[] {
    return this.lines.map((line) => JSON.parse(line) as TcpAnswer)
  }

  /** Bytes that wait here because the server doesn't read. */
  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  send(text: string | Uint8Array): void {
    this.#socket.write(text)
  }

  /** Sends no more. */
  finish(text = ''): void {
    this.#socket.end(text)
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  /** Waits until there are so many lines. Throws when the connection ends before. */
  async answered(count: number): Promise<void> {
    while (this.lines.length < count) {
      if (this.isEnded) throw new Error(`ended after ${this.lines.length} of ${count} lines`)
      await this.more()
    }
  }

  async ended(): Promise<void> {
    while (!this.isEnded) await this.more()
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  /** Waits for whatever comes next. */
  more(): Promise<void> {
    return new Promise((resolve) => this.#listeners.push(resolve))
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }
}
