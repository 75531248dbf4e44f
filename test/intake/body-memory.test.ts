/** Memory of bodies goes back as soon as the journal has a copy, and never before; nobody else's goes with it. */

import { expect, test } from 'bun:test'
import { zstdCompressSync } from 'node:zlib'
import { BYTES, HEAD, Intake, json, post } from './connection-fixture.ts'

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
