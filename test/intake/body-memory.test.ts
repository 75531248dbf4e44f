/** Memory of bodies goes back as soon as the journal has a copy, and never before; nobody else's goes with it. */

import { expect, test } from 'bun:test'
import { zstdCompressSync } from 'node:zlib'
import { Connection, type ConnectionSocket } from '../../src/intake/connection.ts'
import { Deadlines } from '../../src/intake/deadlines.ts'
import type { PostContext } from '../../src/intake/post.ts'
import type { NewRecord, Waiter } from '../../src/journal/journal.ts'
import { Garbage } from '../../src/platform/garbage.ts'
import { Fixture } from './tcp-fixture.ts'

test('of a body that came with its head: with the copy, not with the ack, and not while it waits to be copied', () => {
  const it = new Intake()
  const chunk = it.sends(post('a'))
  expect(it.body(0)).toBe(json('a'))
  expect(it.waiter(0).sender).toBe(it.connection)
  expect(chunk.length).toBeGreaterThan(BYTES)
  it.waiter(0).copied?.()
  expect(chunk.length).toBe(0)
  it.waiter(0).kept('n-0-1-0badcafe-0')
  expect(it.answers).toEqual([202])
})

test('of a body in pieces: what brought it at once, the whole with its copy', () => {
  const it = new Intake()
  const text = post('a')
  const chunks = [text.slice(0, 2000), text.slice(2000, 6000), text.slice(6000)].map((piece) => it.sends(piece))
  expect(chunks.map(({ length }) => length)).toEqual([0, 0, 0])
  expect(it.body(0)).toBe(json('a'))
  it.waiter(0).copied?.()
  expect(it.record(0).body.length).toBe(0)
})

test('of a head in two pieces', () => {
  const it = new Intake()
  const text = post('a', 'X-Long: '.padEnd(2000, 'x'))
  const chunks = [it.sends(text.slice(0, 1500)), it.sends(text.slice(1500))]
  expect(chunks.map(({ length }) => length)).toEqual([0, 0])
  expect(it.body(0)).toBe(json('a'))
})

test('of requests that share theirs: never at once, and each has what it came with', () => {
  const it = new Intake()
  const chunk = it.sends(post('a') + post('b') + post('c').slice(0, -5))
  for (const [i, name] of ['a', 'b'].entries()) {
    it.waiter(i).copied?.()
    expect(it.body(i)).toBe(json(name))
    it.waiter(i).kept(`n-0-1-0badcafe-${i}`)
  }
  expect(chunk.length).toBeGreaterThan(0)
  it.sends(post('c').slice(-5))
  expect(it.body(2)).toBe(json('c'))
})

test('of a body that is refused, by a check of it or by the journal', () => {
  const it = new Intake()
  const bad = it.sends(post('a').replace('"a', '?a'))
  expect([bad.length, it.answers]).toEqual([0, [400]])
  const late = it.sends(post('b'))
  it.waiter(0).refused('disk_full')
  expect([late.length, it.answers]).toEqual([0, [400, 503]])
})

test('of a body that a refusal came before, and of one whose client goes away', () => {
  const it = new Intake()
  const large = it.sends(post('a').replace(/Content-Length: \d+/, 'Content-Length: 200000000'))
  expect([large.length, it.answers]).toEqual([0, [413]])
  const other = new Intake()
  other.sends(post('a').slice(0, -1))
  other.connection.closed()
  expect(other.freed.at(-1)?.length).toBe(0)
  expect(other.freed).toHaveLength(2)
})

test('of a compressed body: the coded one when it is decoded, the decoded one with its copy', async () => {
  const it = new Intake()
  const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(BYTES))).toString('hex')
  const coded = zstdCompressSync(`{"a":"${noise}"}`)
  const head = `${HEAD}Content-Encoding: zstd\r\nContent-Length: ${coded.length}\r\n\r\n`
  const chunk = it.sends(Buffer.concat([Buffer.from(head), coded]))
  expect(chunk.length).toBeGreaterThan(0)
  while (it.records.length === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(chunk.length).toBe(0)
  expect(it.body(0)).toBe(`{"a":"${noise}"}`)
})

test('of a body that says it has no coding: with the copy', async () => {
  const it = new Intake()
  const chunk = it.sends(post('a', 'Content-Encoding: identity'))
  while (it.records.length === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(it.body(0)).toBe(json('a'))
  it.waiter(0).copied?.()
  expect(chunk.length).toBe(0)
})

const BYTES = 8000
const HEAD = 'POST /payloads HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
const json = (name: string) => `{"a":"${name.repeat(BYTES)}"}`

function post(name: string, more = ''): string {
  const body = json(name)
  return `${HEAD}${more === '' ? '' : `${more}\r\n`}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** A connection without a socket, to a journal that copies and keeps when it is told to. */
class Intake {
  readonly records: { record: NewRecord; waiter: Waiter }[] = []
  readonly answers: number[] = []
  readonly freed: Uint8Array[] = []
  readonly connection: Connection

  constructor() {
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
    const context = { clock, admission, garbage, journal, deadlines, ack, bodyBytesMax, observe: () => {} }
    const socket: ConnectionSocket = {
      write: (text) => {
        this.answers.push(Number(/^HTTP\/1\.1 (\d+)/.exec(`${text}`)?.[1]))
        return Buffer.byteLength(text)
      },
      pause() {},
      resume() {},
      end() {},
    }
    this.connection = new Connection(socket, {
      post: context as unknown as PostContext,
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
