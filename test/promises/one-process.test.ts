/** One process per data directory: a second one says so and leaves the first alone. A dead one's lock holds nobody up. */

import { expect, test } from 'bun:test'
import { Millrace, Scratch } from '../millrace.ts'

test('a second process on the same data directory is refused by name, and the first goes on', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data')]
  await using first = await Millrace.start(args)
  await using second = Millrace.spawn(['--port', '0', ...args])
  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.output).toContain('data_locked')
  expect(second.output).toContain(`${scratch.at('data')} is in use by process ${first.pid}`)
  expect((await first.post('/payloads', 'application/json', '{}')).status).toBe(202)

  await first.kill()
  await using third = await Millrace.start(args)
  expect(await third.stop()).toEqual({ code: 0, signal: null })
})

test('a port that is taken: listen_failed, and the data directory is free again', async () => {
  using scratch = new Scratch()
  await using first = await Millrace.start(['--data', scratch.at('a')])
  await using second = Millrace.spawn(['--port', new URL(first.url).port, '--data', scratch.at('b')])
  expect(await second.exited).toEqual({ code: 1, signal: null })
  expect(second.output).toContain('listen_failed')
  expect(second.output).toContain('something else listens there; choose another with --port')
  await first.stop()
})

test('a host that is no address: listen_failed, and the message says so', async () => {
  using scratch = new Scratch()
  await using millrace = Millrace.spawn(['--port', '0', '--host', '256.1.1.1', '--data', scratch.at('data')])
  expect(await millrace.exited).toEqual({ code: 1, signal: null })
  expect(millrace.output).toContain('256.1.1.1:0: the name has no address; see --host')
})
