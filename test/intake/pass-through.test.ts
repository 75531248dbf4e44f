/** Bytes between two ends, each of which takes as much at a time as it likes. */

import { expect, test } from 'bun:test'
import { PassThrough, type Pipe, type PipeEvents } from '../../src/intake/pass-through.ts'

class End implements Pipe {
  taken = ''
  isPaused = false
  isEnded = false
  /** How many bytes it takes just now. */
  room = Number.POSITIVE_INFINITY

  write(bytes: Uint8Array): number {
    const taken = Math.min(this.room, bytes.length)
    this.room -= taken
    this.taken += Buffer.from(bytes.subarray(0, taken)).toString()
    return taken
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  end(): void {
    this.isEnded = true
  }
}

function joined(first = 'GET / ') {
  const [client, server] = [new End(), new End()]
  let events: PipeEvents | undefined
  const pass = new PassThrough(client, (told) => (events = told), Buffer.from(first))
  return { client, server, pass, events: events as unknown as PipeEvents }
}

test('the client is not read until the other connection stands and has taken what came first', () => {
  const { client, server, pass, events } = joined()
  expect(client.isPaused).toBe(true)
  server.room = 2
  events.opened(server)
  expect([server.taken, client.isPaused]).toEqual(['GE', true])
  server.room = Number.POSITIVE_INFINITY
  events.drained()
  expect([server.taken, client.isPaused]).toEqual(['GET / ', false])
  pass.fromClient(Buffer.from('x'))
  expect(server.taken).toBe('GET / x')
})

test('an end that takes no more has the other not read, and misses nothing', () => {
  const { client, server, pass, events } = joined()
  events.opened(server)
  client.room = 3
  events.data(Buffer.from('answer'))
  expect([client.taken, server.isPaused]).toEqual(['ans', true])
  client.room = 2
  pass.clientDrained()
  expect([client.taken, server.isPaused]).toEqual(['answe', true])
  client.room = 9
  pass.clientDrained()
  expect([client.taken, server.isPaused]).toEqual(['answer', false])
  server.room = 1
  pass.fromClient(Buffer.from('body'))
  expect([server.taken, client.isPaused]).toEqual(['GET / b', true])
  server.room = 9
  events.drained()
  expect([server.taken, client.isPaused]).toEqual(['GET / body', false])
})

test('what comes from an end that is not read keeps its place behind what waits', () => {
  const { client, server, pass, events } = joined()
  pass.fromClient(Buffer.from('one '))
  server.room = 2
  events.opened(server)
  pass.fromClient(Buffer.from('two'))
  server.room = 4
  pass.fromClient(Buffer.from('!'))
  expect(server.taken).toBe('GE')
  server.room = Number.POSITIVE_INFINITY
  events.drained()
  expect(server.taken).toBe('GET / one two!')
  client.room = 1
  events.data(Buffer.from('ab'))
  client.room = 1
  events.data(Buffer.from('c'))
  client.room = Number.POSITIVE_INFINITY
  pass.clientDrained()
  expect(client.taken).toBe('abc')
})

test('when one end is over, the other gets what is left and ends', () => {
  const answered = joined()
  answered.events.opened(answered.server)
  answered.client.room = 1
  answered.events.data(Buffer.from('bye'))
  answered.events.closed()
  expect(answered.client.isEnded).toBe(false)
  answered.client.room = 9
  answered.pass.clientDrained()
  expect([answered.client.taken, answered.client.isEnded]).toEqual(['bye', true])

  const left = joined()
  left.server.room = 3
  left.events.opened(left.server)
  left.pass.clientEnded()
  expect(left.server.isEnded).toBe(false)
  left.server.room = 9
  left.events.drained()
  expect([left.server.taken, left.server.isEnded]).toEqual(['GET / ', true])
})

test('a server that can not be reached, or is reached when the client is gone, ends it', () => {
  const unreachable = joined()
  unreachable.events.closed()
  expect(unreachable.client.isEnded).toBe(true)
  const late = joined()
  late.pass.clientEnded()
  late.events.opened(late.server)
  expect(late.server.isEnded).toBe(true)
})

test('for a client that is gone nothing is waited for', () => {
  const { server, pass, events } = joined()
  server.room = 2
  events.opened(server)
  pass.clientGone()
  expect([server.taken, server.isEnded]).toEqual(['GE', true])
})
