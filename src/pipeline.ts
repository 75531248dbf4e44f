/** Everything behind the intake, in the order payloads flow: journal, dispatch, delivery. Also what the simulator runs. */

import type { Deliver, Delivered } from './delivery/deliver.ts'
import { HURRIED, type Hurry } from './delivery/hurry.ts'
import { LINE_EXTRA_BYTES_USUAL } from './delivery/lines.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import type { Journal, SealedSegment } from './journal/journal.ts'
import type { JournalOptions } from './journal/journal-options.ts'
import { openJournal } from './journal/open-journal.ts'
import { removeSegment } from './journal/segment.ts'
import type { Observer } from './observe/events.ts'
import type { Ledger } from './observe/ledger.ts'
import type { LedgerEntry, SegmentOutcome } from './observe/ledger-entry.ts'
import type { Platform } from './platform/platform.ts'

/** What a pipeline needs to know. */
export interface PipelineOptions extends Omit<JournalOptions, 'directory' | 'lineExtraBytes'> {
  laneDirectory: string
  maxWorkers: number
  /** The destination's name, for the ledger. */
  destination: string
}

/**
 * As how much more than its bytes a payload counts that becomes an object of its own: a segment is over when all its puts
 * are, so that one of 64 MiB is to hold 15,000 of them and not 200,000. So many are repeated after a crash at the most.
 */
const PAYLOAD_EXTRA_BYTES = 4096

/** The pause before a line that could not be written, or a file that could not be removed, is tried again. */
const AGAIN_PAUSE_MS = 1000
const NOTHING_DELIVERED: Extract<Delivered, { kind: 'stored' }> = {
  kind: 'stored',
  format: 'lines',
  objects: [],
  payloads: 0,
  bytes: 0,
  letters: [],
}

/** How segments are delivered. Several pipelines may share it. */
export interface Deliveries {
  /** Rejects only when it is ended from outside. */
  deliver: Deliver
  /** Of deliveries that begin with nothing behind them. A second segment and a drain end their rests. */
  hurry: Hurry
}

/** A running pipeline. */
export interface Pipeline {
  journal: Journal
  /** What undelivered segments hold. */
  backlog(): { segments: number; payloads: number }
  /** Takes no more, seals, and waits up to `graceMs` for what is there to be stored. The rest stays in the journal. */
  drain(graceMs: number): Promise<void>
}

/**
 * Opens the journal and delivers what it seals. What became of a segment is in the ledger before the segment goes; `onOver`
 * hears of it then.
 */
