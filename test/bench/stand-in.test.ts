/** The S3 stand-in counts what landed: each PUT once, when its body is whole, however it is cut on the way. */

import { expect, test } from 'bun:test'
import { startStandIn } from '../../bench/contenders/stand-in.ts'

const AUTHORIZATION = 'AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c'

/** Sends text in these pieces over one connection; resolves when `answers` heads have come. */
async function exchange(endpoint: string, pieces: readonly string[], answers: number): Promise<string> {
  const { hostname, port } = new URL(endpoint)
  const { promise, resolve } = Promise.withResolvers<string>()
  let text = ''
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, chunk) {
        text += chunk
        if (text.split('HTTP/1.1').length > answers) resolve(text)
      },
    },
  })
  socket.setNoDelay(true)
  for (const piece of pieces) {
    socket.write(piece)
    // A round trip by another connection, so that pieces arrive one by one.
    await fetch(`${endpoint}/-/counts`)
  }
  const all = await promise
  socket.end()
  return all
}

test('objects are counted with their bytes, large ones too, and signed ones apart', async () => {
  await using standIn = await startStandIn()
  const put = (bytes: number, headers: Record<string, string>) =>
    fetch(`${standIn.endpoint}/bench/name`, { method: 'PUT', body: new Uint8Array(bytes), headers })
  const answers = await Promise.all([
    put(5_000_000, { authorization: AUTHORIZATION }),
    put(0, { authorization: AUTHORIZATION }),
    put(7, {}),
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(await standIn.counts()).toEqual({ objects: 3, bytes: 5_000_007, signed: 2, refused: 0, notUnderstood: 0 })
})

test('heads and bodies may be cut anywhere, and follow one another in one piece', async () => {
  await using standIn = await startStandIn()
  const put = 'PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
  await exchange(
    standIn.endpoint,
    [put.slice(0, 20), put.slice(20, -5), put.slice(-5, -1), `${put.slice(-1)}${put}${put}`],
    3,
  )
  expect(await standIn.counts()).toMatchObject({ objects: 3, bytes: 9, notUnderstood: 0 })
})

test('a client that waits before its body is told to go on, and counted once', async () => {
  await using standIn = await startStandIn()
  const head = 'PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n'
  expect(await exchange(standIn.endpoint, [head, 'abc'], 2)).toMatch(/^HTTP\/1.1 100 [\s\S]*HTTP\/1.1 200 /)
  expect(await standIn.counts()).toMatchObject({ objects: 1, bytes: 3 })
})

test('what it is told to refuse is not counted as landed, nor what it can’t understand', async () => {
  await using standIn = await startStandIn()
  const put = () => fetch(`${standIn.endpoint}/bench/name`, { method: 'PUT', body: 'abc' })
  await standIn.answer(503)
  expect((await put()).status).toBe(503)
  await standIn.answer(200)
  expect((await put()).status).toBe(200)
  expect((await fetch(`${standIn.endpoint}/bench/name`)).status).toBe(501)
  expect(await standIn.counts()).toMatchObject({ objects: 1, refused: 1, notUnderstood: 1 })
})
