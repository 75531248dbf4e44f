/** The server from code: options by their names, a place or a function behind it, and the end of it when its caller says so. */

import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DeadLetter, Fault, type HandlerServerOptions, millrace } from '../src/millrace.ts'
import { millrace as run } from './commands/run-command.ts'
import { Millrace, Scratch } from './millrace.ts'
import { readObjectsIn } from './objects.ts'

async function post(url: string, body: string, ack = 'disk') {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/payloads?ack=${ack}`, { method: 'POST', headers, body })
  const answer = (await response.json()) as { receipt: string; ack: string; objects?: string[] }
  return { status: response.status, ...answer }
}

async function faultOf(options: object): Promise<{ code: string; message: string } | undefined> {
  try {
    await (await millrace({ data: '/nowhere', ...options })).stop()
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, message: error.message }
    throw error
  }
  return undefined
}

/** A server with a function, in a directory of its own. */
function start(
  data: string,
  options: Partial<HandlerServerOptions<unknown>> & Pick<HandlerServerOptions<unknown>, 'to'>,
) {
  return millrace({ port: 0, data, lingerMs: 10, ackStoredLingerMs: 10, log: false, ...options })
}

test.each<[object, string]>([
  [{ linger: '5s' }, "'linger' is not an option; options are port, host,"],
  [{ lingerMs: 9 }, 'lingerMs is 9; allowed is a whole number of milliseconds from 10 to 3600000'],
  [{ lingerMs: '5s' }, "lingerMs is '5s'; allowed is a whole number of milliseconds"],
  [{ maxQueue: 0 }, 'maxQueue is 0; allowed is a whole number from 1'],
  [
    { ackAllow: ['disk', 'never'] },
    `ackAllow is ["disk","never"]; allowed is a list of one or more of 'memory', 'disk'`,
  ],
  [{ ackDefault: 'stored', ackAllow: ['disk'] }, "--ack-default is 'stored'"],
  [{ to: '' }, "to is ''; allowed is any text but the empty one"],
  [{ to: 'ftp://x' }, "'ftp' is not a kind of destination"],
  [{ lanes: 2 }, 'lanes is 2: from code there is one'],
  [{ log: 5 }, 'log is 5; allowed is a function, or false'],
  [{ batch: 'payload' }, "'batch' is not an option"],
  [{ to() {}, batch: 'all' }, "batch is 'all'; allowed is 'record', 'payload'"],
  [{ to() {}, raw: 1 }, 'raw is 1; allowed is true, false'],
  [{ to() {}, timeoutMs: 0 }, 'timeoutMs is 0; allowed is a whole number of milliseconds from 1 to 86400000'],
  [{ to() {}, format: 'payload' }, 'format says how objects are made; with a function there are none'],
])('options that are wrong are refused with a fault: %#', async (options, message) => {
  const fault = await faultOf(options)
  expect(fault).toEqual({ code: 'config_invalid', message: expect.stringContaining(message) })
})

test('with a directory it is the command’s server; its end is the caller’s to say', async () => {
  using scratch = new Scratch()
  const [data, to] = [scratch.at('data'), scratch.at('objects')]
  await using server = await millrace({ port: 0, data, to, threads: 1, log: false })
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`)
  await post(server.url, '[1,2]')
  expect(await server.status()).toMatchObject({ ready: true, destination: to, pending: { payloads: 2 } })
  expect(await server.stop()).toEqual({ segments: 0, payloads: 0, dead: 0 })
  expect(readObjectsIn(to).map(({ payload }) => payload)).toEqual(['1', '2'])
})

test('another process on its data directory is refused, and so is a second server in this one', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  await using server = await start(data, { to() {} })
  expect(await faultOf({ data, port: 0 })).toMatchObject({ code: 'data_locked' })
  expect(await faultOf({ data: scratch.at('other'), port: server.port })).toMatchObject({ code: 'listen_failed' })
})

test('?ack=stored is answered when the function has taken it, whatever else its segment waits for', async () => {
  using scratch = new Scratch()
  let isDown = true
  await using server = await start(scratch.at('data'), {
    lingerMs: 60_000,
    ackStoredLingerMs: 200,
    to: ([payload]) => {
      if (payload === 'poison' && isDown) throw new Error('down')
    },
  })
  const poison = await post(server.url, '"poison"')
  const good = await post(server.url, '["good"]', 'stored')
  expect(good).toMatchObject({ status: 201, ack: 'stored', objects: [] })
  expect(good.receipt.split('-').slice(0, 4)).toEqual(poison.receipt.split('-').slice(0, 4))
  expect(await server.status()).toMatchObject({ ready: true, segments: 1, calls: { failing: 1 } })
  isDown = false
  expect(await server.stop()).toEqual({ segments: 0, payloads: 0, dead: 0 })
})

