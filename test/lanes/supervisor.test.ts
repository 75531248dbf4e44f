/** The supervisor's part: lanes listen once all have recovered, come back when they end, and stop together. */

import { expect, test } from 'bun:test'
import type { LaneExit } from '../../src/lanes/lane-child.ts'
import type { FromLane, ToLane } from '../../src/lanes/messages.ts'
import { type LaneHandle, Supervisor } from '../../src/lanes/supervisor.ts'
import { Fault } from '../../src/observe/errors.ts'
import type { Event } from '../../src/observe/events.ts'
import { FakeClock, quiet } from '../memory-platform.ts'

class FakeLane implements LaneHandle {
  readonly heard: ToLane[] = []
  readonly #ended = Promise.withResolvers<LaneExit>()
  readonly exited = this.#ended.promise
  readonly pid: number
  readonly tell: (message: FromLane) => void

  constructor(pid: number, tell: (message: FromLane) => void) {
    this.pid = pid
    this.tell = tell
  }

  say(message: ToLane): void {
    this.heard.push(message)
  }

  kill(): void {
    this.end({ code: null, signal: 'SIGKILL' })
  }

  end(exit: LaneExit): void {
    this.#ended.resolve(exit)
  }

  listens(port = 4000): void {
    this.tell({ kind: 'listening', port, url: `http://h:${port}`, tcp: undefined, destination: 'd' })
  }

  stops(payloads: number): void {
    this.tell({ kind: 'stopped', backlog: { segments: 1, payloads, dead: 0 } })
    this.end({ code: 0, signal: null })
  }
}

function watch(lanes: number, port = 0) {
  const clock = new FakeClock()
  const events: Event[] = []
  /** By lane, every process it ever had. */
  const started: FakeLane[][] = Array.from({ length: lanes }, () => [])
  const spawn = (lane: number, tell: (message: FromLane) => void) => {
    const child = new FakeLane(100 * lane + (started[lane]?.length ?? 0), tell)
    started[lane]?.push(child)
    return child
  }
  const supervisor = new Supervisor({ lanes, port }, spawn, clock, (event) => events.push(event))
  const starting = supervisor.start()
  // Looked at later; until then it is nobody's.
  starting.catch(() => {})
  const lane = (number: number) => started[number]?.at(-1) as FakeLane
  return { clock, events, started, supervisor, starting, lane }
}

async function up(lanes: number) {
  const watched = watch(lanes)
  for (let number = 0; number < lanes; number++) watched.lane(number).tell({ kind: 'recovered' })
  for (let number = 0; number < lanes; number++) watched.lane(number).listens()
  await watched.starting
  return watched
}

test('nobody listens before all have recovered, and nobody before the first knows the port', async () => {
  const { lane, starting } = watch(3)
  lane(0).tell({ kind: 'recovered' })
  lane(1).tell({ kind: 'recovered' })
  expect([0, 1, 2].flatMap((number) => lane(number).heard)).toEqual([])
  lane(2).tell({ kind: 'recovered' })
  expect([0, 1, 2].map((number) => lane(number).heard)).toEqual([[{ kind: 'listen', port: 0, isFirst: true }], [], []])
  lane(0).listens(4711)
  for (const number of [1, 2]) expect(lane(number).heard).toEqual([{ kind: 'listen', port: 4711, isFirst: false }])
  lane(2).listens(4711)
  let isUp = false
  void starting.then(() => {
    isUp = true
  })
  await quiet()
  expect(isUp).toBe(false)
  lane(1).listens(4711)
  expect(await starting).toMatchObject({ port: 4711, url: 'http://h:4711', destination: 'd' })
})

