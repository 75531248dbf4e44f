/** Lines over TCP and TLS, as clients of the running program meet them. */

import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { PROBLEMS } from '../../src/observe/errors.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { TcpClient, tcpPort } from '../tcp-client.ts'

/** Nothing is delivered until the stop. */
const HOLD = ['--linger', '10m']
/** Nothing listens at port 9 of this machine. */
const NOWHERE = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }

const payloadsIn = (scratch: Scratch) => readObjectsIn(scratch.at('data/objects')).map(({ payload }) => payload)

test('lines are kept, answered in order, counted in /metrics, and stored byte for byte', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--tcp', '0', ...HOLD])
  using client = await TcpClient.open(tcpPort(millrace))
  const stream = Buffer.from('{"a":1.0}\r\n\n{"ü":"\\u00fc😀"}\nno\n 12345678901234567890 \n')
  for (const byte of stream) client.send(Uint8Array.of(byte))
  client.finish('{"last":true}')
  await client.ended()
  const { answers } = client
  expect(answers.at(0)?.lines?.[0]).toBe(1)
  const spans = answers.map(({ lines: [from, to] = [Number.NaN, Number.NaN] }) => ({ from, to }))
  for (const [i, { from }] of spans.entries()) if (i > 0) expect(from).toBe((spans[i - 1]?.to ?? Number.NaN) + 1)
  expect(answers.at(-1)?.lines?.[1]).toBe(6)
  expect(answers.reduce((sum, { accepted = 0 }) => sum + accepted, 0)).toBe(4)
  expect(answers.flatMap<unknown>(({ code, errors }) => (code ? [code] : (errors ?? [])))).toHaveLength(1)
  using other = await TcpClient.open(tcpPort(millrace))
  other.send('1\n')
  await other.answered(1)
  expect(await (await fetch(`${millrace.url}/metrics`)).text()).toContain('millrace_tcp_connections 1\n')
  const found = await fetch(`${millrace.url}/receipts/${other.answers[0]?.receipt}`)
  expect(await found.json()).toMatchObject({ state: 'pending' })
  await millrace.stop()
  expect(payloadsIn(scratch)).toEqual(['{"a":1.0}', '{"ü":"\\u00fc😀"}', '12345678901234567890', '{"last":true}', '1'])
})

test('a line cut at every byte, on a connection for each cut: kept once each', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--tcp', '0', ...HOLD])
  const line = (n: number) => `{"n":${n},"text":"mühle"}\n`
  const length = Buffer.byteLength(line(10))
  const clients = await Promise.all(
    Array.from({ length: length + 1 }, async (_, cut) => {
      const client = await TcpClient.open(tcpPort(millrace))
      const bytes = Buffer.from(line(10 + cut) + line(100 + cut))
      client.send(bytes.subarray(0, cut))
      // The second part goes when the first has arrived: another connection's answer came after it.
      using other = await TcpClient.open(tcpPort(millrace))
      other.send(`"${cut}"\n`)
      await other.answered(1)
      client.finish(bytes.subarray(cut) as never)
      await client.ended()
      return client
    }),
  )
  for (const { answers } of clients)
    expect(answers.reduce((sum, { accepted = Number.NaN }) => sum + accepted, 0)).toBe(2)
  await millrace.stop()
  const expected = clients.flatMap((_, cut) => [line(10 + cut).trim(), line(100 + cut).trim(), `"${cut}"`])
  expect(payloadsIn(scratch).sort()).toEqual(expected.sort())
})

test('a reset in the middle of a line: half a line is not kept', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--tcp', '0', ...HOLD])
  const client = await TcpClient.open(tcpPort(millrace))
  client.send('"whole"\n')
  await client.answered(1)
  client.send('[1]')
  client.reset()
  using other = await TcpClient.open(tcpPort(millrace))
  other.send('"other"\n')
  await other.answered(1)
  await millrace.stop()
  expect(payloadsIn(scratch)).toEqual(['"whole"', '"other"'])
})

