/** The WorkerPool: never more workers than its size, made when needed, and ended when they are too many. */

import { expect, test } from 'bun:test'
import type { Attempts } from '../../src/dispatch/attempts.ts'
import { Worker } from '../../src/dispatch/worker.ts'
import { WorkerPool } from '../../src/dispatch/worker-pool.ts'

/** A pool that writes down what becomes of its workers. */
function noted(size: number) {
  const log: string[] = []
  let made = 0
  const pool = new WorkerPool<string, void>(size, () => {
    const name = `w${made++}`
    log.push(`${name} made`)
    const work = {
      run: () => {},
      wake: () => void log.push(`${name} wakes`),
      rest: () => void log.push(`${name} rests`),
      close: async () => void log.push(`${name} closed`),
    }
    return new Worker(work, {} as Attempts<string, void>, () => undefined)
  })
  return { pool, log }
}

test('hands out as many workers as it has and not one more', () => {
  const { pool } = noted(3)
  const workers = [1, 2, 3, 4].map(() => pool.acquire())
  expect(new Set(workers).size).toBe(4)
  expect([workers[3], pool.running]).toEqual([undefined, 3])
  pool.release(workers[1]!)
  expect([pool.running, pool.acquire() === workers[1], pool.running]).toEqual([2, true, 3])
})

test('makes a worker only when none is idle', () => {
  const { pool, log } = noted(2)
  for (let i = 0; i < 3; i++) pool.release(pool.acquire()!)
  expect(log).toEqual(['w0 made', 'w0 wakes', 'w0 rests', 'w0 wakes', 'w0 rests', 'w0 wakes', 'w0 rests'])
})

test('made smaller, ends the idle at once and the others when they are done', async () => {
  const { pool, log } = noted(4)
  const [a, b, c] = [pool.acquire()!, pool.acquire()!, pool.acquire()!]
  pool.release(a)
  log.length = 0
  pool.resize(1)
  expect([log, pool.running]).toEqual([['w0 closed'], 2])
  pool.release(b)
  expect([log.at(-1), pool.acquire()]).toEqual(['w1 closed', undefined])
  pool.release(c)
  expect([log.at(-1), pool.running]).toEqual(['w2 rests', 0])
  await pool.close()
  expect(log.at(-1)).toBe('w2 closed')
})

test('of any number of workers, keeps none that is idle', () => {
  const { pool, log } = noted(Number.POSITIVE_INFINITY)
  const workers = Array.from({ length: 1000 }, () => pool.acquire()!)
  expect(pool.running).toBe(1000)
  for (const worker of workers) pool.release(worker)
  expect([pool.running, log.filter((line) => line.endsWith('closed')).length]).toEqual([0, 1000])
})

test.each([0, -1, Number.NaN, 1.5])('has no size of %p', (size) => {
  expect(() => noted(size)).toThrow(RangeError)
  expect(() => noted(1).pool.resize(size)).toThrow(RangeError)
})