test('when every call fails, /readyz is red, /status and /metrics say how many; nothing is lost', async () => {
  using scratch = new Scratch()
  const down = Promise.withResolvers<void>()
  const lines: string[] = []
  const first = await start(scratch.at('data'), {
    maxWorkers: 1,
    log: (line) => lines.push(line),
    to() {
      down.resolve()
      throw new Error('down')
    },
  })
  const { receipt } = await post(first.url, '{"a":1}')
  await down.promise
  const ready = await fetch(`${first.url}/readyz`)
  expect([ready.status, await ready.json()]).toEqual([
    503,
    expect.objectContaining({ code: 'destination_parked', detail: expect.stringContaining(`${receipt}: Error: down`) }),
  ])
  expect(await (await fetch(`${first.url}/metrics`)).text()).toContain('millrace_calls_failing 1\n')
  expect(await first.stop(0)).toEqual({ segments: 1, payloads: 1, dead: 0 })
  expect(lines.join()).toContain(`warning: ${receipt}: Error: down; attempt 2 in`)

  const given: unknown[] = []
  await using second = await start(scratch.at('data'), {
    to: (payloads, context) => given.push([payloads, context.receipt]),
  })
  await second.stop()
  expect(given).toEqual([[[{ a: 1 }], receipt]])
})

test('dead letters: receipts, the commands and the next start know them; replayed, they are given again', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  const first = await start(data, {
    batch: 'payload',
    to([payload]) {
      if (payload === 2) throw new DeadLetter('no such customer')
    },
  })
  const { receipt } = await post(first.url, '[1,2,3]', 'stored')
  const url = `${first.url}/receipts/${receipt}`
  const dead = { state: 'dead', reason: 'no such customer', indexes: [1] }
  expect(await (await fetch(url)).json()).toMatchObject(dead)
  const { stored, dead: died } = await first.status()
  expect([stored.payloads, died.payloads]).toEqual([2, 1])
  expect(await first.stop()).toMatchObject({ dead: 1 })
  // How far it had come was on the disk, and is gone with the segment.
  expect(readdirSync(join(data, 'lane-0/handled'))).toEqual([])

  const commands = async (...args: string[]) => (await run([...args, '--data', data])).out
  expect(await commands('where', receipt)).toContain('payloads    1 (the others are stored)')
  expect(await commands('dead', 'list')).toContain('no such customer')
  expect(await commands('verify')).toContain('All that was accepted is there.')
  expect((await commands('dead', 'show', receipt)).split('\n')[1]).toBe('[2]')
  expect(await commands('dead', 'replay', '--all')).toContain('replayed as')
  const given: unknown[] = []
  const second = await start(data, { to: (payloads) => given.push(payloads) })
  await second.stop()
  expect(given).toEqual([[2]])
  expect(await commands('verify')).toContain('All that was accepted is there.')
})

test('a record that was taken has a receipt that says so, and no objects', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  await using server = await start(data, { to() {} })
  const { receipt } = await post(server.url, '1', 'stored')
  await server.stop()
  const { out } = await run(['where', receipt, '--data', data])
  expect(out).toContain('in          handler\n  a function has taken it, so that no object has lines of it')
  expect(JSON.parse((await run(['where', receipt, '--json', '--data', data])).out)).toMatchObject({
    state: 'stored',
    destination: 'handler',
    objects: [],
  })
})

test('a start with more lanes before it: a function is given what they left', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  const nowhere = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
  {
    await using lanes = await Millrace.start(
      ['--data', data, '--lanes', '2', '--to', 's3://bucket', '--stop-grace', '0ms'],
      nowhere,
    )
    for (let i = 0; i < 40; i++) await post(lanes.url, `${i}`)
    await lanes.stop()
  }
  const given: unknown[] = []
  const server = await start(data, { to: ([payload]) => given.push(payload) })
  expect(await server.stop()).toEqual({ segments: 0, payloads: 0, dead: 0 })
  expect(given.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 40 }, (_, i) => i))
})
