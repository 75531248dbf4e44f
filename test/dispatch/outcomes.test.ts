/** What ends a job beside its result: signals, timeouts, errors and what is tried again, groups. */

import { describe, expect, test } from 'bun:test'
import { DispatchError } from '../../src/dispatch/dispatch-error.ts'
import { Dispatcher } from '../../src/dispatch/dispatcher.ts'
import { backoff } from '../../src/dispatch/error-policy.ts'
import { JobGroup } from '../../src/dispatch/job-group.ts'
import { quiet } from '../memory-platform.ts'
import { HeldJobs } from './held-jobs.ts'

describe('a signal', () => {
  test('drops a queued job at once, and the room it took goes to the next', async () => {
    const it = new HeldJobs(1, 2)
    const abort = new AbortController()
    it.submit('a')
    it.note('b', it.dispatcher.submit('b', abort))
    it.submit('c', 'd')
    expect(it.counters).toEqual({ workers: 1, running: 1, queued: 2, waiting: 1 })
    abort.abort(new Error('changed my mind'))
    await quiet()
    expect([it.log, it.counters]).toEqual([['b: ✗ changed my mind'], { workers: 1, running: 1, queued: 2, aborted: 1 }])
    await it.end('a')
    await it.end('c')
    await it.end('d')
    expect(it.begun).toEqual(['a', 'c', 'd'])
  })

  test('drops one that waits to be accepted', async () => {
    const it = new HeldJobs(1, 0)
    const abort = new AbortController()
    it.submit('a')
    it.note('put', it.dispatcher.put('b', abort))
    it.note('submit', it.dispatcher.submit('c', abort))
    abort.abort(new Error('enough'))
    await quiet()
    expect([it.log, it.counters]).toEqual([['put: false', 'submit: ✗ enough'], { workers: 1, running: 1, refused: 2 }])
  })

  test('aborts what runs: who gave it knows at once, the worker is free when the run has ended', async () => {
    const it = new HeldJobs(1, 1)
    const abort = new AbortController()
    it.note('a', it.dispatcher.submit('a', abort))
    it.submit('b')
    const { signal } = it.held('a').context
    expect(signal.aborted).toBe(false)
    abort.abort(new Error('enough'))
    await quiet()
    expect([it.log, signal.reason.message, it.begun]).toEqual([['a: ✗ enough'], 'enough', ['a']])
    await it.end('a')
    expect([it.begun, it.counters]).toEqual([['a', 'b'], { workers: 1, running: 1, aborted: 1 }])
  })

  test('is there for a run that looks late', async () => {
    const it = new HeldJobs(1, 1)
    const abort = new AbortController()
    it.note('a', it.dispatcher.submit('a', abort))
    abort.abort('why')
    expect(it.held('a').context.signal.reason).toBe('why')
  })

  test('that has aborted before lets nothing in; after the end it is not listened to', async () => {
    const it = new HeldJobs(1, 1)
    const aborted = AbortSignal.abort(new Error('before'))
    it.note('a', it.dispatcher.submit('a', { signal: aborted }))
    expect(await it.dispatcher.put('b', { signal: aborted })).toBe(false)
    const abort = new AbortController()
    it.note('c', it.dispatcher.submit('c', abort))
    await it.end('c')
    abort.abort()
    expect([it.log, it.counters]).toEqual([['a: ✗ before', 'c: c!'], { workers: 1, idle: 1, done: 1, refused: 2 }])
  })
})

