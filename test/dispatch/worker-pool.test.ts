/** The WorkerPool: never more workers than its size, each at one job, and those who wait served in order. */

import { expect, test } from 'bun:test'
import { type Worker, WorkerPool } from '../../src/dispatch/worker-pool.ts'
import { quiet } from '../memory-platform.ts'

test('hands out as many workers as it has and not one more', async () => {
  const pool = new WorkerPool<number>(3, async () => {})
  const workers = new Set([await pool.acquire(), await pool.acquire(), await pool.acquire()])
  expect(workers.size).toBe(3)
  let fourth: Worker<number> | undefined
  void pool.acquire().then((worker) => {
    fourth = worker
  })
  await quiet()
  expect(fourth).toBeUndefined()
  const [one] = workers
  if (one) pool.release(one)
  await quiet()
  expect(fourth).toBe(one)
})

test('gives a released worker to whoever waited longest', async () => {
  const pool = new WorkerPool<number>(1, async () => {})
  const worker = await pool.acquire()
  const served: string[] = []
  for (const name of ['first', 'second', 'third']) {
    void pool.acquire().then((worker) => {
      served.push(name)
      pool.release(worker)
    })
  }
  pool.release(worker)
  await quiet()
  expect(served).toEqual(['first', 'second', 'third'])
})

test('counts the workers that are at a job, not those that only wait for one', async () => {
  const jobs = new Map<string, () => void>()
  const pool = new WorkerPool<string>(2, (job) => new Promise((resolve) => jobs.set(job, resolve)))
  const [one, two] = [await pool.acquire(), await pool.acquire()]
  expect(pool.running).toBe(0)
  const works = [one.work('a'), two.work('b')]
  expect(pool.running).toBe(2)
  jobs.get('a')?.()
  await works[0]
  expect(pool.running).toBe(1)
  jobs.get('b')?.()
  await works[1]
  expect(pool.running).toBe(0)
})

test("a job's error reaches who gave it, thrown at once or later, and is not counted as running any more", async () => {
  const pool = new WorkerPool<string>(1, (job) => {
    if (job === 'at once') throw new Error('at once')
    return Promise.reject(new Error(job))
  })
  const worker = await pool.acquire()
  for (const job of ['at once', 'later']) {
    const work = worker.work(job)
    await expect(work).rejects.toThrow(job)
    expect(pool.running).toBe(0)
  }
})

test.each([0, -1, Number.NaN, 1.5, Number.POSITIVE_INFINITY])('has no size of %p', (size) => {
  expect(() => new WorkerPool(size, async () => {})).toThrow(RangeError)
})
