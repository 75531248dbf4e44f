/** How an object goes out: in one message, its memory free when it was given up, and with no harm by a stale connection. */

import { afterEach, expect, test } from 'bun:test'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Body } from '../../src/destination/body.ts'
import { type Upload, upload } from '../../src/destination/upload.ts'

const NEVER = new AbortController().signal
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
/** Longer than sockets keep, so that a reader who stops is felt. */
const LONG_BYTES = 32 << 20

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** One connection, as the server sees it. */
class Conversation {
  readonly socket: Socket
  #received: Buffer[] = []
  #bytes = 0

  constructor(socket: Socket) {
    this.socket = socket
  }

  /** Takes a piece of a request; says whether it is whole now. */
  take(piece: Buffer): boolean {
    this.#received.push(piece)
    this.#bytes += piece.length
    const announced = Number(/^content-length: (\d+)\r$/im.exec(this.head)?.[1])
    return this.#bytes === this.head.length + announced
  }

  get head(): string {
    const start = Buffer.concat(this.#received.slice(0, 2)).toString('latin1')
    return start.slice(0, start.indexOf('\r\n\r\n') + 4)
  }

  get body(): Buffer {
    return Buffer.concat(this.#received).subarray(this.head.length)
  }

  /** Answers, and is ready for the next request. */
  answer(): void {
    this.#received = []
    this.#bytes = 0
    this.socket.write(OK)
  }
}

/** A server that tells of each piece that comes, and on which connection; the first has number 1. */
async function serve(onPiece: (conversation: Conversation, isWhole: boolean, connection: number) => unknown) {
  const connections: Conversation[] = []
  const server = createServer((socket) => {
    const conversation = new Conversation(socket)
    const number = connections.push(conversation)
    socket.on('error', () => {})
    socket.on('data', (piece: Buffer) => onPiece(conversation, conversation.take(piece), number))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  return { connections, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/objects/a` }
}

function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, index) => (index * 7919 + (index >> 8)) & 0xff)
}

/** In pieces of different lengths. */
function bodyOf(length: number): Body {
  const bytes = bytesOf(length)
  const pieces: Uint8Array<ArrayBuffer>[] = []
  for (let at = 0; at < length; ) {
    const end = at + 100_000 + 70_000 * (pieces.length % 3)
    pieces.push(bytes.slice(at, end))
    at = end
  }
  return new Body(pieces)
}

function uploadOf(length: number, more: Partial<Upload> = {}): Upload {
  return { method: 'PUT', headers: { 'x-told': 'yes' }, body: bodyOf(length), signal: NEVER, ...more }
}

for (const length of [0, 1000, 1 << 20, (1 << 20) + 1, 5_000_000]) {
  test(`${length} bytes go out in one message that says how long it is`, async () => {
    const seen = Promise.withResolvers<{ head: string; body: Buffer }>()
    const { url } = await serve((conversation, isWhole) => {
      if (!isWhole) return
      seen.resolve({ head: conversation.head, body: conversation.body })
      conversation.answer()
    })
    const sent = uploadOf(length)
    expect((await upload(url, sent)).status).toBe(200)
    const { head, body } = await seen.promise
    expect(head).toStartWith('PUT /objects/a HTTP/1.1\r\n')
    expect(head.toLowerCase()).toContain('\r\nx-told: yes\r\n')
    expect(head.toLowerCase()).toContain(`\r\ncontent-length: ${length}\r\n`)
    expect(head.toLowerCase()).not.toContain('transfer-encoding')
    expect(body.equals(bytesOf(length))).toBe(true)
  })
}

test('an attempt that was given up takes no more of the memory, which may be another object’s by then', async () => {
  const begun = Promise.withResolvers<Conversation>()
  const closed = Promise.withResolvers<void>()
  const { url } = await serve((conversation) => {
    conversation.socket.pause()
    begun.resolve(conversation)
  })
  const stop = new AbortController()
  const sent = uploadOf(LONG_BYTES, { signal: stop.signal })
  const before = bytesOf(LONG_BYTES)
  const uploading = upload(url, sent)
  const conversation = await begun.promise
  conversation.socket.on('close', closed.resolve)
  stop.abort()
  await expect(uploading).rejects.toMatchObject({ name: 'AbortError' })
  for (const piece of sent.body.pieces) piece.fill(0)
  // From now on it reads all there is.
  conversation.socket.removeAllListeners('data')
  conversation.socket.on('data', (piece: Buffer) => conversation.take(piece))
  conversation.socket.resume()
  await closed.promise
  const came = conversation.body
  expect(came.length).toBeLessThan(before.length)
  expect(came.equals(before.subarray(0, came.length))).toBe(true)
})

/** A server that keeps the first connection after its first answer, and closes it when something comes on it again. */
async function serveOnce() {
  let answered = 0
  return await serve((conversation, isWhole, connection) => {
    if (connection === 1 && answered === 1) conversation.socket.resetAndDestroy()
    else if (isWhole) {
      answered += 1
      conversation.answer()
    }
  })
}

for (const length of [100, 5_000_000]) {
  test(`a connection that was used before and turns out closed is no trouble: ${length} bytes`, async () => {
    const { url, connections } = await serveOnce()
    expect((await upload(url, uploadOf(100))).status).toBe(200)
    expect((await upload(url, uploadOf(length))).status).toBe(200)
    expect(connections).toHaveLength(2)
  })

  test(`what is closed without an answer is an error, and was sent once: ${length} bytes`, async () => {
    for (const isOnce of [false, true]) {
      const { url, connections } = await serve(({ socket }) => socket.resetAndDestroy())
      await expect(upload(url, uploadOf(length, { isOnce }))).rejects.toMatchObject({ code: 'ECONNRESET' })
      expect(connections).toHaveLength(1)
    }
  })

  test(`what is to be sent once goes out on no connection that was used before: ${length} bytes`, async () => {
    const { url, connections } = await serve((conversation, isWhole) => isWhole && conversation.answer())
    await upload(url, uploadOf(100))
    await upload(url, uploadOf(length, { method: 'POST', isOnce: true }))
    expect(connections).toHaveLength(2)
  })
}

test('short ones one after another share a connection', async () => {
  const { url, connections } = await serve((conversation, isWhole) => isWhole && conversation.answer())
  for (let nth = 0; nth < 3; nth++) expect((await upload(url, uploadOf(1000))).status).toBe(200)
  expect(connections).toHaveLength(1)
})

test('nobody listening is an error', async () => {
  const { url } = await serve(() => {})
  for (const close of closers.splice(0)) await close()
  await expect(upload(url, uploadOf(5_000_000))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})
