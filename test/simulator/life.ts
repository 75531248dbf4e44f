/** One process from its start to its end: the real pipeline and the real deliveries, on the simulated machine. */

import type { Deliver } from '../../src/delivery/deliver.ts'
import { Hurry } from '../../src/delivery/hurry.ts'
import type { Destination } from '../../src/destination/destination.ts'
import { openDataDirectory } from '../../src/journal/data-directory.ts'
import { HEADER_BYTES, SEAL_BYTES } from '../../src/journal/layout.ts'
import type { Event } from '../../src/observe/events.ts'
import { Ledger } from '../../src/observe/ledger.ts'
import type { Amount } from '../../src/observe/ledger-entry.ts'
import { type Pipeline, type PipelineOptions, startPipeline } from '../../src/pipeline.ts'
import type { Files } from '../../src/platform/files.ts'
import type { Platform } from '../../src/platform/platform.ts'
import { DeliveryThreads, type ThreadsOptions } from './delivery-threads.ts'
import type { Disk } from './disk.ts'
import type { DiskFaults } from './disk-faults.ts'
import { FaultyFiles } from './faulty-files.ts'
import type { Model } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import type { SentRecord } from './records.ts'
import type { Strand, World } from './world.ts'

export const DATA = 'data'
export const LANE = 'data/lane-0'
export const LEDGER = 'data/ledger'
const LEDGER_DAYS = 30
/** What a stop may take beyond its grace, on a slow disk. */
const STOP_MS_MAX = 60_000
/** How many clients there are that send more than once. */
const SENDERS = 5

/** Where a test can put a bug in, to see that it is found. */
export interface Seams {
  files?(files: Files): Files
  destination?(destination: Destination): Destination
  deliver?(deliver: Deliver, files: Files): Deliver
}

/** What all lives of a run share. */
export interface Surroundings {
  world: World
  disk: Disk
  faults: DiskFaults
  store: ObjectStore
  model: Model
  seams: Seams
}

/** What changes from life to life. */
export interface LifeOptions
  extends ThreadsOptions,
    Omit<PipelineOptions, 'laneDirectory' | 'node' | 'lane' | 'destination' | 'noteWindowMs'> {}

export type Ending = 'killed' | 'power lost' | 'stopped' | 'start failed'

/** One process. */
export class Life {
  readonly strand: Strand
  readonly number: number
  ended: Ending | undefined
  pipeline: Pipeline | undefined
  /** After so many operations it ends so. */
  crash = { operationsLeft: Number.POSITIVE_INFINITY, how: 'killed' as Ending }
  readonly #around: Surroundings
  readonly #options: LifeOptions
  readonly #files: FaultyFiles
  readonly #platform: Platform
  readonly #threads: DeliveryThreads
  readonly #senders = Array.from({ length: SENDERS }, () => ({ round: 0 }))
  /** Payloads that the journal must count: those it found, took, and hasn't given away. */
  #payloads = 0
  #unanswered = 0
  #ledger: Ledger | undefined
  /** What had left the journal before this life. */
  #before: Amount = { payloads: 0, bytes: 0 }

