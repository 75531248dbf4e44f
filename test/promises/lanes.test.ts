/** Several lanes are one server: what any of them has acked lands once, whichever process dies and however many come after. */

import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'

const JSON_TYPE = 'application/json'
/** So many fresh connections reach both of two lanes, but for once in 2^63 times. */
const CONNECTIONS = 64

interface Status {
  accepted: { payloads: number }
  stored: { payloads: number }
  pending: { payloads: number }
  ready: boolean
  lanes: { lane: number; ready: boolean; accepted?: { payloads: number } }[]
}

/** Of a connection that was cut off. */
const NOTHING = { accepted: { payloads: 0 }, stored: { payloads: 0 }, pending: { payloads: 0 } }

/** On a connection of its own, which any lane may get. */
function fresh(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, headers: { ...init.headers, connection: 'close' } })
}

async function post(millrace: Millrace, body: string, headers: Record<string, string> = {}, query = '') {
  const init = { method: 'POST', body, headers: { 'content-type': JSON_TYPE, ...headers } }
  const response = await fresh(`${millrace.url}/payloads${query}`, init)
  return { status: response.status, headers: response.headers, body: await response.text() }
}

async function status(millrace: Millrace): Promise<Status> {
  return (await (await fresh(`${millrace.url}/status`)).json()) as Status
}

const receiptIn = (body: string) => (JSON.parse(body) as { receipt: string }).receipt
const laneOf = (receipt: string) => receipt.split('-')[1]
const socketsIn = (scratch: Scratch) => {
  const names = readdirSync(scratch.at('data')).filter((name) => name.endsWith('.sock'))
  return names.toSorted()
}
const lines = (scratch: Scratch) => readObjectsIn(scratch.at('data/objects'))

test('both lanes take posts, each lands once, and SIGTERM ends all of them in good order', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h', '--lanes', '2']
  await using millrace = await Millrace.start(args)
  const answers = await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => post(millrace, `[${i}]`)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  const receipts = answers.map(({ body }) => receiptIn(body))
  expect(new Set(receipts.map(laneOf))).toEqual(new Set(['0', '1']))
  // Whoever is asked knows all of it.
  for (let i = 0; i < 8; i++) {
    const all = await status(millrace)
    expect(all).toMatchObject({ accepted: { payloads: CONNECTIONS }, pending: { payloads: CONNECTIONS }, ready: true })
    expect(all.lanes.map(({ lane, accepted }) => [lane, (accepted?.payloads ?? 0) > 0])).toEqual([
      [0, true],
      [1, true],
    ])
  }
  for (const receipt of receipts) {
    const found = await fresh(`${millrace.url}/receipts/${receipt}`)
    expect(await found.json()).toEqual({ receipt, state: 'pending' })
  }
  expect(await (await fresh(`${millrace.url}/metrics`)).text()).toContain('millrace_lane_up{lane="1"} 1')
  expect((await fresh(`${millrace.url}/readyz`)).status).toBe(200)
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  expect(millrace.output.match(/stopped; everything accepted is stored/g)).toHaveLength(1)
  expect(socketsIn(scratch)).toEqual([])
  expect(
    lines(scratch)
      .map(({ receipt, payload }) => `${receipt} ${payload}`)
      .sort(),
  ).toEqual(receipts.map((receipt, i) => `${receipt} ${i}`).sort())
})

test('a lane that is killed under load comes back, the other goes on, and what was acked lands once', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '100ms', '--lanes', '2']
  await using millrace = await Millrace.start(args)
  const load = new Load()
  const first = load.run(millrace.url, 8, () => load.acked.size > 300, 0, true)
  await first
  const second = load.run(
    millrace.url,
    8,
    () => load.acked.size > 2000 && /lane 1 is back/.test(millrace.output),
    0,
    true,
  )
  process.kill(millrace.lanes[1] as number, 'SIGKILL')
  await millrace.printed(/lane 1 ended \(SIGKILL\) and is started again in 0\.1 s; the others go on/)
  // Whoever answers meanwhile: what it knows adds up, at one moment.
  while (load.acked.size <= 2000) {
    const { accepted, stored, pending } = await status(millrace).catch(() => NOTHING)
    expect(accepted.payloads).toBe(stored.payloads + pending.payloads)
  }
  await millrace.printed(/lane 1 is back/)
  await second
  expect((await status(millrace)).ready).toBe(true)
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  expect(load.refusals).toEqual([])
  load.expectKept(lines(scratch))
})