export async function startPipeline(
  platform: Platform,
  options: PipelineOptions,
  { deliver, hurry }: Deliveries,
  ledger: Ledger,
  observe: Observer,
  onOver: (segment: SealedSegment, outcome: SegmentOutcome) => void,
): Promise<Pipeline> {
  const { laneDirectory, node, lane, lingerMs, format, compression, objectBytesMax, journalBytesMax, noteWindowMs } =
    options
  /** Those found at the start whose line is there. */
  const over: { path: string; entry: LedgerEntry }[] = []
  const { promise: opened, resolve: begin } = Promise.withResolvers<void>()
  let tidying = opened
  const dispatcher = new Dispatcher<SealedSegment>({
    workers: options.maxWorkers,
    queue: options.maxWorkers,
    run: (segment) => deliverOne(segment),
    onError: (error) => {
      // Also when deliveries are ended below a stop: the segment stays, and is delivered after the next start.
      if (!backlog.closed) observe({ kind: 'delivery-crash', reason: String(error) })
    },
  })
  // The journal finds segments while it opens; they are delivered once all of this is there.
  dispatcher.pause()
  const backlog = new Backlog(dispatcher)
  const journal = await openJournal(
    platform,
    {
      directory: laneDirectory,
      node,
      lane,
      lingerMs,
      format,
      compression,
      objectBytesMax,
      journalBytesMax,
      noteWindowMs,
      lineExtraBytes: format === 'payload' ? PAYLOAD_EXTRA_BYTES : LINE_EXTRA_BYTES_USUAL,
      isStored: async ({ path, number, tag }) => {
        const entry = await ledger.find(lane, number, tag)
        if (entry) over.push({ path, entry })
        return entry !== undefined
      },
      lastNumberGone: await ledger.lastSegment(),
    },
    observe,
    (segment) => {
      if (segment.isEmpty) {
        tidying = tidying.then(() => writeOff(segment))
      } else {
        backlog.add(segment)
        if (backlog.size > 1) hurry.now()
      }
    },
  )
  const insist = async (kind: 'ledger-trouble' | 'delivery-crash', what: string, task: () => Promise<void>) => {
    for (;;) {
      try {
        return await task()
      } catch (error) {
        observe({ kind, reason: `${what}${error}` })
        await platform.clock.sleep(AGAIN_PAUSE_MS)
      }
    }
  }
  let lastLine = Promise.resolve()
  /** One line at a time, and each until it is kept: the next one's totals stand on it. */
  const inLedger = (task: () => Promise<void>) => {
    lastLine = lastLine.then(() => insist('ledger-trouble', '', task))
    return lastLine
  }
  // As long as the file is there, room is kept for its bytes.
  const untilGone = (remove: () => Promise<void>) => insist('delivery-crash', 'removing a segment: ', remove)
  /** What never held a record leaves a line as well: every segment's number is in the journal or in the ledger. */
  const writeOff = async (segment: SealedSegment) => {
    const outcome = outcomeOf(segment, NOTHING_DELIVERED, options)
    await inLedger(() => ledger.append(outcome))
    ledger.count(outcome)
    await untilGone(() => journal.remove(segment))
  }
  // Their process was cut off between the line and the removal. The line is surely on the disk before their files go.
  const renewed = over
    .sort((a, b) => a.entry.entry - b.entry.entry)
    .map(async ({ path, entry }) => {
      await inLedger(() => ledger.renew(entry))
      await untilGone(() => removeSegment(platform.files, path))
    })
  let isDraining = false
  const deliverOne = async (segment: SealedSegment) => {
    const delivered = await deliver(segment, backlog.size > 1 || isDraining ? HURRIED : hurry.signal)
    if (delivered.kind === 'stopped') return
    const outcome = outcomeOf(segment, delivered, options)
    await inLedger(() => ledger.append(outcome))
    // In one turn, so that what is counted never says less or more than what was accepted.
    ledger.count(outcome)
    const removed = untilGone(() => journal.remove(segment))
    backlog.done(segment)
    onOver(segment, outcome)
    const { number, bytes } = segment
    const { payloads, objects, format } = delivered
    const isSet = format === 'payload'
    const last = `${objects.at(-1)?.name ?? ''}${isSet ? '-*' : ''}`
    observe({
      kind: 'segment-stored',
      segment: number,
      bytes,
      payloads,
      objects: isSet ? payloads : objects.length,
      last,
    })
    await removed
  }
  dispatcher.resume()
  begin()

  return {
    journal,
    backlog: () => ({ segments: backlog.size, payloads: journal.pending.payloads }),
    async drain(graceMs) {
      isDraining = true
      hurry.now()
      await journal.close()
      const done = new AbortController()
      await Promise.race([
        Promise.all([backlog.close(), tidying, ...renewed]),
        platform.clock.sleep(graceMs, done.signal),
      ])
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
  const { format, objects, letters, read } = delivered
  const stored = { payloads: delivered.payloads, bytes: delivered.bytes }
  const dead = { payloads: payloads - stored.payloads, bytes: recordBytes - stored.bytes }
  const outcome = { lane, segment: number, tag, destination, records, stored, dead, letters, objects }
  return format === 'lines' ? outcome : { ...outcome, format, ...(read && { read }) }
}

/**
 * Sealed segments on their way to the job queue. They are on disk, and what is kept of one here is its name, so that
 * their number is bounded by the journal's bytes; the queue itself holds no more than the workers soon need.
 */
class Backlog {
  closed = false
  readonly #dispatcher: Dispatcher<SealedSegment>
  readonly #waiting: SealedSegment[] = []
  readonly #undelivered = new Set<number>()
  #feeding: Promise<void> | undefined

  constructor(dispatcher: Dispatcher<SealedSegment>) {
    this.#dispatcher = dispatcher
  }

  /** How many segments are not delivered. */
  get size(): number {
    return this.#undelivered.size
  }

  add(segment: SealedSegment): void {
    this.#undelivered.add(segment.number)
    this.#waiting.push(segment)
    this.#feeding ??= this.#feed()
  }

  done(segment: SealedSegment): void {
    this.#undelivered.delete(segment.number)
  }

  /** No more segments come; resolves when the last delivery has ended. */
  async close(): Promise<void> {
    this.closed = true
    await this.#feeding
    await this.#dispatcher.stop()
  }

  async #feed(): Promise<void> {
    for (let next = 0; next < this.#waiting.length; next++) {
      await this.#dispatcher.put(this.#waiting[next] as SealedSegment)
    }
    this.#waiting.length = 0
    this.#feeding = undefined
  }
}
