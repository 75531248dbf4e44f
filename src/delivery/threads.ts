/** The delivery threads as the server sees them: segments in, outcomes back, a dead thread replaced and its jobs run again. */

import { Worker } from 'node:worker_threads'
import type { SealedSegment } from '../journal/journal.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import { Heartbeat } from '../platform/heartbeat.ts'
import type { Delivered } from './deliver.ts'
import { HURRIED } from './hurry.ts'
import type { JobMessage, ThreadData, ThreadMessage, ThreadStart } from './messages.ts'
import type { Trouble } from './patience.ts'
import { PutGauges, type PutsByFormat, shareOf, sumOfPuts } from './put-gauges.ts'
import { LIMIT_AT_START } from './put-limit.ts'

/** The pause before a job is run again whose thread died or whose disk failed it. */
const CRASH_PAUSE_MS = 1000

const ENTRY = new URL('./thread.ts', import.meta.url)

interface Job {
  /** The path of its segment. */
  segment: string
  resolve: (delivered: Delivered) => void
  reject: (error: Error) => void
}

interface Thread {
  worker: Worker
  dead: boolean
  jobs: Map<number, Job>
  heartbeat: Heartbeat
  gauges: PutGauges
}

/** A fixed number of threads, each with any number of deliveries under way. */
export class DeliveryThreads {
  readonly #start: ThreadStart
  readonly #clock: Clock
  readonly #observe: Observer
  readonly #entry: URL
  readonly #threads: Thread[]
  /** Segment → why it is parked. It stays so when its thread dies: that says nothing about the destination. */
  readonly #parked = new Map<string, string>()
  readonly #throttledBefore = { lines: 0, payload: 0 }
  readonly #count: number
  #jobs = 0
  #stopped = false

  /** `entry` is the threads' module; a test has its own. */
  constructor(count: number, start: ThreadStart, clock: Clock, observe: Observer, entry = ENTRY) {
    this.#start = start
    this.#clock = clock
    this.#observe = observe
    this.#entry = entry
    this.#count = count
    this.#threads = Array.from({ length: count }, (_, index) => this.#spawn(index))
  }

  /** Why the destination takes nothing until somebody mends it; undefined when it isn't parked. */
  get parked(): string | undefined {
    for (const reason of this.#parked.values()) return reason
    return undefined
  }

  /** Nobody is called. */
  readonly calls = undefined

  /** The puts of all threads. */
  get puts(): PutsByFormat {
    const living = this.#threads.filter(({ dead }) => !dead)
    return sumOfPuts(
      living.map(({ gauges }) => gauges),
      this.#throttledBefore,
    )
  }

  /** Delivers a segment, however often it takes. Rejects only when the threads are stopped. */
  async deliver(segment: SealedSegment, hurry = HURRIED): Promise<Delivered> {
    for (;;) {
      try {
        return await this.#attempt(segment, hurry)
      } catch (error) {
        if (this.#stopped) throw error
        this.#observe({ kind: 'delivery-crash', reason: (error as Error).message })
        await this.#clock.sleep(CRASH_PAUSE_MS)
      }
    }
  }

  /** What became of a segment is in the ledger: threads know no more of it. */
  over(_segment: SealedSegment): void {}

  /** Ends the threads at once, whatever they are doing. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const { heartbeat } of this.#threads) heartbeat.stop()
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  async #attempt(segment: SealedSegment, hurry: AbortSignal): Promise<Delivered> {
    const thread = this.#leastBusy()
    const job = ++this.#jobs
    const { promise, resolve, reject } = Promise.withResolvers<Delivered>()
    thread.jobs.set(job, { segment: segment.path, resolve, reject })
    const passOn = () => say(thread.worker, { kind: 'hurry', job })
    hurry.addEventListener('abort', passOn, { once: true })
    say(thread.worker, { kind: 'deliver', job, path: segment.path, isHurried: hurry.aborted })
    try {
      return await promise
    } finally {
      hurry.removeEventListener('abort', passOn)
    }
  }

  /** A dead thread is replaced when it is next needed, so that one that can't start isn't started in a tight loop. */
  #leastBusy(): Thread {
    const least = this.#threads.reduce((least, next) => (next.jobs.size < least.jobs.size ? next : least))
    if (!least.dead) return least
    const index = this.#threads.indexOf(least)
    const fresh = this.#spawn(index)
    this.#threads[index] = fresh
    return fresh
  }

  #spawn(index: number): Thread {
    const gauges = new PutGauges()
    const share = (total: number) => shareOf(total, this.#count, index)
    const { place, bodyBytesMax, workersMax, putsMax } = this.#start
    const workerData: ThreadData = {
      place,
      bodyBytesMax: share(bodyBytesMax),
      workersMax: share(workersMax),
      putsMax: share(putsMax),
      putsAtStart: share(LIMIT_AT_START),
      gauges: gauges.memory,
    }
    const worker = new Worker(this.#entry, { workerData })
    // An 'error' is always followed by 'exit', which does the work; it only has to be listened to.
    let reason = 'the thread ended'
    const hangs = () => {
      reason = 'it hung, and was ended'
      void worker.terminate()
    }
    const heartbeat = new Heartbeat(this.#clock, () => say(worker, { kind: 'ask' }), hangs)
    const thread: Thread = { worker, dead: false, jobs: new Map(), heartbeat, gauges }
    worker.on('message', (message: ThreadMessage) => this.#hear(thread, message))
    worker.on('error', (error) => {
      reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    })
    worker.on('exit', () => this.#bury(thread, reason))
    return thread
  }

  #bury(thread: Thread, reason: string): void {
    thread.dead = true
    thread.heartbeat.stop()
    for (const format of ['lines', 'payload'] as const) {
      this.#throttledBefore[format] += thread.gauges.get(format).throttled
    }
    const jobs = [...thread.jobs.values()]
    thread.jobs.clear()
    for (const job of jobs) job.reject(new Error(`a delivery thread died: ${reason}`))
  }

  #hear(thread: Thread, message: ThreadMessage): void {
    if (message.kind === 'event') return this.#observe(message.event)
    if (message.kind === 'answer') return thread.heartbeat.answered()
    const job = thread.jobs.get(message.job)
    if (!job) return
    if (message.kind === 'trouble') return this.#note(job, message.trouble)
    thread.jobs.delete(message.job)
    if (message.kind === 'failed') return job.reject(new Error(message.reason))
    this.#mended(job.segment)
    job.resolve(JSON.parse(message.delivered) as Delivered)
  }

  #mended(segment: string): void {
    if (this.#parked.delete(segment) && this.#parked.size === 0) this.#observe({ kind: 'destination-resumed' })
  }

  #note({ segment }: Job, trouble: Trouble): void {
    const { object, reason, attempt, pauseMs } = trouble
    if (trouble.kind === 'mended') return this.#mended(segment)
    const isParked = trouble.kind !== 'retry'
    // Once parked, only what is stored shows that somebody has mended it: another fault in between does not.
    if (isParked || this.#parked.has(segment)) this.#parked.set(segment, reason)
    if (isParked) this.#observe({ kind: 'destination-parked', object, reason, pauseMs })
    else this.#observe({ kind: 'delivery-retry', object, reason, attempt, pauseMs })
  }
}

function say(worker: Worker, message: JobMessage): void {
  worker.postMessage(message)
}
