/** The port by a clock of the test's: connections on which nothing happens are closed, others are not. */

import { expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { openPort } from '../../src/intake/port.ts'
import type { PostContext } from '../../src/intake/post.ts'
import { systemClock } from '../../src/platform/clock.ts'

test('a connection that is silent from one look to the next is closed; one that sent something is not', async () => {
  let look = () => {}
  const clock = {
    ...systemClock,
    after(_: number, callback: () => void) {
      look = callback
      return { cancel() {} }
    },
  }
  let heard = () => {}
  /** Is asked for whenever there is something to read. */
  const ack = () => {
    heard()
    return { default: 'disk', allow: ['disk'] }
  }
  const garbage = { free() {} }
  const context = Object.defineProperty({ clock, garbage }, 'ack', { get: ack }) as unknown as PostContext
  const port = openPort({ hostname: '127.0.0.1', port: 0, isShared: false }, context, { unix: '\0nobody' })
  const open = async () => {
    const socket = connect(port.port, '127.0.0.1')
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    socket.resume()
    return { socket, closed, send: () => sent(socket) }
  }
  /** Resolves once the port has the bytes. */
  const sent = (socket: Socket) =>
    new Promise<void>((resolve) => {
      heard = resolve
      socket.write('P')
    })

  const [silent, talking] = [await open(), await open()]
  await silent.send()
  await talking.send()
  look()
  await talking.send()
  look()
  await silent.closed
  expect(talking.socket.closed).toBe(false)
  look()
  await talking.closed
  port.close()
})