test('lanes whose supervisor is killed end by themselves, and a start at once comes up behind them', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h', '--lanes', '2']
  await using first = await Millrace.start(args)
  const load = new Load()
  await load.run(first.url, 8, () => load.acked.size > 300)
  const running = load.run(first.url, 8, () => false)
  first.signal('SIGKILL')
  await using second = await Millrace.start(args)
  await running
  // Its output ends with the last process that writes to it.
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' })
  await load.run(second.url, 8, () => load.acked.size > 2000)
  expect(await second.stop()).toEqual({ code: 0, signal: null })
  // A stop refuses, and so do lanes that have lost their supervisor.
  expect(load.refusals.filter(({ body }) => !body.includes('"stopping"'))).toEqual([])
  load.expectKept(lines(scratch))
})

test('lanes whose supervisor is killed in the middle of a long stop do not take that long', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--lanes', '2', '--stop-grace', '1h', '--linger', '1h']
  const nowhere = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
  await using first = await Millrace.start([...args, '--to', 's3://bucket'], nowhere)
  for (let i = 0; i < CONNECTIONS; i++) expect((await post(first, `${i}`)).status).toBe(202)
  first.signal('SIGTERM')
  // Both are at it: each has something to deliver, and nowhere to.
  await first.printed(/lane 0: warning: \S+ .*attempt 2/)
  await first.printed(/lane 1: warning: \S+ .*attempt 2/)
  first.signal('SIGKILL')
  await using second = await Millrace.start(args)
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' })
  expect((await second.stop()).code).toBe(0)
  expect(lines(scratch)).toHaveLength(CONNECTIONS)
})

test('as long as one lane of a killed supervisor lives, a new start waits for it and does not touch its journal', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h']
  await using first = await Millrace.start([...args, '--lanes', '2'])
  expect((await post(first, '1')).status).toBe(202)
  const hanging = first.lanes[1] as number
  process.kill(hanging, 'SIGSTOP')
  first.signal('SIGKILL')
  await using second = Millrace.spawn(['--port', '0', ...args, '--lanes', '1'])
  await second.printed(/waiting for lanes of an earlier run to end/)
  expect(second.output).not.toContain('listens on')
  process.kill(hanging, 'SIGCONT')
  await second.printed(/listens on/)
  expect(await second.stop()).toEqual({ code: 0, signal: null })
  expect(lines(scratch)).toHaveLength(1)
})

test('lanes of an earlier run are drained by however many there are now, and receipts lead there', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h']
  await using first = await Millrace.start([...args, '--lanes', '4'])
  const answers = await Promise.all(Array.from({ length: CONNECTIONS * 2 }, (_, i) => post(first, `[${i}]`)))
  const receipts = answers.map(({ body }) => receiptIn(body))
  expect(new Set(receipts.map(laneOf)).size).toBe(4)
  for (const process of first.lanes) globalThis.process.kill(process, 'SIGSTOP')
  first.signal('SIGKILL')
  for (const process of first.lanes) globalThis.process.kill(process, 'SIGKILL')
  await first.exited
  const sockets = ['lane-0.sock', 'lane-1.sock', 'lane-2.sock', 'lane-3.sock']
  expect(socketsIn(scratch)).toEqual(sockets)

  for (const lanes of ['1', '2', '3']) {
    await using next = await Millrace.start([...args, '--lanes', lanes])
    expect(socketsIn(scratch)).toEqual(lanes === '1' ? [] : sockets.slice(0, Number(lanes)))
    // As of a lane that was killed just before the stop; where there is one process it stays until the next start.
    await Bun.write(scratch.at('data/lane-9.sock'), '')
    receipts.push(receiptIn((await post(next, `"with ${lanes}"`, {}, '?ack=stored')).body))
    // The rest is recovered and on its way; a stop waits for it.
    if (lanes === '1') expect((await next.stop()).code).toBe(0)
    else {
      for (const receipt of receipts) {
        const found = await fresh(`${next.url}/receipts/${receipt}`)
        expect(await found.json()).toMatchObject({ receipt, state: 'stored' })
      }
      expect(await status(next)).toMatchObject({ accepted: { payloads: receipts.length }, pending: { payloads: 0 } })
      expect((await next.stop()).code).toBe(0)
    }
    expect(socketsIn(scratch)).toEqual(lanes === '1' ? ['lane-9.sock'] : [])
  }
  expect(
    lines(scratch)
      .map(({ receipt }) => receipt)
      .sort(),
  ).toEqual([...receipts].sort())
})

