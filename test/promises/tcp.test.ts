/** What a line over TCP says is kept, is: `kill -9` in the middle of a load, restarts, stops, a destination that is away. */

import { expect, test } from 'bun:test'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { seeded } from '../seeded.ts'
import { tcpPort } from '../tcp-client.ts'
import { TcpLoad } from '../tcp-load.ts'

/** Small segments, so that a kill meets them in every state. */
const BUSY = ['--tcp', '0', '--linger', '20ms', '--object-bytes-max', '64KiB']
const CLIENTS = 8

test('kill -9 under a load of lines, again and again: every acked line is in the objects exactly once', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), ...BUSY]
  const load = new TcpLoad(seeded(1))
  for (let round = 0; round < 6; round++) {
    await using millrace = await Millrace.start(args)
    const before = load.keptPayloads
    await load.run(tcpPort(millrace), CLIENTS, () => {
      // From inside the load, so that lines are under way when it strikes.
      if (load.keptPayloads - before > 2000 * (round + 1)) millrace.signal('SIGKILL')
      return false
    })
    expect((await millrace.exited).signal).toBe('SIGKILL')
    expect(load.keptPayloads).toBeGreaterThan(before)
  }
  await using last = await Millrace.start(args)
  expect(await last.stop()).toEqual({ code: 0, signal: null })
  expect(load.unanswered.size).toBeGreaterThan(0)
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})

test('SIGTERM under a load of lines: exit 0, and every acked line is in the objects exactly once', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), ...BUSY])
  const load = new TcpLoad(seeded(2))
  let isTold = false
  await load.run(tcpPort(millrace), CLIENTS, () => {
    // A second one would end it at once.
    if (load.keptPayloads > 5000 && !isTold) millrace.signal('SIGTERM')
    isTold = load.keptPayloads > 5000
    return false
  })
  expect(await millrace.exited).toEqual({ code: 0, signal: null })
  expect(millrace.output).toContain('everything accepted is stored')
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})

test('a queue that is always full: clients are slowed, and every line is acked and stored once', async () => {
  using scratch = new Scratch()
  const bounds = ['--max-queue', '2000', '--tcp-line-bytes-max', '32KiB', '--tcp-in-flight-bytes-max', '32KiB']
  await using millrace = await Millrace.start(['--data', scratch.at('data'), ...BUSY, ...bounds])
  const load = new TcpLoad(seeded(3))
  await load.run(tcpPort(millrace), CLIENTS, () => load.keptPayloads > 20_000)
  expect(load.unanswered.size).toBe(0)
  await millrace.stop()
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})
