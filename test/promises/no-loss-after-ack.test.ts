/** What got a 2xx is kept, whatever happens to the process: `kill -9` under load, stops, second signals, restarts. */

import { expect, test } from 'bun:test'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'

/** Small segments, so that a kill meets them in every state. */
const BUSY = ['--linger', '20ms', '--object-bytes-max', '64KiB']

test('kill -9 in the middle of a load, again and again: every acked payload is in the objects exactly once', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), ...BUSY]
  const load = new Load()
  for (let round = 0; round < 6; round++) {
    await using millrace = await Millrace.start(args)
    const before = load.acked.size
    await load.run(millrace.url, 32, () => {
      // From inside the load, so that requests are under way when it strikes.
      if (load.acked.size - before > 300 * (round + 1)) millrace.signal('SIGKILL')
      return false
    })
    expect((await millrace.exited).signal).toBe('SIGKILL')
    expect(load.acked.size).toBeGreaterThan(before)
  }
  await using last = await Millrace.start(args)
  expect(await last.stop()).toEqual({ code: 0, signal: null })
  expect(load.unanswered.size).toBeGreaterThan(0)
  expect(load.refusals).toEqual([])
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})

test('SIGTERM in the middle of a load: exit 0, and every acked payload is in the objects exactly once', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), ...BUSY])
  const load = new Load()
  await load.run(millrace.url, 32, () => {
    if (load.acked.size > 1000) millrace.signal('SIGTERM')
    return load.refusals.length > 0
  })
  expect(await millrace.exited).toEqual({ code: 0, signal: null })
  expect(millrace.output).toContain('everything accepted is stored')
  for (const { status, body } of load.refusals) {
    expect(status).toBe(503)
    expect(JSON.parse(body)).toMatchObject({ code: 'stopping' })
  }
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})

test('a stop whose grace runs out: exit 0, and the next start delivers what was left', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '10m']
  const load = new Load()
  const nowhere = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
  await using first = await Millrace.start([...args, '--to', 's3://bucket', '--stop-grace', '0ms'], nowhere)
  await load.run(first.url, 8, () => load.acked.size > 100)
  expect(await first.stop()).toEqual({ code: 0, signal: null })
  expect(first.output).toMatch(/stopped; \d+ payloads in 1 segment will be delivered after the next start/)

  await using second = await Millrace.start(args)
  expect(second.output).toMatch(/recovered \d+ payloads in 1 segment/)
  await second.stop()
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})

test('a second signal exits at once and loses nothing that was acked', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '10m']
  const load = new Load()
  const nowhere = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
  await using first = await Millrace.start([...args, '--to', 's3://bucket', '--stop-grace', '1h'], nowhere)
  await load.run(first.url, 8, () => load.acked.size > 100)
  let ended = false
  void first.exited.then(() => {
    ended = true
  })
  first.signal('SIGINT')
  await first.printed(/stopping/)
  // Signals of one key press are told apart from a second press by time, so that it is pressed until it is felt.
  while (!ended) {
    first.signal('SIGINT')
    await Bun.sleep(10)
  }
  expect((await first.exited).code).toBe(130)

  await using second = await Millrace.start(args)
  await second.stop()
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})