describe('a timeout', () => {
  test('counts from the begin of the run, and is told at once though the run goes on', async () => {
    const it = new HeldJobs(1, 1, { timeoutMs: 100 })
    it.submit('a', 'b')
    const { signal } = it.held('a').context
    await it.clock.advance(99)
    expect(it.log).toEqual([])
    await it.clock.advance(1)
    expect([it.log, signal.reason]).toEqual([['a: ✗ the job took longer than 100 ms'], expect.any(DispatchError)])
    expect([signal.reason.code, it.begun]).toEqual(['timeout', ['a']])
    await it.end('a')
    await it.clock.advance(99)
    await it.end('b')
    expect([it.log.at(-1), it.counters, it.clock.pending]).toEqual([
      'b: b!',
      { workers: 1, idle: 1, done: 1, failed: 1 },
      0,
    ])
  })

  test('of the job goes before that of the dispatcher', async () => {
    const it = new HeldJobs(2, 0, { timeoutMs: 100 })
    it.note('a', it.dispatcher.submit('a', { timeoutMs: 5 }))
    await it.clock.advance(5)
    expect(it.log).toEqual(['a: ✗ the job took longer than 5 ms'])
  })

  test('can be tried again, once the late run has ended; a late result is one', async () => {
    const it = new HeldJobs(1, 0, { timeoutMs: 100, onError: () => ({ retryAfterMs: 10 }) })
    it.submit('a')
    const first = it.held('a').context.signal
    await it.clock.advance(100)
    expect([first.aborted, it.begun, it.log]).toEqual([true, ['a'], []])
    await it.fail('a')
    await it.clock.advance(10)
    expect([it.begun, it.held('a').context.signal.aborted]).toEqual([['a', 'a'], false])
    await it.clock.advance(100)
    await it.end('a')
    expect([it.log, it.counters['retried'], it.clock.pending]).toEqual([['a: a!'], 1, 0])
  })
})

describe('an error policy', () => {
  test('tries again with its pauses, then gives up; the worker keeps the job', async () => {
    const asked: [string, number][] = []
    const policy = backoff({ attempts: 4, firstMs: 100, mostMs: 300, random: () => 1 })
    const it = new HeldJobs(1, 1, {
      onError(error, failure) {
        asked.push([(error as Error).message, failure.attempt])
        return policy(error, failure)
      },
    })
    it.submit('a', 'b')
    for (const [attempt, pauseMs] of [100, 200, 300].entries()) {
      await it.fail('a', new Error(`${attempt}`))
      await it.clock.advance(pauseMs - 1)
      expect([it.begun.length, it.counters]).toEqual([attempt + 1, expect.objectContaining({ running: 1, queued: 1 })])
      await it.clock.advance(1)
      expect([it.begun.length, it.held('a').context.attempt]).toEqual([attempt + 2, attempt + 2])
    }
    await it.fail('a', new Error('3'))
    expect(asked).toEqual(Array.from('0123', (digit, i) => [digit, i + 1]))
    expect([it.log, it.begun.at(-1), it.counters]).toEqual([
      ['a: ✗ 3'],
      'b',
      { workers: 1, running: 1, failed: 1, retried: 3 },
    ])
  })

  test('a job that is aborted in a pause is not run again, and frees its worker', async () => {
    const it = new HeldJobs(1, 1, { onError: () => ({ retryAfterMs: 1000 }) })
    const abort = new AbortController()
    it.note('a', it.dispatcher.submit('a', abort))
    it.submit('b')
    await it.fail('a')
    abort.abort(new Error('enough'))
    await quiet()
    expect([it.log, it.begun, it.clock.pending]).toEqual([['a: ✗ enough'], ['a', 'b'], 0])
  })

  test('backoff doubles up to a bound, between half and all of it', () => {
    const pause = (attempt: number, random: number) =>
      backoff({ attempts: 99, firstMs: 10, mostMs: 1000, random: () => random })(undefined, { attempt })?.retryAfterMs
    expect([1, 2, 5, 50].map((attempt) => pause(attempt, 1))).toEqual([10, 20, 160, 1000])
    expect([1, 2, 5, 50].map((attempt) => pause(attempt, 0))).toEqual([5, 10, 80, 500])
    expect(() => backoff({ attempts: 0, firstMs: 1, mostMs: 1 })).toThrow('attempts')
    expect(() => backoff({ attempts: 1, firstMs: -1, mostMs: 1 })).toThrow('firstMs')
  })

  test('goes on with the next job after one that failed', async () => {
    const errors: string[] = []
    const it = new HeldJobs(1, 5, { onError: (error, { job }) => void errors.push(`${job}: ${error}`) })
    for (const job of ['a', 'b', 'c']) it.dispatcher.offer(job)
    await it.fail('a')
    await it.end('b')
    await it.end('c')
    expect([it.begun, errors]).toEqual([['a', 'b', 'c'], ['a: Error: a broke']])
  })

  test('an error that nobody hears is not swallowed', async () => {
    const source = `
      import { Dispatcher } from ${JSON.stringify(new URL('../../src/dispatch/index.ts', import.meta.url).href)}
      new Dispatcher({ workers: 1, queue: 0, run: () => { throw new Error('unheard') } }).offer(1)`
    const run = Bun.spawn([process.execPath, '-e', source], { stderr: 'pipe', stdout: 'ignore' })
    expect(await new Response(run.stderr).text()).toContain('unheard')
    expect(await run.exited).not.toBe(0)
  })
})

