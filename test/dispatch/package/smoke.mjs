/** A little of everything in plain JavaScript, on whatever runtime it is started with: prints `fine` when all is as it should be. */

import assert from 'node:assert/strict'
import { backoff, DispatchError, Dispatcher, JobGroup } from 'millrace/dispatch'

// Results, a bound that is one, and the order.
const gate = Promise.withResolvers?.() ?? {}
gate.promise ??= new Promise((resolve) => {
  gate.resolve = resolve
})
const begun = []
const run = async (job) => {
  begun.push(job)
  await gate.promise
  return job * 2
}
const dispatcher = new Dispatcher({ workers: 2, queue: 3, run })
const results = [1, 2, 3, 4].map((job) => dispatcher.submit(job))
assert.equal(dispatcher.offer(5, { priority: 1 }), true)
assert.deepEqual([dispatcher.trySubmit(6), dispatcher.offer(7)], [undefined, false])
const waits = dispatcher.submit(8)
const { running, queued, waiting, refused } = dispatcher.counters
assert.deepEqual([running, queued, waiting, refused], [2, 3, 1, 2])
gate.resolve()
assert.deepEqual(await Promise.all([...results, waits]), [2, 4, 6, 8, 16])
assert.deepEqual(begun, [1, 2, 5, 3, 4, 8])
await dispatcher.stop()
await assert.rejects(dispatcher.submit(9), { name: 'DispatchError', code: 'stopped' })

// Signals, timeouts, retries, groups.
let attempts = 0
const cases = {
  hang: (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  flaky: () => {
    attempts += 1
    if (attempts < 3) throw new Error('flaky')
    return attempts
  },
}
const patience = backoff({ attempts: 5, firstMs: 1, mostMs: 2 })
const second = new Dispatcher({
  workers: Number.POSITIVE_INFINITY,
  queue: 0,
  run: (job, { signal }) => cases[job](signal),
  onError: (error, failure) => (error instanceof DispatchError ? undefined : patience(error, failure)),
})
const abort = new AbortController()
const aborted = assert.rejects(second.submit('hang', { signal: abort.signal }), /enough/)
abort.abort(new Error('enough'))
await aborted
await assert.rejects(second.submit('hang', { timeoutMs: 5 }), { code: 'timeout' })
assert.equal(await second.submit('flaky'), 3)
const group = new JobGroup()
await second.put('flaky', { group })
await group.finish()
await second.drain()

// Threads.
const threads = new Dispatcher({ workers: 2, queue: 10, run: new URL('./smoke-thread.mjs', import.meta.url) })
assert.deepEqual(await Promise.all([1, 2, 3].map((n) => threads.submit({ n }))), [1, 4, 9])
const bytes = new Uint8Array(8)
assert.equal((await threads.submit({ bytes }, { transfer: [bytes.buffer] })).byteLength, 8)
assert.equal(bytes.byteLength, 0)
await assert.rejects(threads.submit({ die: true }), { code: 'thread-died' })
assert.equal(await threads.submit({ n: 4 }), 16)
const spin = new AbortController()
const spinning = assert.rejects(threads.submit({ spin: true }, { signal: spin.signal }), { name: 'AbortError' })
setTimeout(() => spin.abort(), 20)
await spinning
assert.equal(await threads.submit({ n: 5 }), 25)
console.log('fine')
// Not stopped: idle threads keep no process alive.
