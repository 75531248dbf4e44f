/** The JobQueue: its bound is a bound, the highest priority leaves first, then the oldest, and any can be taken out. */

import { describe, expect, test } from 'bun:test'
import { JobQueue, Queueable } from '../../src/dispatch/job-queue.ts'
import { SeededRandom } from '../memory-platform.ts'

class Named extends Queueable {
  readonly name: string

  constructor(name: string, priority?: number) {
    super(priority)
    this.name = name
  }
}

const taken = (queue: JobQueue<Named>) => Array.from({ length: queue.length }, () => queue.take()?.name)

describe('a job queue', () => {
  test('says no to what is beyond its capacity, and keeps nothing of it', () => {
    const queue = new JobQueue<Named>(3)
    expect(['a', 'b', 'c', 'd', 'e'].map((name) => queue.offer(new Named(name)))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
    expect(queue.length).toBe(3)
    expect(taken(queue)).toEqual(['a', 'b', 'c'])
    expect([queue.length, queue.take(), queue.first]).toEqual([0, undefined, undefined])
  })

  test('with a capacity of 0 takes nothing', () => {
    const queue = new JobQueue<Named>(0)
    expect([queue.offer(new Named('a')), queue.length]).toEqual([false, 0])
  })

  test.each([-1, Number.NaN, 1.5, Number.POSITIVE_INFINITY])('has no capacity of %p', (capacity) => {
    expect(() => new JobQueue(capacity)).toThrow(RangeError)
  })

  test('gives the highest priority first, and of one priority the oldest', () => {
    const queue = new JobQueue<Named>(9)
    for (const [name, priority] of Object.entries({
      a: 0,
      b: 5,
      c: -1,
      d: 5,
      e: 0.5,
      f: 0,
      g: Number.POSITIVE_INFINITY,
    })) {
      queue.offer(new Named(name, priority))
    }
    expect(queue.first?.name).toBe('g')
    expect(taken(queue)).toEqual(['g', 'b', 'd', 'e', 'a', 'f', 'c'])
  })

  test('lets any job be taken out, once, and only by the queue it is in', () => {
    const queue = new JobQueue<Named>(5)
    const jobs = ['a', 'b', 'c', 'd'].map((name) => new Named(name, name === 'b' ? 1 : 0))
    for (const job of jobs) queue.offer(job)
    const other = new JobQueue<Named>(5)
    expect(jobs.map((job) => other.remove(job))).toEqual([false, false, false, false])
    const [a, b, , d] = jobs
    expect([b, d, a, a].map((job) => queue.remove(job!))).toEqual([true, true, true, false])
    expect(queue.offer(new Named('e'))).toBe(true)
    expect(taken(queue)).toEqual(['c', 'e'])
  })

  test('keeps nothing of a job that has left', () => {
    const queue = new JobQueue<Named>(3)
    const jobs = ['a', 'b', 'c'].map((name) => new Named(name))
    for (const job of jobs) queue.offer(job)
    queue.take()
    queue.remove(jobs[1]!)
    for (const job of jobs.slice(0, 2))
      expect([job.next, job.previous, job.line]).toEqual([undefined, undefined, undefined])
    expect(jobs[2]?.previous).toBeUndefined()
  })

  test('does what a sorted list does, whoever comes and goes', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = new SeededRandom(seed)
      const queue = new JobQueue<Named>(1 + random.below(12))
      let list: Named[] = []
      for (let step = 0; step < 400; step++) {
        const turn = random.below(5)
        if (turn < 3) {
          const job = new Named(`${step}`, random.below(4) - 1)
          const fits = list.length < queue.capacity
          expect(queue.offer(job)).toBe(fits)
          if (fits) list = [...list, job].toSorted((a, b) => b.priority - a.priority)
        } else if (turn === 3) expect(queue.take()).toBe(list.shift())
        else if (list.length > 0) {
          const [job] = list.splice(random.below(list.length), 1)
          expect(queue.remove(job!)).toBe(true)
        }
        expect([queue.length, queue.first]).toEqual([list.length, list[0]])
      }
    }
  })
})
