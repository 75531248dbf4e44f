/** The port: a connection for everyone who comes. The file that names `Bun.listen` and `Bun.connect` for HTTP. */

import type { Clock } from '../platform/clock.ts'
import { BodyRoom } from './body-room.ts'
import { Connection, type ConnectionContext } from './connection.ts'
import type { PipeEvents } from './pass-through.ts'
import type { PostContext } from './post.ts'

/** Where the HTTP server is that takes what isn't plain. */
export type PrivateAddress = { unix: string } | { hostname: string; port: number }

/** What to listen on. */
export interface PortOptions {
  hostname: string
  port: number
  /** Other processes of this server listen there as well (`SO_REUSEPORT`). */
  isShared: boolean
}

/** An open port. */
export interface Port {
  port: number
  /** Closes it and every connection. */
  close(): void
}

interface Held {
  connection: Connection
}

/** A connection on which nothing happens for this long, and up to as much again, is closed. */
const IDLE_MS = 60_000
/** How many connections to the HTTP server are opened at once: of 512 that it hasn't accepted yet, the runtime turns away the next. */
const CONNECTS_MAX = 128

/** Opens the port, or throws what the runtime says. */
export function openPort(options: PortOptions, context: PostContext, http: PrivateAddress): Port {
  const { hostname, port, isShared } = options
  const { clock } = context
  const connections = new Set<Connection>()
  const room = new BodyRoom(clock)
  const shared: ConnectionContext = {
    post: context,
    room,
    httpDate: dateOf(clock),
    connect: connector(http),
  }
  const listening: Omit<Bun.TCPSocketListenOptions<Held>, 'unix'> & { reusePort: boolean } = {
    hostname,
    port,
    reusePort: isShared,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        socket.data = { connection: new Connection(socket, shared) }
        connections.add(socket.data.connection)
      },
      data: (socket, chunk) => socket.data.connection.data(chunk),
      drain: (socket) => socket.data.connection.drained(),
      end: (socket) => socket.data.connection.ended(),
      close(socket) {
        connections.delete(socket.data.connection)
        socket.data.connection.closed()
      },
      error(socket, error) {
        // Of a connection that breaks `close` tells, too. Anything else is a bug, and nobody would answer any more.
        if ((error as NodeJS.ErrnoException).code !== undefined) return
        context.observe({ kind: 'intake-failure', reason: error.stack ?? error.message })
        socket.terminate()
      },
    },
  }
  // The types know nothing of `reusePort` here; the runtime does.
  const listener = Bun.listen<Held>(listening as Bun.TCPSocketListenOptions<Held>)
  let timer = clock.after(IDLE_MS, sweep)
  function sweep() {
    for (const connection of connections) {
      if (connection.isIdle && !connection.isActive) connection.abandon()
      connection.isActive = false
    }
    timer = clock.after(IDLE_MS, sweep)
  }
  return {
    port: listener.port,
    close() {
      timer.cancel()
      room.close()
      listener.stop(true)
    },
  }
}

/** Connects to the HTTP server, a few at a time: whoever comes while its queue of the not yet accepted is full is turned away. */
function connector(http: PrivateAddress): (events: PipeEvents) => void {
  const waiting: PipeEvents[] = []
  let underWay = 0
  function next() {
    underWay -= 1
    const events = waiting.shift()
    if (events) connect(events)
  }
  function connect(events: PipeEvents) {
    underWay += 1
    const socket = {
      open(server: Bun.Socket) {
        events.opened(server)
        next()
      },
      data: (_: Bun.Socket, bytes: Buffer) => events.data(bytes),
      drain: () => events.drained(),
      close: () => events.closed(),
      error() {},
    }
    // A server of this very process that can't be reached: the client sees its connection end.
    Bun.connect({ ...http, socket } as Bun.TCPSocketConnectOptions<undefined>).catch(() => {
      events.closed()
      next()
    })
  }
  return (events) => {
    if (underWay < CONNECTS_MAX) connect(events)
    else waiting.push(events)
  }
}

/** The time as HTTP has it, made once a second. */
function dateOf(clock: Clock): () => string {
  let second = Number.NaN
  let text = ''
  return () => {
    const now = Math.floor(clock.nowMs() / 1000)
    if (now !== second) {
      second = now
      text = new Date(now * 1000).toUTCString()
    }
    return text
  }
}