test('an Idempotency-Key has one lane: a repeat is a repeat on any connection, and with more or fewer lanes', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h']
  const keys = Array.from({ length: 8 }, (_, i) => `key ${i}`)
  const answers = new Map<string, string>()
  for (const lanes of ['3', '1', '2', '4']) {
    await using millrace = await Millrace.start([...args, '--lanes', lanes])
    for (const key of keys) {
      const repeats = await Promise.all(
        Array.from({ length: 8 }, () => post(millrace, `["${key}"]`, { 'idempotency-key': key })),
      )
      for (const { status, body } of repeats) {
        expect([status, body]).toEqual([202, answers.get(key) ?? body])
        answers.set(key, body)
      }
      const replayed = repeats.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')
      expect(replayed.length).toBe(lanes === '3' ? 7 : 8)
    }
    const other = await Promise.all(
      Array.from({ length: 8 }, () => post(millrace, '["other"]', { 'idempotency-key': 'key 0' })),
    )
    expect(new Set(other.map(({ status }) => status))).toEqual(new Set([422]))
    // All of it is stored by then, in some lane's segments: whoever has the key now finds out.
    if (lanes === '4') {
      for (const key of keys) {
        const repeat = await post(millrace, `["${key}"]`, { 'idempotency-key': key }, '?ack=stored')
        expect([repeat.status, receiptIn(repeat.body)]).toEqual([201, receiptIn(answers.get(key) as string)])
      }
    }
    // Without a chance to write its notes: they are in the open segment.
    if (lanes === '3') await killAll(millrace)
    else expect((await millrace.stop()).code).toBe(0)
  }
  expect(
    lines(scratch)
      .map(({ payload }) => payload)
      .sort(),
  ).toEqual(keys.map((key) => `"${key}"`))
})

async function killAll(millrace: Millrace): Promise<void> {
  const { lanes } = millrace
  for (const lane of lanes) process.kill(lane, 'SIGSTOP')
  millrace.signal('SIGKILL')
  for (const lane of lanes) process.kill(lane, 'SIGKILL')
  await millrace.exited
}

test('a port that is taken is told once, also when those who have it would share it', async () => {
  using scratch = new Scratch()
  for (const others of ['1', '2']) {
    await using first = await Millrace.start(['--data', scratch.at(`first ${others}`), '--lanes', others])
    const port = new URL(first.url).port
    for (const lanes of ['1', '2']) {
      await using second = Millrace.spawn(['--port', port, '--data', scratch.at('second'), '--lanes', lanes])
      expect(await second.exited).toEqual({ code: 1, signal: null })
      expect(second.output.match(/listen_failed/g)).toHaveLength(1)
      expect(second.output).toContain('something else listens there; choose another with --port')
    }
  }
})

test('what keeps a lane from starting ends the program with the one message that one process would give', async () => {
  using scratch = new Scratch()
  await Bun.write(scratch.at('data/lane-1'), 'not a directory')
  await using millrace = Millrace.spawn(['--port', '0', '--data', scratch.at('data'), '--lanes', '3'])
  expect(await millrace.exited).toEqual({ code: 1, signal: null })
  expect(millrace.output).toStartWith('millrace: The data directory cannot be used (data_unusable):\n')
  expect(millrace.output).toContain(scratch.at('data/lane-1'))
  expect(millrace.output.trim().split('\n')).toHaveLength(2)
})

test('a second server on the data directory is refused, however many lanes either has', async () => {
  using scratch = new Scratch()
  for (const others of ['1', '2']) {
    await using first = await Millrace.start(['--data', scratch.at('data'), '--lanes', others])
    for (const lanes of ['1', '2']) {
      await using second = Millrace.spawn(['--port', '0', '--data', scratch.at('data'), '--lanes', lanes])
      expect(await second.exited).toEqual({ code: 1, signal: null })
      expect(second.output).toContain(`${scratch.at('data')} is in use by process ${first.pid}`)
    }
    await first.stop()
  }
})

test('a signal to the whole group is one stop, and lanes by themselves leave it to the supervisor', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h', '--lanes', '2'])
  expect((await post(millrace, '1')).status).toBe(202)
  for (const lane of millrace.lanes) process.kill(lane, 'SIGINT')
  expect((await post(millrace, '2')).status).toBe(202)
  for (const each of [...millrace.lanes, millrace.pid]) process.kill(each, 'SIGINT')
  expect(await millrace.exited).toEqual({ code: 0, signal: null })
  expect(millrace.output.match(/stopping: /g)).toHaveLength(1)
  expect(lines(scratch)).toHaveLength(2)
})