  constructor(number: number, options: LifeOptions, around: Surroundings) {
    this.number = number
    this.#around = around
    this.#options = options
    this.strand = { name: `${number}`, dead: false }
    this.#files = this.#filesOf(this.strand)
    this.#platform = this.#platformOf(this.strand, this.#files)
    this.#threads = new DeliveryThreads(this.strand.name, options, around, {
      filesOf: (strand) => this.#filesOf(strand),
      platformOf: (strand, files) => this.#platformOf(strand, files),
      clock: this.#platform.clock,
      onOperation: () => this.#onOperation(),
      observe: (event) => this.#observe(event),
    })
  }

  /** Begins as the server does; what fails here ends the process. */
  start(): void {
    const { format, compression, lingerMs, objectBytesMax, maxWorkers } = this.#options
    this.#around.world.log(`life ${this.number} begins ${JSON.stringify(this.#options)}`)
    const { seams } = this.#around
    const deliverAgain: Deliver = (segment, hurry) => this.#threads.deliver(segment, hurry)
    const start = async () => {
      const directory = await openDataDirectory(this.#platform, () => ({ release() {} }), DATA)
      const { files, clock } = this.#platform
      const ledger = await Ledger.open(files, clock, LEDGER, LEDGER_DAYS)
      this.#ledger = ledger
      const { stored, dead } = ledger.totals
      this.#before = { payloads: stored.payloads + dead.payloads, bytes: stored.bytes + dead.bytes }
      const lane = {
        laneDirectory: LANE,
        node: directory.node,
        lane: 0,
        destination: 'simulated',
        noteWindowMs: 600_000,
      }
      return await startPipeline(
        this.#platform,
        { ...lane, lingerMs, format, compression, objectBytesMax, maxWorkers },
        {
          deliver: seams.deliver?.(deliverAgain, this.#platform.files) ?? deliverAgain,
          hurry: new Hurry(this.#platform.clock),
        },
        ledger,
        (event) => this.#observe(event),
        ({ payloads }) => {
          this.#payloads -= payloads
        },
      )
    }
    start().then(
      (pipeline) => {
        this.pipeline = pipeline
        this.#around.world.log(`life ${this.number} is up`)
      },
      (error: unknown) => {
        this.#around.world.log(`life ${this.number} does not start: ${error}`)
        this.end('start failed')
      },
    )
  }

  /** A client sends a record. Its memory is used for something else as soon as the journal has a copy. */
  append(record: SentRecord): void {
    if (!this.pipeline || this.strand.dead) return
    const { model, world } = this.#around
    const sent = model.send(record)
    const answered = (what: string) => {
      world.log(`life ${this.number} answers ${what}`)
      this.#unanswered -= 1
    }
    this.#unanswered += 1
    this.#payloads += record.payloads
    // Some are waited for, and some come from nobody in particular.
    const sender = this.#senders[model.sent.length % (SENDERS + 1)]
    this.pipeline.journal.append(record, {
      sender,
      copied: () => record.body.fill(0x21),
      kept: (receipt) => {
        if (this.strand.dead) return
        model.kept(sent, receipt)
        answered(receipt)
      },
      refused: (refusal) => {
        if (this.strand.dead) return
        this.#payloads -= record.payloads
        model.refused(sent, refusal)
        answered(refusal)
      },
    })
  }

  /** A graceful stop. One that comes before the start is through ends the process at once. */
  stop(graceMs: number): void {
    if (this.strand.dead) return
    this.#around.world.log(`life ${this.number} is to stop within ${graceMs.toFixed(0)} ms`)
    if (!this.pipeline) return this.end('stopped')
    const late = () => this.#around.world.breach(`life ${this.number} did not stop`)
    this.#around.world.after(graceMs + STOP_MS_MAX, late, this.strand)
    this.pipeline.drain(graceMs).then(
      () => this.end('stopped'),
      (error: unknown) => this.#around.world.breach(`a stop failed: ${error}`),
    )
  }

  /** The process is gone, whatever it was doing. */
  end(how: Ending): void {
    if (this.strand.dead) return
    this.#around.world.log(`life ${this.number} ends: ${how}`)
    this.ended = how
    this.strand.dead = true
    this.#files.cutOff()
    this.#threads.cutOff()
  }

  /** A delivery thread dies; another takes its place, and its jobs are run again. */
  endThread(which: number): void {
    if (!this.strand.dead) this.#threads.end(which)
  }

  /** Everybody has their answer, and nothing waits to be stored. */
  get isDrained(): boolean {
    const left = this.pipeline?.backlog()
    return left?.segments === 0 && left.payloads === 0 && this.#unanswered === 0
  }

  /** What the journal counts is what it was given. */
  checkPayloads(): void {
    if (this.strand.dead || !this.pipeline) return
    const counted = this.pipeline.journal.payloads
    if (counted === this.#payloads) return
    this.#around.world.breach(`the journal counts ${counted} payloads, and should count ${this.#payloads}`)
  }

  /**
   * accepted = stored + pending + dead, at every moment. Dead may be what was found in the page cache after its sync had
   * failed, and was lost with the power later: nobody was promised it.
   */
  checkBalance(): void {
    if (this.strand.dead || !this.pipeline || !this.#ledger) return
    const { accepted, pending } = this.pipeline.journal
    const { stored, dead } = this.#ledger.totals
    for (const unit of ['payloads', 'bytes'] as const) {
      const sum = stored[unit] + pending[unit] + dead[unit]
      if (this.#before[unit] + accepted[unit] === sum) continue
      this.#around.world.breach(
        `the ledger's ${unit} do not add up: ${JSON.stringify({ accepted, pending, stored, dead })}`,
      )
    }
  }

  /** What the journal says it takes of the disk is what it takes; for a life without faults, while nothing is under way. */
  checkBytes(): void {
    if (this.strand.dead || !this.pipeline || !this.#files.isIdle || this.#unanswered > 0) return
    const { disk, world } = this.#around
    let bytes = 0
    for (const name of disk.list(LANE)) {
      const length = disk.file(`${LANE}/${name}`)?.content.length ?? 0
      if (name.endsWith('.sealed')) bytes += length
      if (name.endsWith('.open')) bytes += Math.max(length, HEADER_BYTES) + SEAL_BYTES
    }
    const counted = this.pipeline.journal.bytes
    if (counted !== bytes) world.breach(`the journal counts ${counted} bytes, and takes ${bytes}`)
  }

  #observe(event: Event): void {
    if (this.strand.dead) return
    this.#around.world.count(`event: ${event.kind}`)
    if (event.kind === 'journal-recovered') this.#payloads += event.payloads
    this.#around.world.log(`life ${this.number} reports ${JSON.stringify(event)}`)
  }

  #onOperation(): void {
    this.crash.operationsLeft -= 1
    if (this.crash.operationsLeft <= 0) this.end(this.crash.how)
  }

  #filesOf(strand: Strand): FaultyFiles {
    const { world, disk, faults } = this.#around
    const onOperation = () => this.#onOperation()
    return new FaultyFiles(world, disk, faults, { strand, process: this.number, onOperation })
  }

  #platformOf(strand: Strand, files: FaultyFiles): Platform {
    const { world, seams } = this.#around
    return { clock: world.clockOf(strand), files: seams.files?.(files) ?? files, random: world.fork() }
  }
}
