/** The Dispatcher against a model that is too simple to be wrong: the same happens, whatever is done in whatever order. */

import { expect, test } from 'bun:test'
import { quiet, SeededRandom } from '../memory-platform.ts'
import { HeldJobs } from './held-jobs.ts'

interface Given {
  name: string
  priority: number
}

/** What should be so: plain lists, gone through from the beginning each time. */
class Model {
  workers: number
  readonly capacity: number
  readonly waitingMax: number
  paused = false
  queue: Given[] = []
  waiting: Given[] = []
  readonly running = new Set<string>()
  readonly begun: string[] = []
  readonly outcomes = new Map<string, string>()

  constructor(workers: number, capacity: number, waitingMax: number) {
    this.workers = workers
    this.capacity = capacity
    this.waitingMax = waitingMax
  }

  give(job: Given, mayWait: boolean): void {
    if (!this.paused && this.queue.length === 0 && this.running.size < this.workers) this.#begin(job)
    else if (this.queue.length < this.capacity) this.queue = sorted([...this.queue, job])
    else if (mayWait && this.waiting.length < this.waitingMax) this.waiting = sorted([...this.waiting, job])
    else this.outcomes.set(job.name, 'refused')
  }

  settle(): void {
    for (;;) {
      while (this.waiting.length > 0 && this.queue.length < this.capacity) {
        this.queue = sorted([...this.queue, ...this.waiting.splice(0, 1)])
      }
      if (this.paused || this.running.size >= this.workers) return
      const [queued, waiter] = [this.queue[0], this.waiting[0]]
      const takesWaiter = waiter && (!queued || waiter.priority > queued.priority)
      const job = takesWaiter ? this.waiting.shift() : this.queue.shift()
      if (!job) return
      this.#begin(job)
    }
  }

  end(name: string, outcome: string): void {
    this.running.delete(name)
    this.#outcome(name, outcome)
    this.settle()
  }

  abort(name: string): void {
    const isNot = (job: Given) => job.name !== name
    if (this.waiting.some((job) => job.name === name)) this.#outcome(name, 'refused')
    else if (this.running.has(name) || this.queue.some((job) => job.name === name)) this.#outcome(name, 'aborted')
    this.waiting = this.waiting.filter(isNot)
    this.queue = this.queue.filter(isNot)
    this.settle()
  }

  get counters() {
    const ended = [...this.outcomes.values()]
    const count = (outcome: string) => ended.filter((one) => one === outcome).length
    const { workers, running, queue, waiting } = this
    return {
      workers,
      running: running.size,
      idle: Math.max(0, workers - running.size),
      queued: queue.length,
      waiting: waiting.length,
      done: count('done'),
      failed: count('failed'),
      aborted: count('aborted'),
      retried: 0,
      refused: count('refused'),
    }
  }

  #begin(job: Given): void {
    this.running.add(job.name)
    this.begun.push(job.name)
  }

  /** The first one stands. */
  #outcome(name: string, outcome: string): void {
    if (!this.outcomes.has(name)) this.outcomes.set(name, outcome)
  }
}

function sorted(jobs: Given[]): Given[] {
  return jobs.toSorted((a, b) => b.priority - a.priority)
}

/** One life of a dispatcher, all of it from the seed. */
async function live(seed: number): Promise<number> {
  const random = new SeededRandom(seed)
  const [workers, queue, waitingMax] = [1 + random.below(4), random.below(5), random.below(4)]
  const it = new HeldJobs(workers, queue, { waitingMax, onError: () => undefined })
  const { dispatcher } = it
  const model = new Model(workers, queue, waitingMax)
  const outcomes = new Map<string, string>()
  for (const kind of ['done', 'failed', 'aborted', 'refused'] as const) {
    dispatcher.on(kind, ({ job }) => {
      expect(outcomes.has(job)).toBe(false)
      outcomes.set(job, kind)
    })
  }
  const controllers: AbortController[] = []
  const any = <T>(values: Iterable<T>): T | undefined => {
    const all = [...values]
    return all[random.below(Math.max(1, all.length))]
  }
  const give = () => {
    const job = { name: `${controllers.length}`, priority: random.below(3) - 1 }
    const controller = new AbortController()
    controllers.push(controller)
    const options = { signal: controller.signal, priority: job.priority }
    const how = random.below(4)
    if (how === 0) dispatcher.submit(job.name, options).catch(() => undefined)
    else if (how === 1) void dispatcher.put(job.name, options)
    else if (how === 2) dispatcher.offer(job.name, options)
    else dispatcher.trySubmit(job.name, options)?.catch(() => undefined)
    model.give(job, how < 2)
  }
  const end = async (outcome: 'done' | 'failed') => {
    const name = any(model.running)
    if (name === undefined) return
    if (outcome === 'done') await it.end(name)
    else await it.fail(name)
    model.end(name, outcome)
  }
  const steps = [
    give,
    give,
    give,
    () => end('done'),
    () => end('done'),
    () => end('failed'),
    () => {
      const name = any(controllers.keys())
      if (name === undefined) return
      controllers[name]?.abort(new Error('enough'))
      model.abort(`${name}`)
    },
    () => {
      if (random.below(3) > 0) return
      model.workers = 1 + random.below(5)
      dispatcher.resize(model.workers)
      model.settle()
    },
    () => {
      if (random.below(3) > 0) return
      model.paused = !model.paused
      if (model.paused) dispatcher.pause()
      else dispatcher.resume()
      model.settle()
    },
  ]
  for (let step = 0; step < 120; step++) {
    await any(steps)?.()
    await quiet()
    expect([seed, step, it.begun, dispatcher.counters, outcomes]).toEqual([
      seed,
      step,
      model.begun,
      model.counters,
      model.outcomes,
    ])
    expect(dispatcher.counters.queued).toBeLessThanOrEqual(queue)
    expect(dispatcher.counters.waiting).toBeLessThanOrEqual(waitingMax)
    expect(it.most).toBeLessThanOrEqual(5)
  }
  const stopped = dispatcher.stop()
  for (const job of model.waiting.splice(0)) model.outcomes.set(job.name, 'refused')
  model.paused = false
  model.settle()
  while (model.running.size > 0) await end('done')
  await stopped
  expect([it.begun, outcomes, outcomes.size]).toEqual([model.begun, model.outcomes, controllers.length])
  return model.begun.length
}

test('does what the model does, and no bound is ever exceeded', async () => {
  let begun = 0
  for (let seed = 0; seed < 60; seed++) begun += await live(seed)
  expect(begun).toBeGreaterThan(1000)
})