test('a lane that ends is started again after pauses that grow, and the others hear nothing of it', async () => {
  const { lane, started, clock, events, supervisor } = await up(2)
  for (const pauseMs of [100, 200, 400]) {
    lane(1).end({ code: null, signal: 'SIGSEGV' })
    await quiet()
    expect(events.at(-1)).toEqual({ kind: 'lane-ended', lane: 1, reason: 'SIGSEGV', pauseMs })
    const before = started[1]?.length
    await clock.advance(pauseMs - 1)
    expect(started[1]?.length).toBe(before as number)
    await clock.advance(1)
    expect(started[1]?.length).toBe((before as number) + 1)
    lane(1).tell({ kind: 'recovered' })
    expect(lane(1).heard).toEqual([{ kind: 'listen', port: 4000, isFirst: false }])
    lane(1).listens()
    expect(events.at(-1)).toEqual({ kind: 'lane-up', lane: 1, process: lane(1).pid })
  }
  expect(lane(0).heard).toHaveLength(1)
  expect(supervisor.processes).toEqual([0, 103])
})

test('what a lane says it can not start for ends the start; later it is only a reason', async () => {
  const first = watch(2)
  first.lane(1).tell({ kind: 'fault', code: 'listen_failed', message: 'taken' })
  const error = await first.starting.catch((error: unknown) => error)
  expect([error instanceof Fault, (error as Fault).code, (error as Fault).message]).toEqual([
    true,
    'listen_failed',
    'taken',
  ])

  const second = await up(2)
  second.lane(1).tell({ kind: 'fault', code: 'data_unusable', message: 'gone' })
  second.lane(1).end({ code: 1, signal: null })
  await quiet()
  expect(second.events.at(-1)).toMatchObject({ kind: 'lane-ended', reason: 'data_unusable: gone' })
})

test('at the start a lane that crashes ends it, and one that is killed is started again', async () => {
  const { lane, clock, started, starting } = watch(2)
  lane(0).tell({ kind: 'recovered' })
  lane(1).kill()
  await clock.advance(100)
  expect(started.map(({ length }) => length)).toEqual([1, 2])
  lane(1).tell({ kind: 'recovered' })
  expect(lane(0).heard).toHaveLength(1)
  lane(0).listens()
  lane(1).end({ code: 1, signal: null })
  await expect(starting).rejects.toThrow('lane 1 ended at its start with exit code 1')
})

test('a stop is every lane’s, its sums are theirs, and one that does not end is killed and counted as silent', async () => {
  const { lane, clock, events, supervisor } = await up(3)
  const stopped = supervisor.stop(5000)
  for (const number of [0, 1, 2]) expect(lane(number).heard.at(-1)).toEqual({ kind: 'stop', graceMs: 5000 })
  lane(0).stops(3)
  lane(2).stops(4)
  await clock.advance(34_999)
  expect(events).toEqual([])
  await clock.advance(1)
  await stopped
  expect(events).toEqual([{ kind: 'lane-cut-off', lane: 1, reason: 'SIGKILL' }])
  expect(supervisor.backlog).toEqual({ segments: 2, payloads: 7, dead: 0, silentLanes: 1 })
  // Nothing is started again behind a stop.
  await clock.advance(60_000)
  expect(lane(1).pid).toBe(100)
})

test('a lane that waits to be started again when the stop comes is not, and is silent', async () => {
  const { lane, clock, started, supervisor } = await up(2)
  lane(1).kill()
  await quiet()
  const stopped = supervisor.stop(0)
  lane(0).stops(0)
  await stopped
  await clock.advance(60_000)
  expect(started.map(({ length }) => length)).toEqual([1, 1])
  expect(supervisor.backlog.silentLanes).toBe(1)
})

test('a lane that answers nothing for a minute is killed and started again', async () => {
  const { lane, clock, started, events } = await up(2)
  for (let asked = 0; asked < 7; asked++) {
    await clock.advance(10_000)
    lane(0).tell({ kind: 'answer' })
  }
  await quiet()
  expect(events).toEqual([{ kind: 'lane-ended', lane: 1, reason: 'it hung, and was killed', pauseMs: 100 }])
  await clock.advance(100)
  expect(started.map(({ length }) => length)).toEqual([1, 2])
})
