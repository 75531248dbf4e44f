/** The TCP listener: sockets to connections. The file that names `Bun.listen` for lines. */

import { Fault } from '../observe/errors.ts'
import { type Address, hostnameOf, listenFault, urlHost } from './address.ts'
import { farewellLine } from './tcp-answer.ts'
import { TcpConnection } from './tcp-connection.ts'
import type { ConnectionContext } from './tcp-context.ts'

/** Where to listen, and for how many. */
export interface TcpListenerOptions extends Address {
  /** Other processes of this server listen there as well (`SO_REUSEPORT`). */
  isShared: boolean
  connectionsMax: number
  /** Certificate and key as PEM, for TLS. */
  tls: { cert: string; key: string } | undefined
}

/** A running listener. */
export interface TcpListener {
  /** `127.0.0.1:9000` */
  address: string
  port: number
  readonly connections: number
  /** Takes no more connections; those that are open keep the whole lines that are here, answer and end. */
  stop(): Promise<void>
  /** Waits for clients to close, for a moment. */
  close(): Promise<void>
}

/** How long connections may take to keep what is here at a stop: for the disk, mostly. */
const STOP_MS = 5000
const FLAGS = { host: '--tcp', port: '--tcp' }

/** Where a socket's connection is; none for one too many. */
interface Socketed {
  connection: TcpConnection | undefined
}

/** Starts listening, or throws a `Fault`. */
export async function listenTcp(options: TcpListenerOptions, context: ConnectionContext): Promise<TcpListener> {
  const open = new Set<TcpConnection>()
  const { connectionsMax, port } = options
  const hostname = hostnameOf(options)
  let whenNone: (() => void) | undefined
  const closed = (connection: TcpConnection | undefined) => {
    if (!connection) return
    connection.closed()
    open.delete(connection)
    if (open.size === 0) whenNone?.()
  }
  const listener = await bound(options, {
    open(socket) {
      socket.data = { connection: undefined }
      if (open.size >= connectionsMax) {
        const detail = `${open.size} connections are open, of ${connectionsMax} allowed`
        socket.end(farewellLine({ code: 'too_many_connections', detail }, 1))
        return
      }
      const connection = new TcpConnection(wireOf(socket), context)
      socket.data.connection = connection
      open.add(connection)
    },
    data: ({ data }, chunk) => data.connection?.received(chunk),
    end: ({ data }) => data.connection?.finished(),
    drain: ({ data }) => data.connection?.drained(),
    close: ({ data }) => closed(data.connection),
    error(socket, error) {
      // Of a connection that breaks `close` tells, too. Anything else is a bug, and nobody would answer any more.
      if ((error as NodeJS.ErrnoException).code !== undefined) return
      context.observe({ kind: 'intake-failure', reason: error.stack ?? error.message })
      socket.terminate()
    },
  })
  return {
    address: `${urlHost(hostname)}:${listener.port}`,
    port: listener.port ?? port,
    get connections() {
      return open.size
    },
    async stop() {
      listener.stop(false)
      const late = context.clock.after(STOP_MS, () => {
        for (const connection of open) connection.cut()
      })
      await Promise.all([...open].map((connection) => connection.stop()))
      late.cancel()
    },
    async close() {
      // Each is closed by itself in the end, since a client that stays is not waited for long.
      if (open.size > 0) await new Promise<void>((resolve) => (whenNone = resolve))
      listener.stop(true)
      context.room.close()
      context.idle.close()
    },
  }
}

/** Throws `Fault('listen_failed')` when somebody else listens there: those who share a port get no error of it. */
export async function refuseTakenTcp(options: TcpListenerOptions): Promise<void> {
  const listener = await bound(
    { ...options, isShared: false, isExclusive: true, tls: undefined },
    { data: (socket) => void socket.end() },
  )
  listener.stop(true)
}

type Handlers = Bun.SocketHandler<Socketed, 'buffer'>

async function bound(
  { host, port, isShared, isExclusive = false, tls }: TcpListenerOptions & { isExclusive?: boolean },
  socket: Handlers,
): Promise<Bun.TCPSocketListener<Socketed>> {
  const hostname = hostnameOf({ host })
  // Answers are written to clients that have closed their side. The types know no shared port of a listener; the runtime does.
  const shared = isExclusive ? { exclusive: true } : { reusePort: isShared }
  const options = { hostname, port, allowHalfOpen: true, ...shared, ...(tls && { tls }), socket }
  try {
    return Bun.listen<Socketed>(options as unknown as Bun.TCPSocketListenOptions<Socketed>)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (tls && code !== 'EADDRINUSE') {
      throw new Fault('config_invalid', `--tcp-tls-cert and --tcp-tls-key make no TLS: ${message}`, { cause: error })
    }
    throw await listenFault({ host, port }, error, FLAGS)
  }
}

function wireOf(socket: Bun.Socket<Socketed>) {
  return {
    write: (text: string | Uint8Array) => socket.write(text),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    shutdown: () => void socket.shutdown(),
    end: () => void socket.end(),
    terminate: () => void socket.terminate(),
  }
}
