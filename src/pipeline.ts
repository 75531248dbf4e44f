/** Everything behind the intake, in the order payloads flow: journal, dispatch, delivery. Also what the simulator runs. */

import type { Delivered } from './delivery/deliver.ts'
import { LINE_EXTRA_BYTES_USUAL } from './delivery/encode.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { JobQueue } from './dispatch/job-queue.ts'
import { WorkerPool } from './dispatch/worker-pool.ts'
import type { Journal, SealedSegment } from './journal/journal.ts'
import type { Compression } from './journal/layout.ts'
import { openJournal } from './journal/open-journal.ts'
import type { Observer } from './observe/events.ts'
import type { Ledger } from './observe/ledger.ts'
import type { SegmentOutcome } from './observe/ledger-entry.ts'
import type { Platform } from './platform/platform.ts'

/** What a pipeline needs to know. */
export interface PipelineOptions {
  laneDirectory: string
  node: string
  lane: number
  lingerMs: number
  compression: Compression
  objectBytesMax: number
  maxWorkers: number
  /** How long the notes of records are remembered. */
  noteWindowMs: number
  /** The destination's name, for the ledger. */
  destination: string
}

/** The pause before the ledger is tried again. */
const LEDGER_PAUSE_MS = 1000

/** A running pipeline. */
export interface Pipeline {
  journal: Journal
  /** What undelivered segments hold. */
  backlog(): { segments: number; payloads: number }
  /** Takes no more, seals, and waits up to `graceMs` for what is there to be stored. The rest stays in the journal. */
  drain(graceMs: number): Promise<void>
}

/** The pause before a delivered segment that could not be removed is removed again. */
const REMOVE_PAUSE_MS = 1000

/**
 * Opens the journal and delivers what it seals, with `deliver`, which rejects only when it is ended from outside. What
 * became of a segment is in the ledger before the segment goes; `onOver` hears of it then.
 */
export async function startPipeline(
  platform: Platform,
  options: PipelineOptions,
  deliver: (segment: SealedSegment) => Promise<Delivered>,
  ledger: Ledger,
  observe: Observer,
  onOver: (segment: SealedSegment, outcome: SegmentOutcome) => void,
): Promise<Pipeline> {
  const backlog = new Backlog(options.maxWorkers)
  const { laneDirectory, node, lane, lingerMs, compression, objectBytesMax, noteWindowMs } = options
  const journal = await openJournal(
    platform,
    {
      directory: laneDirectory,
      node,
      lane,
      lingerMs,
      compression,
      objectBytesMax,
      noteWindowMs,
      lineExtraBytes: LINE_EXTRA_BYTES_USUAL,
      isStored: async ({ number, tag }) => (await ledger.find(lane, number, tag)) !== undefined,
    },
    observe,
    (segment) => backlog.add(segment),
  )
  const removeUntilGone = async (segment: SealedSegment) => {
    for (;;) {
      try {
        return await journal.remove(segment)
      } catch (error) {
        // Its payloads are stored; but as long as the file is there, room is kept for its bytes.
        observe({ kind: 'delivery-crash', reason: `removing a segment: ${error}` })
        await platform.clock.sleep(REMOVE_PAUSE_MS)
      }
    }
  }
  const pool = new WorkerPool<SealedSegment>(options.maxWorkers, async (segment) => {
    const delivered = await deliver(segment)
    if (delivered.kind === 'stopped') return
    const outcome = outcomeOf(segment, delivered, options)
    await write(outcome)
    // In one turn, so that what is counted never says less or more than what was accepted.
    ledger.count(outcome)
    const removed = removeUntilGone(segment)
    backlog.done(segment)
    onOver(segment, outcome)
    const { number, bytes } = segment
    const objects = delivered.objects.map(({ name }) => name)
    observe({ kind: 'segment-stored', segment: number, bytes, payloads: delivered.payloads, objects })
    await removed
  })
  const write = async (outcome: SegmentOutcome) => {
    for (;;) {
      try {
        return await ledger.append(outcome)
      } catch (error) {
        observe({ kind: 'ledger-trouble', reason: String(error) })
        await platform.clock.sleep(LEDGER_PAUSE_MS)
      }
    }
  }
  const dispatcher = new Dispatcher(backlog.queue, pool, (error) => {
    // Also when deliveries are ended below a stop: the segment stays, and is delivered after the next start.
    if (!backlog.closed) observe({ kind: 'delivery-crash', reason: String(error) })
  })
  const dispatching = dispatcher.run()

  return {
    journal,
    backlog: () => ({ segments: backlog.size, payloads: journal.pending.payloads }),
    async drain(graceMs) {
      await journal.close()
      backlog.close()
      const done = new AbortController()
      await Promise.race([dispatching, platform.clock.sleep(graceMs, done.signal)])
      done.abort()
    },
  }
}

/** The ledger's line: what is neither in the objects nor in a dead letter was lost to damage, and is dead as well. */
function outcomeOf(
  { number, tag, records, payloads, recordBytes }: SealedSegment,
  delivered: Extract<Delivered, { kind: 'stored' }>,
  { lane, destination }: PipelineOptions,
): SegmentOutcome {
  const { objects, letters } = delivered
  const stored = { payloads: delivered.payloads, bytes: delivered.bytes }
  const dead = { payloads: payloads - stored.payloads, bytes: recordBytes - stored.bytes }
  return { lane, segment: number, tag, destination, records, stored, dead, letters, objects }
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
