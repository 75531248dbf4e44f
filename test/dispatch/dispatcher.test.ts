/** The Dispatcher: a job leaves the queue only for an idle worker, the bound is the bound, and every job has one outcome. */

import { describe, expect, test } from 'bun:test'
import { Dispatcher } from '../../src/dispatch/dispatcher.ts'
import { quiet } from '../memory-platform.ts'
import { HeldJobs } from './held-jobs.ts'

describe('a dispatcher', () => {
  test('runs as many jobs at once as there are workers, in the order they came', async () => {
    const it = new HeldJobs(2, 10)
    it.submit('a', 'b', 'c', 'd', 'e')
    expect([it.begun, it.counters]).toEqual([['a', 'b'], { workers: 2, running: 2, queued: 3 }])
    await it.end('b')
    expect([it.begun, it.log]).toEqual([['a', 'b', 'c'], ['b: b!']])
    await it.end('a', 'c')
    await it.end('d', 'e')
    expect(it.begun).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(it.counters).toEqual({ workers: 2, idle: 2, done: 5 })
  })

  test('holds nothing behind the queue: with busy workers its bound is the bound', async () => {
    const it = new HeldJobs(2, 3)
    const kept = Array.from({ length: 100 }, (_, i) => it.dispatcher.offer(`${i}`))
    expect(kept.filter(Boolean)).toHaveLength(2 + 3)
    expect([it.most, it.counters]).toEqual([2, { workers: 2, running: 2, queued: 3, refused: 95 }])
    expect(it.dispatcher.isFull).toBe(true)
  })

  test('gives each job its own result, whatever the order they end in', async () => {
    const it = new HeldJobs(3, 0)
    it.submit('a', 'b', 'c')
    await it.end('c')
    it.held('a').end('mine')
    await it.end('b')
    expect(it.log).toEqual(['c: c!', 'a: mine', 'b: b!'])
  })

  test('takes a function that returns no promise, and one that throws', async () => {
    const run = (n: number) => {
      if (n < 0) throw new Error('negative')
      return n * 2
    }
    const dispatcher = new Dispatcher({ workers: 1, queue: 5, run })
    const outcomes = await Promise.allSettled([1, -1, 3].map((n) => dispatcher.submit(n)))
    expect(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason))),
    ).toEqual([2, 'Error: negative', 6])
  })

  test('with any number of workers and no queue, is a task a request: none waits, none is kept', async () => {
    const it = new HeldJobs(Number.POSITIVE_INFINITY, 0)
    const jobs = Array.from({ length: 500 }, (_, i) => `${i}`)
    it.submit(...jobs)
    expect([it.most, it.counters['queued']]).toEqual([500, undefined])
    await it.end(...jobs)
    expect(it.counters).toEqual({ workers: Number.POSITIVE_INFINITY, idle: Number.POSITIVE_INFINITY, done: 500 })
  })

  test('with one worker and a queue, runs one job after another', async () => {
    const it = new HeldJobs(1, 2)
    it.submit('a', 'b', 'c')
    expect(it.dispatcher.offer('d')).toBe(false)
    for (const job of ['a', 'b', 'c']) {
      expect([...it.running.keys()]).toEqual([job])
      await it.end(job)
    }
  })

  test('is told nonsense only once', () => {
    const run = () => {}
    const good = { workers: 1, queue: 1, run }
    const bad: [string, object][] = [
      ['workers is', { workers: 0 }],
      ["not '2'", { workers: '2' }],
      ['queue is', { queue: Number.POSITIVE_INFINITY }],
      ['queue is', { queue: undefined }],
      ['waitingMax is', { waitingMax: -1 }],
      ['run is', { run: undefined }],
      ['run is', { run: 1 }],
      ['run is', { run: Symbol('run') }],
      ['run is', { run: Object.create(null) }],
      ['onError is', { onError: {} }],
      ['no option concurrency', { concurrency: 3 }],
      ['timeoutMs is', { timeoutMs: '5' }],
    ]
    for (const [message, wrong] of bad) expect(() => new Dispatcher({ ...good, ...wrong })).toThrow(message)
    expect(() => new Dispatcher({ ...good, ...{ concurrency: undefined } })).not.toThrow()
    expect(() => new Dispatcher({ workers: 1, queue: 1, timeoutMs: 0, run })).toThrow('timeoutMs')
    const dispatcher = new Dispatcher<number>({ workers: 1, queue: 1, run })
    expect(() => dispatcher.submit(1, { timeoutMs: 2 ** 31 })).toThrow('timeoutMs')
    expect(() => dispatcher.offer(1, { priority: Number.NaN })).toThrow('a priority')
  })
})

