/** HTTP over raw sockets, one request under way on each: as little CPU as a load generator in this runtime can do with. */

/** One connection. Who holds it sends one request and has it back with the answer. */
export interface Connection {
  /** When the request under way was due, for whoever sent it. */
  dueMs: number
  socket: Bun.Socket<Connection>
  isBusy: boolean
  /** What of the request the socket didn't take yet. */
  unsent: Buffer | undefined
  /** What came of an answer that isn't whole yet. */
  rest: Buffer | undefined
}

/** Who is told what becomes of requests. */
export interface Listening {
  answered(connection: Connection, status: number): void
  /** The connection is gone, with a request under way on it or not. */
  gone(connection: Connection): void
}

/** Opens `count` connections to the server of `url`. */
export async function openConnections(url: string, count: number, listening: Listening): Promise<Connection[]> {
  const { hostname, port } = new URL(url)
  const open = async () => {
    const connection = { dueMs: 0, isBusy: false, unsent: undefined, rest: undefined } as unknown as Connection
    connection.socket = await Bun.connect<Connection>({
      hostname,
      port: Number(port),
      data: connection,
      socket: {
        data: ({ data }, chunk) => receive(data, chunk, listening),
        drain: ({ data }) => write(data),
        close: ({ data }) => listening.gone(data),
        error: () => undefined,
      },
    })
    return connection
  }
  return await Promise.all(Array.from({ length: count }, open))
}

/** Sends a whole request; the connection must be idle. */
export function send(connection: Connection, request: Buffer): void {
  connection.isBusy = true
  connection.unsent = request
  write(connection)
}

/** A whole request that posts a body of JSON. */
export function requestOf(url: string, body: string): Buffer {
  const { host, pathname, search } = new URL(url)
  const head = `POST ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`
  return Buffer.from(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/** The status of the answer that `bytes` begin with, and how long it is; undefined while it isn't whole. */
export function parseAnswer(bytes: Buffer): { status: number; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const bodyLength = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (bodyLength === undefined) throw new Error(`an answer without a length:\n${head}`)
  const length = end + 4 + Number(bodyLength)
  return length > bytes.length ? undefined : { status: Number(head.slice(9, 12)), length }
}

function receive(connection: Connection, chunk: Buffer, { answered }: Listening): void {
  const bytes = connection.rest ? Buffer.concat([connection.rest, chunk]) : chunk
  const answer = parseAnswer(bytes)
  connection.rest = answer ? undefined : Buffer.from(bytes)
  if (!answer) return
  if (answer.length !== bytes.length) throw new Error('more came than was asked for')
  connection.isBusy = false
  answered(connection, answer.status)
}

function write(connection: Connection): void {
  const { socket, unsent } = connection
  if (!unsent) return
  const taken = socket.write(unsent)
  if (taken >= 0) connection.unsent = taken < unsent.length ? unsent.subarray(taken) : undefined
}