test('many lines at once come as few records, and a banner answers for clients that only want a reply', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--tcp', '0', '--tcp-banner', 'Message received.', ...HOLD]
  await using millrace = await Millrace.start(args)
  using client = await TcpClient.open(tcpPort(millrace))
  client.finish('{"n":1}\n'.repeat(100_000))
  await client.ended()
  expect(new Set(client.lines)).toEqual(new Set(['Message received.']))
  expect(client.lines.length).toBeLessThan(100)
  const status = (await (await fetch(`${millrace.url}/status`)).json()) as { accepted: { payloads: number } }
  expect(status.accepted.payloads).toBe(100_000)
})

describe('bounds', () => {
  test('MAX_QUEUE: the server stops reading, says nothing, and goes on later with nothing lost', async () => {
    using scratch = new Scratch()
    const args = ['--data', scratch.at('data'), '--tcp', '0', '--linger', '50ms', '--max-queue', '1000']
    const small = ['--tcp-in-flight-bytes-max', '64KiB', '--tcp-line-bytes-max', '64KiB']
    await using first = await Millrace.start([...args, ...small, '--to', 's3://bucket', '--stop-grace', '0ms'], NOWHERE)
    using client = await TcpClient.open(tcpPort(first))
    // More than the sockets' buffers can hold of it.
    const line = (n: number) => `{"n":${n},"text":"${'x'.repeat(4000)}"}`
    const sent = Array.from({ length: 10_000 }, (_, n) => line(n))
    client.send(`${sent.join('\n')}\n`)
    const accepted = () => client.answers.reduce((sum, answer) => sum + (answer.accepted ?? 0), 0)
    while (accepted() < 1000) await client.answered(client.lines.length + 1)
    const post = await first.post('/payloads', 'application/json', '1')
    expect(post.status).toBe(503)
    // Everything that the kernel took is on its way; the rest waits at the client.
    expect(client.unsentBytes).toBeGreaterThan(20_000_000)
    expect(accepted()).toBe(1000)
    await first.stop()
    await client.ended()
    expect(client.answers.at(-1)).toMatchObject({ code: 'stopping', line: 1001 })

    await using second = await Millrace.start([...args, ...small])
    using again = await TcpClient.open(tcpPort(second))
    again.finish(`${sent.slice(1000).join('\n')}\n`)
    await again.ended()
    expect(again.answers.reduce((sum, { accepted = Number.NaN }) => sum + accepted, 0)).toBe(9000)
    await second.stop()
    const payloads = payloadsIn(scratch)
    expect(payloads).toHaveLength(10_000)
    expect(new Set(payloads)).toEqual(new Set(sent))
  })

  test('connections: one too many is told so', async () => {
    using scratch = new Scratch()
    const args = ['--data', scratch.at('data'), '--tcp', '0', '--tcp-connections-max', '2', ...HOLD]
    await using millrace = await Millrace.start(args)
    const [first, second] = [await TcpClient.open(tcpPort(millrace)), await TcpClient.open(tcpPort(millrace))]
    using third = await TcpClient.open(tcpPort(millrace))
    await third.ended()
    expect(third.answers).toMatchObject([
      { code: 'too_many_connections', status: PROBLEMS.too_many_connections.status },
    ])
    first.reset()
    second.send('1\n')
    await second.answered(1)
    using fourth = await TcpClient.open(tcpPort(millrace))
    fourth.finish('{}\n')
    await fourth.ended()
    expect(fourth.answers).toMatchObject([{ accepted: 1 }])
    second.finish()
  })

  test('a line too long, and silence', async () => {
    using scratch = new Scratch()
    const small = ['--tcp-line-bytes-max', '1KiB', '--tcp-idle', '1s']
    await using millrace = await Millrace.start(['--data', scratch.at('data'), '--tcp', '0', ...small, ...HOLD])
    using client = await TcpClient.open(tcpPort(millrace))
    client.send(`1\n"${'x'.repeat(300_000)}"\n3\n`)
    await client.ended()
    const answers = client.answers.filter(({ accepted }) => accepted === undefined)
    expect(answers).toMatchObject([
      { code: 'line_too_long', line: 2 },
      { code: 'idle_timeout', line: 4 },
    ])
  })
})

