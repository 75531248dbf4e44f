/** The composition root: builds intake, journal, dispatch and delivery in the order payloads flow, and stops them in it. */

import type { Options } from './config/options.ts'
import { LINE_EXTRA_BYTES_USUAL } from './delivery/encode.ts'
import { DeliveryThreads } from './delivery/threads.ts'
import { type Place, parsePlace } from './destination/place.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { JobQueue } from './dispatch/job-queue.ts'
import { WorkerPool } from './dispatch/worker-pool.ts'
import { Admission } from './intake/admission.ts'
import { Deadlines } from './intake/deadlines.ts'
import { type Listener, listen } from './intake/listener.ts'
import { openDataDirectory } from './journal/data-directory.ts'
import { openJournal } from './journal/group-commit.ts'
import type { SealedSegment } from './journal/journal.ts'
import { Fault } from './observe/errors.ts'
import type { Observer } from './observe/events.ts'
import type { Timer } from './platform/clock.ts'
import { lockFile } from './platform/lock.ts'
import type { Platform } from './platform/platform.ts'

/** A running server. */
export interface Server {
  url: string
  /** Where objects go, for people. */
  destination: string
  /** What undelivered segments hold. */
  backlog(): { segments: number; payloads: number }
  /** Refuses what comes, delivers what is there for up to `graceMs`, and ends. What is left waits for the next start. */
  stop(graceMs: number): Promise<void>
}

/** Bytes of finished objects held in memory while they are put, all threads together. */
const BODY_BYTES_MAX = 32 * 1024 * 1024
/** How often the free space of the journal's disk is looked at. */
const DISK_LOOK_MS = 1000
const LANE = 0

/** Starts everything, or throws a `Fault` with nothing left running. */
export async function startServer(
  options: Options,
  env: Readonly<Record<string, string | undefined>>,
  platform: Platform,
  observe: Observer,
): Promise<Server> {
  const { clock } = platform
  const place = placeFrom(options, env)
  const directory = await openDataDirectory(platform, lockFile, options.data)
  try {
    const backlog = new Backlog(options.maxWorkers)
    const journal = await openJournal(
      platform,
      {
        directory: directory.laneDirectory(LANE),
        node: directory.node,
        lane: LANE,
        lingerMs: options.lingerMs,
        compression: options.compression,
        objectBytesMax: options.objectBytesMax,
        lineExtraBytes: LINE_EXTRA_BYTES_USUAL,
      },
      observe,
      (segment) => backlog.add(segment),
    )
    const admission = new Admission(options, journal, clock)
    const disk = await watchDisk(platform, options.data, admission)

    const start = { place, bodyBytesMax: Math.floor(BODY_BYTES_MAX / options.threads) }
    const threads = new DeliveryThreads(options.threads, start, clock, observe)
    const pool = new WorkerPool<SealedSegment>(options.maxWorkers, async (segment) => {
      const delivered = await threads.deliver(segment)
      if (delivered.kind === 'stopped') return
      await journal.remove(segment)
      backlog.done(segment)
      admission.drained(segment.payloads, segment.bytes)
      const { number, bytes } = segment
      observe({
        kind: 'segment-stored',
        segment: number,
        bytes,
        payloads: delivered.payloads,
        objects: delivered.objects,
      })
    })
    const dispatcher = new Dispatcher(backlog.queue, pool, (error) => {
      // Also when the threads are ended below a delivery: the segment stays, and is delivered after the next start.
      if (!backlog.closed) observe({ kind: 'delivery-crash', reason: String(error) })
    })
    const dispatching = dispatcher.run()

    const deadlines = new Deadlines(options.bodyTimeoutMs, clock)
    const notReady = () => {
      const reason = threads.parked
      return (
        admission.status() ??
        (reason === undefined ? undefined : { code: 'destination_parked' as const, detail: reason })
      )
    }
    let listener: Listener
    try {
      // A body that could never fit the journal is too large, not early.
      const bodyBytesMax = Math.min(options.bodyBytesMax, options.journalBytesMax / 2)
      const context = { journal, admission, deadlines, clock, observe, bodyBytesMax }
      listener = listen({ host: options.host, port: options.port, notReady }, context)
    } catch (error) {
      disk.close()
      await journal.close()
      await threads.stop()
      throw error
    }

    return {
      url: listener.url,
      destination: place.kind === 'directory' ? place.root : (options.to ?? ''),
      backlog: () => ({ segments: backlog.size, payloads: journal.payloads }),
      async stop(graceMs) {
        // In the order payloads flow. Stragglers get their 503 until all that was accepted is stored or time is up.
        admission.stop()
        await journal.close()
        backlog.close()
        const done = new AbortController()
        await Promise.race([dispatching, clock.sleep(graceMs, done.signal)])
        done.abort()
        await threads.stop()
        await listener.close()
        deadlines.close()
        disk.close()
        directory.release()
      },
    }
  } catch (error) {
    directory.release()
    throw error
  }
}

function placeFrom(options: Options, env: Readonly<Record<string, string | undefined>>): Place {
  const place = parsePlace(options.to ?? `${options.data}/objects`, env)
  if (typeof place === 'string') throw new Fault('config_invalid', `--to is '${options.to}': ${place}`)
  return place
}

/**
 * Sealed segments on their way to the job queue. They are on disk, and what is kept of one here is its name, so that
 * their number is bounded by the journal's bytes; the queue itself holds no more than the workers soon need.
 */
class Backlog {
  readonly queue: JobQueue<SealedSegment>
  closed = false
  readonly #waiting: SealedSegment[] = []
  readonly #undelivered = new Set<number>()
  #feeding = false

  constructor(workers: number) {
    this.queue = new JobQueue(workers)
  }

  /** How many segments are not delivered. */
  get size(): number {
    return this.#undelivered.size
  }

  add(segment: SealedSegment): void {
    this.#undelivered.add(segment.number)
    this.#waiting.push(segment)
    if (!this.#feeding) void this.#feed()
  }

  done(segment: SealedSegment): void {
    this.#undelivered.delete(segment.number)
  }

  /** No more segments come: the queue ends when those that wait have been taken. */
  close(): void {
    this.closed = true
    if (!this.#feeding) this.queue.close()
  }

  async #feed(): Promise<void> {
    this.#feeding = true
    for (let next = 0; next < this.#waiting.length; next++) {
      await this.queue.put(this.#waiting[next] as SealedSegment)
    }
    this.#waiting.length = 0
    this.#feeding = false
    if (this.closed) this.queue.close()
  }
}

/** Tells admission the free space now, and again and again. */
async function watchDisk({ files, clock }: Platform, directory: string, admission: Admission) {
  let timer: Timer | undefined
  let closed = false
  const look = async () => {
    try {
      admission.diskIs(await files.space(directory))
    } catch {
      // The last figure stands; a disk that is gone shows itself at the next write.
    }
    if (!closed) timer = clock.after(DISK_LOOK_MS, () => void look())
  }
  await look()
  return {
    close() {
      closed = true
      timer?.cancel()
    },
  }
}
