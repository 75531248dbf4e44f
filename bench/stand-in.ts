/**
 * A stand-in for S3, as a program: takes every PUT, counts it and forgets it, at as little CPU as can be, because it shares
 * the machine with what is measured. It says 200 once a body came whole. Under `/-/` it is asked and told things:
 * `GET /-/counts`, and `PUT /-/answer/503` (or 200) for what it answers from then on.
 */

interface Connection {
  /** What came of a head that isn't whole yet. */
  rest: Buffer | undefined
  /** Bytes of the body that are still to come. */
  bodyLeft: number
  /** What is said once the body is there. */
  answer: () => string
}

const HEAD_BYTES_MAX = 64 * 1024
const HEAD_END = '\r\n\r\n'
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

const counts = { objects: 0, bytes: 0, signed: 0, refused: 0, notUnderstood: 0 }
const STORED = reply(200, '')
let status = 200

const listener = Bun.listen<Connection>({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.data = { rest: undefined, bodyLeft: 0, answer: nothing }
    },
    data(socket, chunk) {
      const connection = socket.data
      let at = 0
      let said = ''
      while (at < chunk.length) {
        if (connection.bodyLeft === 0) {
          const text = connection.rest ? Buffer.concat([connection.rest, chunk.subarray(at)]) : chunk.subarray(at)
          const end = text.indexOf(HEAD_END)
          if (end < 0) {
            if (text.length > HEAD_BYTES_MAX) socket.end()
            connection.rest = Buffer.from(text)
            break
          }
          at += end + HEAD_END.length - (connection.rest?.length ?? 0)
          connection.rest = undefined
          said += begin(connection, text.toString('latin1', 0, end))
        }
        const taken = Math.min(connection.bodyLeft, chunk.length - at)
        connection.bodyLeft -= taken
        at += taken
        if (connection.bodyLeft === 0) {
          said += connection.answer()
          connection.answer = nothing
        }
      }
      if (said !== '') socket.write(said)
    },
  },
})
console.log(`listens on http://127.0.0.1:${listener.port}`)

/** Reads a head. Returns what is to be said before the body comes. */
function begin(connection: Connection, head: string): string {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  connection.bodyLeft = Number(length ?? 0)
  connection.answer = answerTo(head, connection.bodyLeft, length !== undefined)
  return connection.bodyLeft > 0 && /\r\nexpect: *100-continue/i.test(head) ? CONTINUE : ''
}

function answerTo(head: string, bytes: number, hasLength: boolean): () => string {
  const [method, path = ''] = head.slice(0, head.indexOf('\r\n')).split(' ')
  if (path.startsWith('/-/')) return () => told(path)
  if (method !== 'PUT' || !hasLength) {
    counts.notUnderstood += 1
    return () => reply(501, '')
  }
  const isSigned = /\r\nauthorization: *AWS4-HMAC-SHA256 /i.test(head)
  return () => {
    if (status !== 200) {
      counts.refused += 1
      return reply(status, '<Error><Code>ServiceUnavailable</Code><Message>Told to say so.</Message></Error>')
    }
    counts.objects += 1
    counts.bytes += bytes
    if (isSigned) counts.signed += 1
    return STORED
  }
}

function told(path: string): string {
  const answer = /^\/-\/answer\/(\d{3})$/.exec(path)?.[1]
  if (answer !== undefined) status = Number(answer)
  return reply(200, JSON.stringify(counts))
}

function reply(code: number, body: string): string {
  return `HTTP/1.1 ${code} -\r\nETag: "0"\r\nx-amz-request-id: 0\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

function nothing(): string {
  return ''
}
