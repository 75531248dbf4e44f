/** What the load generators post and read: the same bodies every time, counted exactly, and wrk's own figures. */

import { afterAll, expect, test } from 'bun:test'
import { makeBodies, writeBodies } from '../../bench/bodies.ts'
import { parseOutcome } from '../../bench/load-closed.ts'
import { postCounted } from '../../bench/load-count.ts'
import { makeLines, parseLineAnswers } from '../../bench/load-lines.ts'
import { parseAnswer } from '../../src/designs/connections.ts'
import { Scratch } from '../millrace.ts'

const scratch = new Scratch()
afterAll(() => scratch[Symbol.dispose]())

test('bodies are collections of that many varied payloads, and the same every time', () => {
  const bodies = makeBodies(100)
  expect(bodies).toHaveLength(512)
  expect(makeBodies(100)).toEqual(bodies)
  const payloads = bodies.flatMap((body) =>
    (JSON.parse(body) as { data: object[] }).data.map((one) => JSON.stringify(one)),
  )
  expect(payloads).toHaveLength(51_200)
  expect(new Set(payloads).size).toBe(51_200)
  const bytes = payloads.reduce((sum, { length }) => sum + length, 0) / payloads.length
  expect(bytes).toBeWithin(165, 235)
  expect(payloads[0]).toMatch(/"id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"/)
})

test('lines are the payloads of those bodies, and answers to them are counted to the last whole one', () => {
  const bodies = makeBodies(100)
  const batches = makeLines(100)
  for (const [i, batch] of batches.entries()) {
    const lines = batch.toString().split('\n')
    expect(lines.pop()).toBe('')
    expect(JSON.parse(`[${lines}]`)).toEqual(JSON.parse(bodies[i] as string).data)
  }
  const answer = (from: number, to: number) => `{"receipt":"r","accepted":1,"ack":"disk","lines":[${from},${to}]}\n`
  const whole = answer(1, 100) + answer(101, 250)
  expect(parseLineAnswers(Buffer.from(whole + answer(251, 300).slice(0, -1)))).toEqual({ line: 250, end: whole.length })
  expect(parseLineAnswers(Buffer.from('{"rec'))).toEqual({ line: 0, end: 0 })
  expect(() => parseLineAnswers(Buffer.from('{"code":"invalid_json","line":1}\n'))).toThrow('was not kept')
})

test('exactly so many POSTs are made, with each body whole, however large', async () => {
  // Larger than a socket takes at once.
  const lines = Array.from('abcde', (letter) => JSON.stringify(letter.repeat(8_000_000)))
  const bodies = scratch.at('large.ndjson')
  await Bun.write(bodies, `${lines.join('\n')}\n`)
  const seen: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      seen.push(await request.text())
      return new Response(null, { status: 202 })
    },
  })
  try {
    await postCounted({ url: `${server.url}payload`, bodies, connections: 4, posts: 7 })
    expect(seen).toHaveLength(7)
    expect([...new Set(seen)].toSorted()).toEqual(lines)
  } finally {
    await server.stop(true)
  }
})

test('a refusal ends counted work', async () => {
  const bodies = writeBodies(scratch.path, 1)
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(null, { status: 503 }) })
  try {
    const work = postCounted({ url: `${server.url}payload`, bodies, connections: 2, posts: 10 })
    expect(work).rejects.toThrow('503')
    await work.catch(() => undefined)
  } finally {
    await server.stop(true)
  }
})

test('an answer is read once it is whole', () => {
  const answer = 'HTTP/1.1 202 Accepted\r\nDate: now\r\ncontent-length: 4\r\n\r\n{"a"'
  const bytes = Buffer.from(answer)
  for (let length = 0; length < bytes.length; length++) expect(parseAnswer(bytes.subarray(0, length))).toBeUndefined()
  expect(parseAnswer(bytes)).toEqual({ status: 202, length: bytes.length })
  expect(parseAnswer(Buffer.from(`${answer}HTTP`))).toEqual({ status: 202, length: bytes.length })
  expect(() => parseAnswer(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('without a length')
})

test('of wrk’s figures, what was refused is not in the rate', () => {
  const line = 'RESULT {"micros":2000000,"answers":1000,"refused":100,"broken":3,"p50":1500,"p99":20000}'
  const outcome = parseOutcome(`Running 2s test @ http://127.0.0.1:1/payload\n\n${line}\n`)
  expect(outcome).toEqual({ postsPerSecond: 450, posts: 900, refused: 100, broken: 3, p50Ms: 1.5, p99Ms: 20 })
  expect(() => parseOutcome('unable to connect')).toThrow('no result')
})
