/** What clients may do with a connection: requests in pieces, one behind the other, half closed, and of every kind on one. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Millrace, Scratch } from '../millrace.ts'

const scratch = new Scratch()
let millrace: Millrace
beforeAll(async () => {
  const bounds = ['--intake-bytes-max', '2MiB', '--body-bytes-max', '1600KiB']
  millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '10m', ...bounds])
})
afterAll(async () => {
  await millrace.kill()
  scratch[Symbol.dispose]()
})

/** A connection, and the answers that have come over it. */
class Client {
  readonly closed: Promise<void>
  text = ''
  readonly #socket: Socket
  readonly #statuses: number[] = []
  /** What has come since the last line with a status. */
  #rest = ''
  #isClosed = false
  #heard: () => void = () => {}

  constructor() {
    const { hostname, port } = new URL(millrace.url)
    this.#socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    this.#socket.on('data', (data: Buffer) => {
      this.#hears(`${data}`)
    })
    this.#socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      const closed = () => {
        this.#isClosed = true
        this.#heard()
        resolve()
      }
      this.#socket.on('end', closed)
      this.#socket.on('close', closed)
    })
  }

  /** Sends bytes, and waits until they are the kernel's. */
  async send(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()))
  }

  /** Closes its own side. */
  end(): void {
    this.#socket.end()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Waits until so many answers have come, the last of them whole; their statuses. Rejects when no more can come. */
  async statuses(count: number): Promise<number[]> {
    while (this.#statuses.length < count || !/\r\n\r\n.*}$/s.test(this.#rest)) {
      if (this.#isClosed) throw new Error(`closed after ${this.#statuses.length} answers of ${count}: ${this.#rest}`)
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
    return [...this.#statuses]
  }

  /** Looks at no byte of long answers twice: they may come in very many pieces. */
  #hears(data: string): void {
    this.text += data
    this.#rest += data
    let end = 0
    for (const line of this.#rest.matchAll(/HTTP\/1\.1 (\d+) .*\r\n/g)) {
      end = line.index + line[0].length
      if (line[1] !== '100') this.#statuses.push(Number(line[1]))
    }
    this.#rest = this.#rest.slice(end)
    this.#heard()
  }
}

/** How many payloads were ever accepted. */
const accepted = async () =>
  ((await (await fetch(`${millrace.url}/status`)).json()) as { accepted: { payloads: number } }).accepted.payloads
const post = (body: string, more = '', path = '/payloads') =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`
const CHUNKED =
  'POST /payloads HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n'

test('a request in pieces of one byte is one request', async () => {
  const client = new Client()
  for (const byte of Buffer.from(post('{"a":"é"}'))) await client.send(Uint8Array.of(byte))
  expect(await client.statuses(1)).toEqual([202])
  expect(client.text).toMatch(
    /^HTTP\/1\.1 202 Accepted\r\nContent-Type: application\/json\r\nDate: .* GMT\r\nContent-Length: \d+\r\n\r\n{"receipt":/,
  )
  client.destroy()
})

test('requests one behind the other are answered in their order, good and bad, also when they come in one piece', async () => {
  const client = new Client()
  const bodies = Array.from({ length: 300 }, (_, i) =>
    i % 3 === 2 ? '{"bad"' : `{"n":${i},"x":"${'y'.repeat(i * 7)}"}`,
  )
  await client.send(bodies.map((body) => post(body)).join(''))
  expect(await client.statuses(300)).toEqual(bodies.map((_, i) => (i % 3 === 2 ? 400 : 202)))
  const receipts = [...client.text.matchAll(/"receipt":"[^"]*-(\d+)"/g)].map((match) => Number(match[1]))
  expect(receipts).toEqual(receipts.toSorted((a, b) => a - b))
  client.destroy()
})

test('a client that closes its side still gets its answers', async () => {
  const client = new Client()
  await client.send(post('1') + post('2') + post('3'))
  client.end()
  await client.closed
  expect(await client.statuses(3)).toEqual([202, 202, 202])
})

test('a client that closes its side in the middle of a request gets none, and nothing is kept', async () => {
  const before = await accepted()
  for (const cut of [10, post('[1,2]').length - 1]) {
    const client = new Client()
    await client.send(post('[1,2]').slice(0, cut))
    client.end()
    await client.closed
    expect(client.text).toBe('')
  }
  expect(await accepted()).toEqual(before)
})

test('Connection: close is honoured after the answer', async () => {
  const client = new Client()
  await client.send(post('1', 'Connection: close\r\n') + post('2'))
  await client.closed
  expect(await client.statuses(1)).toEqual([202])
  expect(client.text).toContain('Connection: close\r\n')
})

test.each([
  ['GET /healthz HTTP/1.1\r\nHost: a\r\n', 200],
  ['GET /nowhere HTTP/1.1\r\nHost: a\r\n', 404],
  [CHUNKED.slice(0, CHUNKED.indexOf('\r\n\r\n') + 2), 202],
])('an answer to what is not plain says, too, that it is the last: %j', async (head, status) => {
  const client = new Client()
  await client.send(`${head}Connection: close\r\n\r\n${status === 202 ? '1\r\n1\r\n0\r\n\r\n' : ''}`)
  await client.closed
  expect(client.text).toStartWith(`HTTP/1.1 ${status}`)
  expect(client.text.match(/^connection: close\r$/gim)).toHaveLength(1)
})

test('every kind of request on one connection: what is not plain is answered, and so is what comes after it', async () => {
  const client = new Client()
  const requests: [string, number][] = [
    [post('1'), 202],
    ['GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n', 200],
    [post('2'), 202],
    [CHUNKED, 202],
    [post('{', '', '/payload'), 400],
    ['DELETE /payloads HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    [post('3', '', '/nowhere'), 404],
  ]
  for (const [nth, [request, status]] of requests.entries()) {
    await client.send(request)
    expect((await client.statuses(nth + 1))[nth]).toBe(status)
  }
  client.destroy()
})

test('a client that asks before it sends its body is told to go on', async () => {
  const client = new Client()
  await client.send(post('[1]', 'Expect: 100-continue\r\n').slice(0, -3))
  while (!client.text.includes('100 Continue')) await new Promise((resolve) => setImmediate(resolve))
  await client.send('[1]')
  expect((await client.statuses(1)).at(-1)).toBe(202)
  client.destroy()
})

test('a coded body is decoded, whether it comes plain or in chunks', async () => {
  const coded = gzipSync('[1,2,3]')
  const client = new Client()
  const head = 'POST /payloads HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n'
  await client.send(`${head}Content-Length: ${coded.length}\r\n\r\n`)
  await client.send(coded)
  expect(await client.statuses(1)).toEqual([202])
  await client.send(`${head}Transfer-Encoding: chunked\r\n\r\n${coded.length.toString(16)}\r\n`)
  await client.send(Buffer.concat([coded, Buffer.from('\r\n0\r\n\r\n')]))
  expect(await client.statuses(2)).toEqual([202, 202])
  expect(client.text.match(/"accepted":3/g)).toHaveLength(2)
  client.destroy()
})

test('the memory for bodies that never became whole is given back', async () => {
  for (let round = 0; round < 10; round++) {
    const client = new Client()
    await client.send(
      'POST /payloads HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1500000\r\n\r\n[',
    )
    client.destroy()
  }
  // The connections' ends may still be on their way: whoever is refused until then is told to come back.
  const body = JSON.stringify('x'.repeat(1_500_000))
  while ((await millrace.post('/payloads', 'application/json', body)).status !== 202);
})

test('a refused body is passed over, whatever stands in it, and the next request is answered', async () => {
  const client = new Client()
  const before = await accepted()
  const inside = post('{"inside":true}')
  const request = post(inside.repeat(1_700_000 / inside.length))
  await client.send(request.slice(0, 300_000))
  expect(await client.statuses(1)).toEqual([413])
  await client.send(request.slice(300_000))
  await client.send(post('[]'))
  expect(await client.statuses(2)).toEqual([413, 202])
  expect(await accepted()).toEqual(before)
  client.destroy()
})

test('a client that does not read its answers is not read either, and gets all of them in the end', async () => {
  const client = new Client()
  client.pause()
  // A refusal of 100 bad lines is an answer of some kilobytes: more of them than any socket's buffers hold.
  const lines = 'x\n'.repeat(150)
  const bad = `POST /payloads HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${lines.length}\r\n\r\n${lines}`
  const count = 1500
  const sent = client.send(bad.repeat(count))
  expect((await millrace.post('/payloads', 'application/json', '1')).status).toBe(202)
  client.resume()
  await sent
  expect((await client.statuses(count)).filter((status) => status === 400)).toHaveLength(count)
  client.destroy()
})

test('hundreds that ask for something else in one moment all get their answers', async () => {
  // More than the HTTP server's queue of connections holds; each has been accepted by the port.
  const clients = Array.from({ length: 700 }, () => new Client())
  await Promise.all(clients.map((client) => client.send(post('[]'))))
  await Promise.all(clients.map((client) => client.statuses(1)))
  millrace.signal('SIGSTOP')
  await Promise.all(clients.map((client) => client.send('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')))
  millrace.signal('SIGCONT')
  const answered = clients.map((client) => Promise.race([client.statuses(2), client.closed]))
  expect((await Promise.all(answered)).filter((statuses) => statuses?.[1] === 200)).toHaveLength(clients.length)
  for (const client of clients) client.destroy()
})

test('a client that sends all of its body first, and wants the connection closed, reads why it was refused', async () => {
  const client = new Client()
  const body = JSON.stringify('x'.repeat(1_700_000))
  const request = post(body, 'Connection: close\r\n')
  await client.send(request.slice(0, 300_000))
  expect(await client.statuses(1)).toEqual([413])
  const ended = client.closed.then(() => 'closed')
  expect(await Promise.race([ended, accepted().then(() => 'open')])).toBe('open')
  await client.send(`${request.slice(300_000)}${post('[]')}`)
  await client.closed
  expect(await client.statuses(1)).toEqual([413])
})