describe('who waits to be accepted', () => {
  test('submit waits while the queue is full, and is served in the order of its calls', async () => {
    const it = new HeldJobs(1, 1)
    it.submit('a', 'b', 'c', 'd')
    expect(it.counters).toEqual({ workers: 1, running: 1, queued: 1, waiting: 2 })
    await it.end('a')
    expect([it.begun, it.counters['queued'], it.counters['waiting']]).toEqual([['a', 'b'], 1, 1])
    expect(it.dispatcher.offer('late')).toBe(false)
    await it.end('b')
    await it.end('c')
    await it.end('d')
    expect(it.begun).toEqual(['a', 'b', 'c', 'd'])
  })

  test('put resolves when its job is accepted, not when it is done', async () => {
    const it = new HeldJobs(1, 1)
    for (const job of ['a', 'b', 'c', 'd']) it.note(job, it.dispatcher.put(job))
    await quiet()
    expect(it.log).toEqual(['a: true', 'b: true'])
    await it.end('a')
    expect(it.log).toEqual(['a: true', 'b: true', 'c: true'])
  })

  test('without a queue a waiting job goes straight to the worker', async () => {
    const it = new HeldJobs(1, 0)
    for (const job of ['a', 'b']) it.note(job, it.dispatcher.put(job))
    expect(it.dispatcher.trySubmit('c')).toBeUndefined()
    await quiet()
    expect(it.log).toEqual(['a: true'])
    await it.end('a')
    expect([it.log, it.begun]).toEqual([
      ['a: true', 'b: true'],
      ['a', 'b'],
    ])
  })

  test('more than waitingMax are refused: that, too, is bounded', async () => {
    const it = new HeldJobs(1, 1, { waitingMax: 2 })
    it.submit('a', 'b', 'c', 'd', 'e')
    it.note('f', it.dispatcher.put('f'))
    await quiet()
    expect(it.log).toEqual(['e: ✗ 2 jobs wait to be accepted (waitingMax)', 'f: false'])
    expect(it.counters).toEqual({ workers: 1, running: 1, queued: 1, waiting: 2, refused: 2 })
  })
})

describe('priorities', () => {
  test('the highest first, then the oldest, also among those who wait to be accepted', async () => {
    const it = new HeldJobs(1, 2)
    const give = (job: string, priority: number) => void it.dispatcher.put(job, { priority })
    give('a', 0)
    for (const [job, priority] of Object.entries({ low: -1, mid: 0, high: 2, mid2: 0, high2: 2 })) give(job, priority)
    for (const job of ['a', 'high', 'high2', 'mid', 'mid2', 'low']) {
      expect([...it.running.keys()]).toEqual([job])
      expect(it.counters['queued'] ?? 0).toBeLessThanOrEqual(2)
      await it.end(job)
    }
  })
})

describe('resize', () => {
  test('larger begins what waits, smaller lets workers finish', async () => {
    const it = new HeldJobs(1, 4)
    it.submit('a', 'b', 'c', 'd', 'e')
    it.dispatcher.resize(3)
    expect(it.begun).toEqual(['a', 'b', 'c'])
    it.dispatcher.resize(1)
    expect(it.counters).toEqual({ workers: 1, running: 3, queued: 2 })
    await it.end('a', 'b')
    expect(it.begun).toEqual(['a', 'b', 'c'])
    await it.end('c')
    expect([it.begun, it.counters['running']]).toEqual([['a', 'b', 'c', 'd'], 1])
  })

  test('larger accepts those who wait, as many as there is room for', async () => {
    const it = new HeldJobs(1, 1)
    it.submit('a', 'b', 'c', 'd', 'e')
    it.dispatcher.resize(2)
    expect([it.begun, it.counters]).toEqual([['a', 'b'], { workers: 2, running: 2, queued: 1, waiting: 2 }])
  })
})

describe('pause', () => {
  test('begins nothing, lets what runs go on, and takes what there is room for', async () => {
    const it = new HeldJobs(2, 2)
    it.submit('a')
    it.dispatcher.pause()
    it.submit('b', 'c', 'd')
    await it.end('a')
    expect([it.begun, it.counters]).toEqual([['a'], { workers: 2, idle: 2, queued: 2, waiting: 1, done: 1 }])
    expect(it.dispatcher.offer('e')).toBe(false)
    it.dispatcher.resume()
    expect(it.begun).toEqual(['a', 'b', 'c'])
    expect(it.counters['queued']).toBe(1)
  })
})

