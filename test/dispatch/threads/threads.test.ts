/** Workers that are threads: the same Dispatcher, with what only threads have: moved buffers, deaths and replacements. */

import { afterEach, expect, test } from 'bun:test'
import { Dispatcher } from '../../../src/dispatch/dispatcher.ts'
import type { DispatcherOptions } from '../../../src/dispatch/options.ts'
import type { ThreadJob } from './work.ts'

const open: Dispatcher<ThreadJob, unknown>[] = []
afterEach(async () => {
  for (const dispatcher of open.splice(0)) await dispatcher.stop({ drain: false })
})

function threads(workers: number, options: Partial<DispatcherOptions<ThreadJob, unknown>> = {}) {
  const run = new URL('./work.ts', import.meta.url)
  const dispatcher = new Dispatcher<ThreadJob, unknown>({ workers, queue: 10, run, ...options })
  open.push(dispatcher)
  return dispatcher
}

test('each job gets its own result, side by side and one after another', async () => {
  const dispatcher = threads(2)
  const results = Array.from({ length: 12 }, (_, n) => dispatcher.submit({ do: 'square', n }))
  expect(dispatcher.counters).toMatchObject({ running: 2, queued: 10 })
  expect(await Promise.all(results)).toEqual(Array.from({ length: 12 }, (_, n) => n * n))
})

test('buffers move there and back, and are not copied', async () => {
  const dispatcher = threads(1)
  const bytes = new Uint8Array(1000).fill(2)
  expect(await dispatcher.submit({ do: 'sum', bytes }, { transfer: [bytes.buffer] })).toBe(2000)
  expect(bytes.byteLength).toBe(0)
  expect(await dispatcher.submit({ do: 'bytes', length: 5 })).toEqual(new Uint8Array(5).fill(1))
})

test('what the module throws arrives as it was, or as text where it can’t', async () => {
  const dispatcher = threads(1)
  expect(await dispatcher.submit({ do: 'throw' }).catch((error) => error)).toEqual(new RangeError('out of range'))
  expect(String(await dispatcher.submit({ do: 'throw-uncloneable' }).catch((error) => error))).toContain('a function')
  const uncloneable = await dispatcher.submit({ do: 'return-uncloneable' }).catch((error) => error)
  expect(uncloneable).toBeInstanceOf(Error)
  expect(await dispatcher.submit({ do: 'square', n: 3 })).toBe(9)
})

test('a thread that dies fails its job, and the next has a new one', async () => {
  const dispatcher = threads(1)
  const results = [
    dispatcher.submit({ do: 'die' }).catch((error) => error.code),
    dispatcher.submit({ do: 'square', n: 2 }),
  ]
  expect(await Promise.all(results)).toEqual(['thread-died', 4])
})

test('the error policy can have the job of a dead thread run again', async () => {
  const dispatcher = threads(1, { onError: () => ({ retryAfterMs: 0 }) })
  expect(await dispatcher.submit({ do: 'die-once' })).toBe('survived')
  expect(dispatcher.counters).toMatchObject({ done: 1, failed: 0, retried: 1 })
})

test('a signal ends what computes, for nothing else can', async () => {
  const dispatcher = threads(1)
  const abort = new AbortController()
  const begun = new Promise<void>((resolve) => void dispatcher.on('begun', () => resolve()))
  const spinning = dispatcher.submit({ do: 'spin' }, abort)
  await begun
  abort.abort(new Error('enough'))
  expect(spinning).rejects.toThrow('enough')
  expect(await dispatcher.submit({ do: 'square', n: 5 })).toBe(25)
})

test('a job aborted by who hears of its begin is not even asked for', async () => {
  const dispatcher = threads(1)
  const abort = new AbortController()
  const off = dispatcher.on('begun', () => abort.abort(new Error('at once')))
  expect(await dispatcher.submit({ do: 'spin' }, abort).catch((error) => error.message)).toBe('at once')
  off()
  expect(await dispatcher.submit({ do: 'square', n: 6 })).toBe(36)
})

test('a module that is not there or exports no run is an error of the job', async () => {
  for (const module of ['./missing.ts', '../../seeded.ts']) {
    const dispatcher = new Dispatcher({ workers: 1, queue: 0, run: new URL(module, import.meta.url) })
    expect(await dispatcher.submit(1).catch((error) => error)).toMatchObject({ code: 'thread-died' })
    await dispatcher.stop()
  }
})

test('made smaller, ends threads; a stop ends them all, and lets the queue be done first', async () => {
  const dispatcher = threads(2)
  const results = [1, 2, 3, 4].map((n) => dispatcher.submit({ do: 'square', n }))
  dispatcher.resize(1)
  const stopped = dispatcher.stop()
  expect(await Promise.all(results)).toEqual([1, 4, 9, 16])
  await stopped
  expect(dispatcher.counters).toMatchObject({ running: 0, done: 4 })
})
