/** A connection without a socket, to a journal that copies and keeps when it is told to. */

import { BodyRoom } from '../../src/intake/body-room.ts'
import { Connection, type ConnectionSocket } from '../../src/intake/connection.ts'
import { Deadlines } from '../../src/intake/deadlines.ts'
import type { PostContext } from '../../src/intake/post.ts'
import type { NewRecord, Waiter } from '../../src/journal/journal.ts'
import { Garbage } from '../../src/platform/garbage.ts'
import { Fixture } from './tcp-fixture.ts'

export const BYTES = 8000
export const HEAD = 'POST /payloads HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
export const json = (name: string, bytes = BYTES) => `{"a":"${name.repeat(bytes)}"}`

export function post(name: string, more = '', bytes = BYTES): string {
  const body = json(name, bytes)
  return `${HEAD}${more === '' ? '' : `${more}\r\n`}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** One connection. */
export class Intake {
  readonly records: { record: NewRecord; waiter: Waiter }[] = []
  readonly answers: number[] = []
  readonly freed: Uint8Array[] = []
  readonly connection: Connection
  isPaused = false
  hasEnded = false

  constructor(room?: BodyRoom, more: Partial<PostContext> = {}) {
    const { clock, admission } = new Fixture({ bodyBytesMax: 100_000_000 })
    const garbage = new Garbage({ bytesMax: 1e9 }, () => undefined)
    const free = garbage.free.bind(garbage)
    garbage.free = (bytes) => {
      this.freed.push(bytes)
      free(bytes)
    }
    const journal = { append: (record: NewRecord, waiter: Waiter) => this.records.push({ record, waiter }) }
    const deadlines = new Deadlines(60_000, clock)
    const ack = { default: 'disk', allow: ['disk'] }
    const bodyBytesMax = 100_000_000
    const own = { clock, admission, garbage, journal, deadlines, ack, bodyBytesMax, observe: () => {} }
    const context = { ...own, passOn: () => undefined, ...more }
    const socket: ConnectionSocket = {
      write: (text) => {
        this.answers.push(Number(/^HTTP\/1\.1 (\d+)/.exec(`${text}`)?.[1]))
        return Buffer.byteLength(text)
      },
      pause: () => {
        this.isPaused = true
      },
      resume: () => {
        this.isPaused = false
      },
      end: () => {
        this.hasEnded = true
      },
    }
    this.connection = new Connection(socket, {
      post: context as unknown as PostContext,
      room: room ?? new BodyRoom(clock),
      httpDate: () => '',
      connect: () => {},
    })
  }

  /** Bytes come, in memory of their own, as the runtime gives them. */
  sends(text: string | Uint8Array): Buffer {
    const bytes = Buffer.from(text as string)
    const chunk = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(chunk)
    this.connection.data(chunk)
    return chunk
  }

  record(nth: number): NewRecord {
    return (this.records[nth] as { record: NewRecord }).record
  }

  waiter(nth: number): Waiter {
    return (this.records[nth] as { waiter: Waiter }).waiter
  }

  body(nth: number): string {
    return Buffer.from(this.record(nth).body).toString()
  }
}