describe('drain', () => {
  test('resolves when nothing runs, is queued or waits, and takes jobs meanwhile', async () => {
    const it = new HeldJobs(1, 1)
    it.note('idle', it.dispatcher.drain())
    it.submit('a', 'b', 'c')
    it.note('drain', it.dispatcher.drain())
    await it.end('a')
    it.submit('d')
    for (const job of ['b', 'c']) await it.end(job)
    expect(it.log).toEqual(['idle: undefined', 'a: a!', 'b: b!', 'c: c!'])
    await it.end('d')
    expect(it.log.slice(-2)).toEqual(['d: d!', 'drain: undefined'])
  })
})

describe('stop', () => {
  test('does what is queued, refuses those who wait and those who come, and resolves at the end', async () => {
    const it = new HeldJobs(1, 2)
    it.submit('a', 'b', 'c', 'd')
    it.note('put', it.dispatcher.put('e'))
    it.note('stop', it.dispatcher.stop())
    it.submit('f')
    await quiet()
    expect(it.log.toSorted()).toEqual([
      'd: ✗ the dispatcher was stopped',
      'f: ✗ the dispatcher was stopped',
      'put: false',
    ])
    expect([it.dispatcher.trySubmit('g'), it.dispatcher.offer('h'), await it.dispatcher.put('i')]).toEqual([
      undefined,
      false,
      false,
    ])
    await it.end('a')
    await it.end('b')
    expect(it.log).not.toContain('stop: undefined')
    await it.end('c')
    expect(it.log.slice(-2)).toEqual(['c: c!', 'stop: undefined'])
    expect(it.counters).toEqual({ workers: 1, idle: 1, done: 3, refused: 6 })
  })

  test('without drain drops the queue and aborts what runs, and still waits for that', async () => {
    const it = new HeldJobs(1, 2)
    it.submit('a', 'b', 'c')
    const { signal } = it.held('a').context
    it.note('stop', it.dispatcher.stop({ drain: false }))
    await quiet()
    expect(it.log.toSorted()).toEqual(['a', 'b', 'c'].map((job) => `${job}: ✗ the dispatcher was stopped`))
    expect([signal.aborted, it.counters]).toEqual([true, { workers: 1, running: 1, aborted: 3 }])
    await it.fail('a', signal.reason)
    expect(it.log.at(-1)).toBe('stop: undefined')
  })

  test('after a pause does the queue as well; a second one can be harder', async () => {
    const it = new HeldJobs(1, 5)
    it.dispatcher.pause()
    it.submit('a', 'b', 'c')
    it.note('stop', it.dispatcher.stop())
    it.dispatcher.pause()
    await it.end('a')
    it.note('again', it.dispatcher.stop({ drain: false }))
    await it.end('b')
    expect(it.begun).toEqual(['a', 'b'])
    expect(it.log.slice(-2)).toEqual(['stop: undefined', 'again: undefined'])
  })

  test('of an idle one resolves at once, also when it is disposed of', async () => {
    await using dispatcher = new Dispatcher<number>({ workers: 1, queue: 0, run: () => {} })
    await dispatcher.submit(1)
    await dispatcher.stop()
    expect(dispatcher.submit(2)).rejects.toThrow('stopped')
  })
})

describe('events', () => {
  test('tell each thing once, in order, until nobody listens', async () => {
    const it = new HeldJobs(1, 1, { onError: (_, { attempt }) => (attempt === 1 ? { retryAfterMs: 10 } : undefined) })
    const told: string[] = []
    const kinds = [
      'begun',
      'done',
      'failed',
      'retried',
      'aborted',
      'refused',
      'idle',
      'paused',
      'resumed',
      'resized',
      'stopped',
    ] as const
    const offs = kinds.map((kind) =>
      it.dispatcher.on(kind, (event) => void told.push([kind, ...Object.values(event).map(String)].join(' '))),
    )
    it.dispatcher.offer('a')
    await it.end('a')
    it.dispatcher.offer('b')
    it.dispatcher.offer('c')
    it.dispatcher.offer('d')
    await it.fail('b')
    await it.clock.advance(10)
    await it.fail('b')
    it.dispatcher.pause()
    it.dispatcher.resume()
    it.dispatcher.resize(2)
    it.dispatcher.on('aborted', () => it.running.get('c')?.end())
    await it.dispatcher.stop({ drain: false })
    expect(told).toEqual([
      'begun a 1',
      'done a a!',
      'idle',
      'begun b 1',
      'refused d',
      'retried b Error: b broke 1 10',
      'begun b 2',
      'failed b Error: b broke',
      'begun c 1',
      'paused',
      'resumed',
      'resized 2',
      'aborted c DispatchError: the dispatcher was stopped',
      'idle',
      'stopped',
    ])
    for (const off of offs) off()
    it.dispatcher.offer('late')
    expect(told.at(-1)).toBe('stopped')
  })
})
