/**
 * The pipelines of a lane: that of its own journal, which takes records, and one for each journal that it only drains,
 * because an earlier run had more lanes.
 */

import { join } from 'node:path'
import type { Deliver, Delivered } from './delivery/deliver.ts'
import { type Whereabouts, whereIs } from './delivery/whereabouts.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import type { Balance } from './intake/inspect.ts'
import { laneDirectory, lanesIn } from './journal/data-directory.ts'
import type { Journal, RememberedNote, SealedSegment } from './journal/journal.ts'
import { parseReceipt } from './journal/name.ts'
import { notesIn } from './journal/notes.ts'
import { keeperOf, type LanePlace, sum } from './lanes/overview.ts'
import type { Observer } from './observe/events.ts'
import { Ledger } from './observe/ledger.ts'
import type { Amount, SegmentOutcome } from './observe/ledger-entry.ts'
import { placeFromLedger } from './observe/ledger-place.ts'
import { type Deliveries, type Pipeline, type PipelineOptions, startPipeline } from './pipeline.ts'
import type { Files } from './platform/files.ts'
import type { Platform } from './platform/platform.ts'

/** What every pipeline of a lane is told, and where the journals are. */
export interface PipelinesOptions extends Omit<PipelineOptions, 'laneDirectory' | 'lane'>, LanePlace {
  data: string
  ledgerDays: number
}

const NOTHING: Amount = { payloads: 0, bytes: 0 }

interface Kept {
  journal: number
  pipeline: Pipeline
  ledger: Ledger
  /** What had left the journal before this process started. */
  before: Amount
  deadBefore: number
}

/** The pipelines of one lane. */
export class Pipelines {
  readonly #own: Kept
  readonly #all: readonly Kept[]
  readonly #node: string
  readonly #data: string

  private constructor(all: readonly Kept[], { node, data }: PipelinesOptions) {
    this.#own = all[0] as Kept
    this.#all = all
    this.#node = node
    this.#data = data
  }

  /** Starts them all, its own first. `onOver` hears of every segment that is over. */
  static async start(
    platform: Platform,
    options: PipelinesOptions,
    { deliver, hurry }: Deliveries,
    observe: Observer,
    onOver: (lane: number, segment: SealedSegment, outcome: SegmentOutcome) => void,
  ): Promise<Pipelines> {
    const { data, lane, lanes, ledgerDays } = options
    const existing = await lanesIn(platform.files, data)
    const left = existing.filter((other) => other >= lanes && keeperOf(other, lanes) === lane)
    const bounded = left.length === 0 ? deliver : withinWorkers(options.maxWorkers, 1 + left.length, deliver)
    const all: Kept[] = []
    try {
      for (const journal of [lane, ...left]) {
        const ledger = await Ledger.open(platform.files, platform.clock, join(data, 'ledger'), ledgerDays, journal)
        const { stored, dead } = ledger.totals
        const own = { ...options, lane: journal, laneDirectory: laneDirectory(data, journal) }
        const over = (segment: SealedSegment, outcome: SegmentOutcome) => onOver(journal, segment, outcome)
        const pipeline = await startPipeline(platform, own, { deliver: bounded, hurry }, ledger, observe, over)
        all.push({ journal, pipeline, ledger, before: sum(stored, dead), deadBefore: dead.payloads })
      }
    } catch (error) {
      for (const { pipeline } of all) await pipeline.journal.close()
      throw error
    }
    return new Pipelines(all, options)
  }

  /** The journal that takes records. */
  get journal(): Journal {
    return this.#own.pipeline.journal
  }

  /** What the bounds on journals count: all of them, and the trouble of the one that takes records. */
  get held(): Pick<Journal, 'payloads' | 'bytes' | 'trouble'> {
    const journals = this.#all.map(({ pipeline }) => pipeline.journal)
    const { journal } = this
    if (journals.length === 1) return journal
    return {
      get payloads() {
        return journals.reduce((total, { payloads }) => total + payloads, 0)
      },
      get bytes() {
        return journals.reduce((total, { bytes }) => total + bytes, 0)
      },
      get trouble() {
        return journal.trouble
      },
    }
  }

  /** Those of every lane, also of lanes in other processes once these have started: a key may have changed its lane. */
  async notes(files: Files, data: string, oldestMs: number): Promise<RememberedNote[]> {
    const kept = this.#all.map(({ journal }) => journal)
    const others = (await lanesIn(files, data)).filter((lane) => !kept.includes(lane))
    const notes = this.#all.flatMap(({ pipeline }) => pipeline.journal.notes)
    for (const lane of others) notes.push(...(await notesIn(files, laneDirectory(data, lane), oldestMs)))
    return notes
  }

  whereIs(receipt: string): Promise<Whereabouts | undefined> {
    const asked = parseReceipt(receipt)
    const kept = this.#all.find(({ journal }) => journal === asked?.lane)
    return whereIs(receipt, {
      node: this.#node,
      holds: ({ segment, tag, place }) => kept?.pipeline.journal.holds(segment, tag, place) ?? false,
      find: async (lane, segment, tag) => {
        const entry = await kept?.ledger.find(lane, segment, tag)
        return entry && placeFromLedger(entry, this.#data)
      },
    })
  }

  /** As it is at this moment: journals go on counting in amounts of their own. */
  balance(): Balance {
    const each = this.#all.map(({ pipeline, ledger, before }) => ({ journal: pipeline.journal, ledger, before }))
    return {
      accepted: each.map(({ journal, before }) => sum(before, journal.accepted)).reduce(sum, NOTHING),
      stored: each.map(({ ledger }) => ledger.totals.stored).reduce(sum, NOTHING),
      pending: each.map(({ journal }) => journal.pending).reduce(sum, NOTHING),
      dead: each.map(({ ledger }) => ledger.totals.dead).reduce(sum, NOTHING),
    }
  }

  /** What undelivered segments hold, and what turned out dead since the start. */
  backlog(): { segments: number; payloads: number; dead: number } {
    const total = { segments: 0, payloads: 0, dead: 0 }
    for (const { pipeline, ledger, deadBefore } of this.#all) {
      const { segments, payloads } = pipeline.backlog()
      total.segments += segments
      total.payloads += payloads
      total.dead += ledger.totals.dead.payloads - deadBefore
    }
    return total
  }

  /** Takes no more, and waits up to `graceMs` for what is there to be stored. */
  async drain(graceMs: number): Promise<void> {
    await Promise.all(this.#all.map(({ pipeline }) => pipeline.drain(graceMs)))
  }

  /** Once the deliveries have ended. */
  async closeLedgers(): Promise<void> {
    for (const { ledger } of this.#all) await ledger.close()
  }
}

/** As many deliveries at once as one pipeline would have workers, however many pipelines there are. */
function withinWorkers(workers: number, pipelines: number, deliver: Deliver): Deliver {
  // None gives more at once than it has workers: there is always room.
  const shared = new Dispatcher<Parameters<Deliver>, Delivered>({
    workers,
    queue: workers * pipelines,
    run: (job) => deliver(...job),
  })
  return (...job) => shared.submit(job)
}
