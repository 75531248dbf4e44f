/** The JobQueue: its bound is a bound, jobs leave in the order they came, and nobody waits for ever. */

import { describe, expect, test } from 'bun:test'
import { JobQueue } from '../../src/dispatch/job-queue.ts'
import { quiet, SeededRandom } from '../memory-platform.ts'

describe('a job queue', () => {
  test('says no to what is beyond its capacity, and keeps nothing of it', async () => {
    const queue = new JobQueue<number>(3)
    expect([1, 2, 3, 4, 5].map((job) => queue.offer(job))).toEqual([true, true, true, false, false])
    expect(queue.length).toBe(3)
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual([1, 2, 3])
    expect(queue.length).toBe(0)
  })

  test('never holds more than its capacity, whoever puts and offers', async () => {
    const random = new SeededRandom(3)
    const queue = new JobQueue<number>(4)
    const taken: number[] = []
    for (let step = 0; step < 2000; step++) {
      const turn = random.below(4)
      if (turn === 0) void queue.put(step)
      else if (turn === 1) queue.offer(step)
      else if (queue.length > 0) void queue.take().then((job) => taken.push(job ?? -1))
      expect(queue.length).toBeLessThanOrEqual(4)
      if (random.below(3) === 0) await quiet()
      expect(queue.length).toBeLessThanOrEqual(4)
    }
    expect(taken.length).toBeGreaterThan(300)
  })

  test.each([0, -1, Number.NaN, 1.5, Number.POSITIVE_INFINITY])('has no capacity of %p', (capacity) => {
    expect(() => new JobQueue(capacity)).toThrow(RangeError)
  })
})

describe('put', () => {
  test('waits while the queue is full, and not a moment longer', async () => {
    const queue = new JobQueue<string>(1)
    expect(await queue.put('a')).toBe(true)
    const put: string[] = []
    void queue.put('b').then(() => put.push('b'))
    void queue.put('c').then(() => put.push('c'))
    await quiet()
    expect([queue.length, put]).toEqual([1, []])
    expect(await queue.take()).toBe('a')
    await quiet()
    expect([queue.length, put]).toEqual([1, ['b']])
  })

  test('is served in the order of its calls, also when others come just as room is made', async () => {
    const queue = new JobQueue<string>(1)
    queue.offer('a')
    void queue.put('b')
    void queue.put('c')
    const taken = [queue.take()]
    expect(queue.offer('late')).toBe(false)
    void queue.put('d')
    await quiet()
    for (let i = 0; i < 3; i++) taken.push(queue.take())
    expect(await Promise.all(taken)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('in any mix with take, loses no job, doubles none and keeps their order', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = new SeededRandom(seed)
      const queue = new JobQueue<number>(1 + random.below(3))
      const puts: Promise<boolean>[] = []
      const takes: Promise<number | undefined>[] = []
      for (let step = 0; step < 100; step++) {
        if (random.below(2) === 0) puts.push(queue.put(puts.length))
        else takes.push(queue.take())
        if (random.below(4) === 0) await quiet()
      }
      while (takes.length < puts.length) takes.push(queue.take())
      await quiet()
      queue.close()
      const taken = (await Promise.all(takes)).filter((job) => job !== undefined)
      expect([seed, taken]).toEqual([seed, puts.map((_, job) => job)])
      expect(await Promise.all(puts)).toEqual(puts.map(() => true))
    }
  })
})

describe('take', () => {
  test('waits for a job and gets the oldest, takers in their order', async () => {
    const queue = new JobQueue<number>(2)
    const takes = [queue.take(), queue.take(), queue.take()]
    for (const job of [1, 2, 3, 4]) expect(queue.offer(job)).toBe(true)
    expect(await Promise.all(takes)).toEqual([1, 2, 3])
    expect(queue.length).toBe(1)
  })
})

describe('close', () => {
  test('lets what waits be taken, then ends takers with undefined', async () => {
    const queue = new JobQueue<number>(3)
    queue.offer(1)
    queue.offer(2)
    queue.close()
    expect(queue.offer(3)).toBe(false)
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual([1, 2, undefined])
  })

  test('with discard drops what waits', async () => {
    const queue = new JobQueue<number>(2)
    queue.offer(1)
    queue.close({ discard: true })
    expect([queue.length, await queue.take()]).toEqual([0, undefined])
  })

  test('tells those who wait to put that their job was not kept, and those who wait to take that none comes', async () => {
    const full = new JobQueue<number>(1)
    full.offer(1)
    const puts = [full.put(2), full.put(3)]
    full.close()
    expect(await Promise.all([...puts, full.put(4)])).toEqual([false, false, false])
    expect([await full.take(), await full.take()]).toEqual([1, undefined])

    const empty = new JobQueue<number>(1)
    const takes = [empty.take(), empty.take()]
    empty.close()
    expect(await Promise.all(takes)).toEqual([undefined, undefined])
  })
})