test('TLS: the same, with the certificate it was given', async () => {
  using scratch = new Scratch()
  const [key, cert] = [scratch.at('key.pem'), scratch.at('cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    ...curve,
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    '-days',
    '2',
    ...name,
  ])
  expect(made.status).toBe(0)
  const tls = ['--tcp', '0', '--tcp-tls-cert', cert, '--tcp-tls-key', key]
  await using millrace = await Millrace.start(['--data', scratch.at('data'), ...tls, ...HOLD])
  expect(millrace.output).toMatch(/^ {2}tcp {7}tls 127\.0\.0\.1:\d+$/m)
  const ca = readFileSync(cert, 'utf8')
  using client = await TcpClient.open(tcpPort(millrace), ca)
  client.send('{"a":')
  client.send('1}\n')
  await client.answered(1)
  client.finish(`"${'y'.repeat(900_000)}"\nbad\n{"end":true}`)
  await client.ended()
  expect(client.answers.reduce((sum, { accepted = 0 }) => sum + accepted, 0)).toBe(3)
  // Who speaks no TLS is not understood.
  using plain = await TcpClient.open(tcpPort(millrace))
  plain.send('{"plain":true}\n')
  await plain.ended()
  await millrace.stop()
  expect(payloadsIn(scratch)).toEqual(['{"a":1}', `"${'y'.repeat(900_000)}"`, '{"end":true}'])

  const wrong = Millrace.spawn([
    '--data',
    scratch.at('data'),
    '--tcp',
    '0',
    '--tcp-tls-cert',
    key,
    '--tcp-tls-key',
    cert,
  ])
  expect((await wrong.exited).code).toBe(2)
  expect(wrong.output).toContain('--tcp-tls-cert')
})

test('a stop answers what is whole, and says from where on nothing was kept', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--tcp', '0', ...HOLD])
  using client = await TcpClient.open(tcpPort(millrace))
  client.send('1\n2\n{"half":')
  while (client.answers.at(-1)?.lines?.[1] !== 2) await client.answered(client.lines.length + 1)
  millrace.signal('SIGTERM')
  await client.ended()
  expect(client.answers.at(-1)).toMatchObject({ code: 'stopping', line: 3 })
  expect(await millrace.exited).toEqual({ code: 0, signal: null })
  expect(payloadsIn(scratch)).toEqual(['1', '2'])
})

test('two lanes share the TCP port, and a port that is taken is refused', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--tcp', '0', '--lanes', '2', ...HOLD])
  const clients = await Promise.all(Array.from({ length: 64 }, () => TcpClient.open(tcpPort(millrace))))
  for (const [i, client] of clients.entries()) client.finish(`"${i}"\n`)
  for (const client of clients) await client.ended()
  expect(new Set(clients.map(({ answers }) => answers[0]?.receipt?.split('-')[1]))).toEqual(new Set(['0', '1']))
  for (const lanes of ['1', '2']) {
    const args = [
      '--port',
      '0',
      '--data',
      scratch.at(`other-${lanes}`),
      '--tcp',
      String(tcpPort(millrace)),
      '--lanes',
      lanes,
    ]
    const other = Millrace.spawn(args)
    expect((await other.exited).code).toBe(1)
    expect(other.output).toContain('choose another with --tcp')
  }
  await millrace.stop()
  expect(payloadsIn(scratch).sort()).toEqual(clients.map((_, i) => `"${i}"`).sort())
})

test.each([
  [['--tcp', 'nonsense'], "--tcp is 'nonsense'"],
  [['--tcp', '70000'], "--tcp is '70000'"],
  [['--tcp', '0', '--tcp-tls-cert', 'c.pem'], 'one is missing'],
  [['--tcp-tls-cert', 'c.pem', '--tcp-tls-key', 'k.pem'], 'need --tcp'],
  [['--tcp-banner', 'OK'], '--tcp-banner needs --tcp'],
  [['--tcp', '0', '--tcp-tls-cert', '/no/c.pem', '--tcp-tls-key', '/no/k.pem'], '/no/c.pem'],
  [['--tcp', '0', '--tcp-in-flight-bytes-max', '1KiB'], 'less than --tcp-line-bytes-max'],
])('%p is refused in words', async (args, words) => {
  using scratch = new Scratch()
  const millrace = Millrace.spawn(['--port', '0', '--data', scratch.at('data'), ...args])
  expect((await millrace.exited).code).toBe(2)
  expect(millrace.output).toContain(words)
})