describe('a group', () => {
  test('finishes when the last of its jobs has ended, with the first error', async () => {
    const it = new HeldJobs(2, 5, { onError: () => undefined })
    const group = new JobGroup()
    for (const job of ['a', 'b', 'c']) it.dispatcher.offer(job, { group })
    it.dispatcher.offer('other')
    it.note('group', group.finish())
    await it.fail('b')
    await it.end('a')
    expect([it.log, group.counters]).toEqual([[], { left: 1, done: 1, failed: 1, aborted: 0 }])
    await it.fail('c')
    expect(it.log).toEqual(['group: ✗ b broke'])
    expect([...it.running.keys()]).toEqual(['other'])
  })

  test('without jobs is finished, and knows those that wait to be accepted', async () => {
    const it = new HeldJobs(1, 0)
    const group = new JobGroup()
    await group.finish()
    it.note('a', it.dispatcher.put('a', { group }))
    it.note('b', it.dispatcher.put('b', { group }))
    expect(it.dispatcher.offer('c', { group })).toBe(false)
    expect(group.counters.left).toBe(2)
    it.note('group', group.finish())
    await it.end('a')
    await it.end('b')
    expect(it.log).toEqual(['a: true', 'b: true', 'group: undefined'])
  })

  test('aborted: drops what has not begun, aborts what runs, takes no more, and no other job hears of it', async () => {
    const it = new HeldJobs(2, 3)
    const group = new JobGroup()
    it.submit('other')
    for (const job of ['a', 'b', 'c']) it.note(job, it.dispatcher.submit(job, { group }))
    it.submit('last')
    group.abort(new Error('enough'))
    it.note('late', it.dispatcher.submit('late', { group }))
    it.note('group', group.finish())
    await quiet()
    expect(it.log).toEqual(['a', 'b', 'c', 'late'].map((job) => `${job}: ✗ enough`))
    expect(it.counters).toEqual({ workers: 2, running: 2, queued: 1, aborted: 3, refused: 1 })
    await it.end('a')
    expect([it.log.at(-1), it.begun]).toEqual(['group: undefined', ['other', 'a', 'last']])
  })

  test('with abortOnError the first failure ends the others', async () => {
    const it = new HeldJobs(2, 3)
    const group = new JobGroup({ abortOnError: true })
    for (const job of ['a', 'b', 'c', 'd']) it.note(job, it.dispatcher.submit(job, { group }))
    it.note('group', group.finish())
    await it.fail('a')
    await it.end('b')
    expect(it.log.toSorted()).toEqual([...'abcd', 'group'].map((name) => `${name}: ✗ a broke`))
    expect([it.begun, group.counters]).toEqual([['a', 'b'], { left: 0, done: 0, failed: 1, aborted: 3 }])
  })
})

test('what a listener or a policy throws reaches the runtime, and hurts no job', async () => {
  const source = `
    import { Dispatcher } from ${JSON.stringify(new URL('../../src/dispatch/index.ts', import.meta.url).href)}
    process.on('uncaughtException', (error) => console.log('uncaught ' + error.message))
    const run = (job) => { if (job === 0) throw new Error('job'); return job }
    const d = new Dispatcher({ workers: 1, queue: 5, run, onError: () => { throw new Error('policy') } })
    d.on('done', () => { throw new Error('listener') })
    console.log(await Promise.allSettled([d.submit(0), d.submit(1)]).then((all) => all.map((one) => one.status).join()))`
  const run = Bun.spawn([process.execPath, '-e', source], { stdout: 'pipe' })
  const lines = (await new Response(run.stdout).text()).trim().split('\n').toSorted()
  expect(lines).toEqual(['rejected,fulfilled', 'uncaught listener', 'uncaught policy'])
})

test('results and jobs are inferred', async () => {
  const dispatcher = new Dispatcher({ workers: 1, queue: 1, run: async (job: { n: number }) => job.n + 1 })
  const result: number = await dispatcher.submit({ n: 1 })
  // @ts-expect-error: a job has an n
  await dispatcher.submit({ m: 1 }).catch(() => undefined)
  expect(result).toBe(2)
})
