/** An edge before servers, as its owner sees it: what acks mean, where things are, and what is said when they don't fit. */

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { millrace } from '../commands/run-command.ts'
import { freePorts } from '../free-ports.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn, readObjectsIn } from '../objects.ts'

const JSON_TYPE = 'application/json'

const serverArgs = (scratch: Scratch, name: string) => [
  '--data',
  scratch.at(name),
  '--to',
  scratch.at('objects'),
  '--linger',
  '50ms',
]

test('with lanes everywhere: acks, receipts, where and verify; the lines are the edge’s', async () => {
  using scratch = new Scratch()
  await using a = await Millrace.start([...serverArgs(scratch, 'a'), '--lanes', '2'])
  await using b = await Millrace.start(serverArgs(scratch, 'b'))
  const to = `${a.url},${b.url}`
  await using edge = await Millrace.start([
    '--data',
    scratch.at('edge'),
    '--to',
    to,
    '--linger',
    '20ms',
    '--lanes',
    '2',
  ])
  const receipts: string[] = []
  for (let i = 0; i < 20; i++) {
    const response = await edge.post(
      '/payload?ack=stored',
      JSON_TYPE,
      `{"version":"1.${i}","token":"t","data":[{"n" : ${i}},null]}`,
    )
    const answer = (await response.json()) as { receipt: string; ack: string; objects: string[] }
    expect([response.status, answer.ack, answer.objects.length]).toEqual([201, 'stored', 1])
    receipts.push(answer.receipt)
  }
  const { out } = await millrace(['where', receipts[0] as string, '--data', scratch.at('edge')])
  expect(out).toMatch(
    /is stored\n.*\n {2}in +http:\S+,http:\S+\n(.*\n)+ {2}forwarded {3}to http:\S+, whose own objects have these lines/,
  )
  expect(out).toMatch(new RegExp(`forwarded   to (${a.url}|${b.url}),`))
  expect(await edge.stop()).toEqual({ code: 0, signal: null })
  expect(await a.stop()).toEqual({ code: 0, signal: null })
  expect(await b.stop()).toEqual({ code: 0, signal: null })
  const lines = readObjectsIn(scratch.at('objects'))
  expect(lines.map(({ receipt, index, version, payload }) => [receipt, index, version, payload]).sort()).toEqual(
    receipts
      .flatMap((receipt, i) => [
        [receipt, 0, `1.${i}`, `{"n" : ${i}}`],
        [receipt, 1, `1.${i}`, 'null'],
      ])
      .sort(),
  )
  const verified = await millrace(['verify', '--deep', '--data', scratch.at('edge')])
  expect(verified.out).toContain('run verify on those servers')
  expect(verified.code).toBe(
    (await millrace(['verify', '--data', scratch.at('edge'), '--to', 's3://elsewhere'], { AWS_REGION: 'eu-west-1' }))
      .code,
  )
  for (const server of ['a', 'b']) {
    expect((await millrace(['verify', '--deep', '--data', scratch.at(server)])).out).toContain(
      'All that was accepted is there.',
    )
  }
})

test('the longest payload that an edge takes fits a server with the same options', async () => {
  using scratch = new Scratch()
  await using server = await Millrace.start([...serverArgs(scratch, 'a'), '--body-bytes-max', '1MiB'])
  await using edge = await Millrace.start([
    '--data',
    scratch.at('edge'),
    '--to',
    server.url,
    '--linger',
    '1s',
    '--body-bytes-max',
    '1MiB',
    '--compression',
    'none',
  ])
  // Just below half of it, and a payload as long as a body may be behind that: one object.
  const first = `[${Array.from({ length: 100 }, () => `"${'a'.repeat(4000)}"`)}]`
  const bodies = [first, `"${'b'.repeat(2 ** 20 - 2)}"`]
  const answers = await Promise.all(bodies.map((body) => edge.post('/payloads?ack=stored', JSON_TYPE, body)))
  expect(answers.map(({ status }) => status)).toEqual([201, 201])
  await edge.stop()
  await server.stop()
  expect(readObjectsIn(scratch.at('objects'))).toHaveLength(101)
})

test('what is too long for the servers parks, red and with the options to set; a server that takes it mends that', async () => {
  using scratch = new Scratch()
  const [port] = await freePorts(1)
  const args = [...serverArgs(scratch, 'a'), '--port', `${port}`]
  await using small = await Millrace.start([...args, '--body-bytes-max', '64KiB'])
  await using edge = await Millrace.start(['--data', scratch.at('edge'), '--to', small.url, '--linger', '20ms'])
  expect((await edge.post('/payloads', JSON_TYPE, `"${'x'.repeat(200_000)}"`)).status).toBe(202)
  await edge.printed(/body_too_large/)
  const ready = await fetch(`${edge.url}/readyz`)
  expect(await ready.json()).toMatchObject({
    code: 'destination_parked',
    detail: expect.stringMatching(/--body-bytes-max .* --object-bytes-max/),
  })
  await small.stop()
  await using large = await Millrace.start(args)
  await edge.printed(/stored 1 payload/)
  expect((await fetch(`${edge.url}/readyz`)).status).toBe(200)
  await edge.stop()
  await large.stop()
  expect(readObjectsIn(scratch.at('objects'))).toHaveLength(1)
})

test('an edge before an edge', async () => {
  using scratch = new Scratch()
  await using server = await Millrace.start(serverArgs(scratch, 'a'))
  await using middle = await Millrace.start([
    '--data',
    scratch.at('middle'),
    '--to',
    server.url,
    '--linger',
    '20ms',
    '--compression',
    'none',
  ])
  await using edge = await Millrace.start([
    '--data',
    scratch.at('edge'),
    '--to',
    middle.url,
    '--linger',
    '20ms',
    '--compression',
    'gzip',
  ])
  const response = await edge.post('/payloads?ack=stored', JSON_TYPE, '[1, 2]')
  const { receipt } = (await response.json()) as { receipt: string }
  await edge.stop()
  await middle.stop()
  await server.stop()
  const [name = ''] = objectNamesIn(scratch.at('objects'))
  const lines = zstdDecompressSync(readFileSync(join(scratch.at('objects'), name))).toString()
  const head = `{"receipt":"${receipt}","index":`
  expect(lines.split('\n').map((line) => line.slice(0, head.length + 1))).toEqual([`${head}0`, `${head}1`, ''])
})
