/** The Dispatcher: a job leaves the queue only for an idle worker, every job is run once, and an error ends nothing. */

import { expect, test } from 'bun:test'
import { Dispatcher } from '../../src/dispatch/dispatcher.ts'
import { JobQueue } from '../../src/dispatch/job-queue.ts'
import { WorkerPool } from '../../src/dispatch/worker-pool.ts'
import { quiet, SeededRandom } from '../memory-platform.ts'

/** A running dispatcher whose jobs end when a test says so. */
function started(workers: number, capacity: number) {
  const queue = new JobQueue<string>(capacity)
  const running = new Map<string, { end: () => void; fail: (error: Error) => void }>()
  const begun: string[] = []
  const errors: [string, string][] = []
  let most = 0
  const pool = new WorkerPool<string>(workers, (job) => {
    begun.push(job)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    running.set(job, { end: resolve, fail: reject })
    most = Math.max(most, running.size)
    return promise.finally(() => running.delete(job))
  })
  const dispatcher = new Dispatcher(queue, pool, (error, job) => errors.push([job, (error as Error).message]))
  let ended = false
  const run = dispatcher.run().then(() => {
    ended = true
  })
  return { queue, pool, running, begun, errors, run, most: () => most, ended: () => ended }
}

test('runs as many jobs at once as there are workers, and leaves the others in the queue', async () => {
  const it = started(2, 10)
  for (const job of ['a', 'b', 'c', 'd', 'e']) it.queue.offer(job)
  await quiet()
  expect([it.begun, it.queue.length]).toEqual([['a', 'b'], 3])
  it.running.get('b')?.end()
  await quiet()
  expect([it.begun, it.queue.length]).toEqual([['a', 'b', 'c'], 2])
})

test('holds nothing behind the queue: with busy workers its bound is the bound', async () => {
  const it = started(2, 3)
  await quiet()
  let accepted = 0
  for (let i = 0; i < 100; i++) {
    if (it.queue.offer(`${i}`)) accepted += 1
    await quiet()
  }
  expect(accepted).toBe(2 + 3)
  expect(it.most()).toBe(2)
})

test('counts no worker as running while it waits for a job', async () => {
  const it = started(2, 3)
  await quiet()
  expect(it.pool.running).toBe(0)
  it.queue.offer('a')
  await quiet()
  expect(it.pool.running).toBe(1)
})

test('goes on with the next job after one that failed, and tells which and why', async () => {
  const it = started(1, 5)
  for (const job of ['a', 'b', 'c']) it.queue.offer(job)
  await quiet()
  it.running.get('a')?.fail(new Error('a broke'))
  await quiet()
  it.running.get('b')?.end()
  await quiet()
  expect(it.begun).toEqual(['a', 'b', 'c'])
  expect(it.errors).toEqual([['a', 'a broke']])
})

test('survives a job that throws instead of returning a promise', async () => {
  const queue = new JobQueue<string>(5)
  const done: string[] = []
  const pool = new WorkerPool<string>(1, (job) => {
    if (job === 'bad') throw new Error('thrown')
    done.push(job)
    return Promise.resolve()
  })
  const errors: string[] = []
  const run = new Dispatcher(queue, pool, (error) => errors.push((error as Error).message)).run()
  for (const job of ['bad', 'good']) queue.offer(job)
  queue.close()
  await run
  expect([errors, done]).toEqual([['thrown'], ['good']])
})

test('ends when the queue is closed and empty and the last job has ended, not before', async () => {
  const it = started(2, 5)
  for (const job of ['a', 'b', 'c']) it.queue.offer(job)
  await quiet()
  it.queue.close()
  it.running.get('a')?.end()
  await quiet()
  expect([it.begun.length, it.ended()]).toEqual([3, false])
  it.running.get('b')?.end()
  await quiet()
  expect(it.ended()).toBe(false)
  it.running.get('c')?.end()
  await it.run
  expect(it.pool.running).toBe(0)
})

test('ends at once when an idle queue is closed, and keeps no worker', async () => {
  const it = started(2, 5)
  await quiet()
  it.queue.close()
  await it.run
  const workers = new Set([await it.pool.acquire(), await it.pool.acquire()])
  expect(workers.size).toBe(2)
})

test('runs every job exactly once, in the order of the queue, never more than its workers at once', async () => {
  const random = new SeededRandom(8)
  const it = started(3, 4)
  const offered: string[] = []
  for (let step = 0; step < 2000; step++) {
    const job = `${step}`
    if (random.below(2) === 0 && it.queue.offer(job)) offered.push(job)
    const jobs = [...it.running.values()]
    const ending = jobs[random.below(jobs.length + 1)]
    if (random.below(9) === 0) ending?.fail(new Error('by chance'))
    else ending?.end()
    if (random.below(3) === 0) await quiet()
  }
  it.queue.close()
  while (!it.ended()) {
    for (const { end } of it.running.values()) end()
    await quiet()
  }
  expect(it.begun).toEqual(offered)
  expect(it.most()).toBe(3)
  expect(offered.length).toBeGreaterThan(400)
})
