/** One process from its start to its end: the real pipeline and the real deliveries, on the simulated machine. */

import { ChunkPool } from '../../src/delivery/chunk-pool.ts'
import { createCompressor } from '../../src/delivery/compressor.ts'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { type Delivered, deliver } from '../../src/delivery/deliver.ts'
import type { DeliveryContext } from '../../src/delivery/delivery-context.ts'
import { CHUNK_BYTES } from '../../src/delivery/encode.ts'
import { Lines } from '../../src/delivery/lines.ts'
import { Parking } from '../../src/delivery/parking.ts'
import { PutLimit } from '../../src/delivery/put-limit.ts'
import { Budget, Turn } from '../../src/delivery/turn.ts'
import type { Destination } from '../../src/destination/destination.ts'
import { openDataDirectory } from '../../src/journal/data-directory.ts'
import type { SealedSegment } from '../../src/journal/journal.ts'
import { HEADER_BYTES, SEAL_BYTES } from '../../src/journal/layout.ts'
import type { Event } from '../../src/observe/events.ts'
import { Ledger } from '../../src/observe/ledger.ts'
import type { Amount } from '../../src/observe/ledger-entry.ts'
import { type Pipeline, type PipelineOptions, startPipeline } from '../../src/pipeline.ts'
import type { Files } from '../../src/platform/files.ts'
import { Garbage } from '../../src/platform/garbage.ts'
import type { Platform } from '../../src/platform/platform.ts'
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
/** Of threads that died, whose deliveries never go on: a new one has to be compiled, which takes longer than a whole life. */
const spareLines: Lines[] = []
/** The pause before a job is run again whose thread died, as in `threads.ts`. */
const CRASH_PAUSE_MS = 1000

type Deliver = (segment: SealedSegment) => Promise<Delivered>

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
  extends Omit<PipelineOptions, 'laneDirectory' | 'node' | 'lane' | 'destination' | 'noteWindowMs'> {
  threads: number
  bodyBytesMax: number
  putsMax: number
}

export type Ending = 'killed' | 'power lost' | 'stopped' | 'start failed'

interface Thread {
  strand: Strand
  files: FaultyFiles
  context: DeliveryContext
  /** Ends the jobs it has when it dies. */
  jobs: Set<(error: Error) => void>
}

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
  readonly #threads: Thread[]
  #threadsMade = 0
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
    this.#threads = Array.from({ length: options.threads }, () => this.#thread())
  }

  /** Begins as the server does; what fails here ends the process. */
  start(): void {
    const { format, compression, lingerMs, objectBytesMax, maxWorkers } = this.#options
    this.#around.world.log(`life ${this.number} begins ${JSON.stringify(this.#options)}`)
    const { seams } = this.#around
    const deliverAgain: Deliver = (segment) => this.#deliver(segment)
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
        seams.deliver?.(deliverAgain, this.#platform.files) ?? deliverAgain,
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

  /** A client sends a record. Its memory is used for something else as soon as it has its answer. */
  append(record: SentRecord): void {
    if (!this.pipeline || this.strand.dead) return
    const { model, world } = this.#around
    const sent = model.send(record)
    const answered = (what: string) => {
      world.log(`life ${this.number} answers ${what}`)
      record.body.fill(0x21)
      this.#unanswered -= 1
    }
    this.#unanswered += 1
    this.#payloads += record.payloads
    this.pipeline.journal.append(record, {
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
    for (const { strand, files, context } of this.#threads) {
      strand.dead = true
      spareLines.push(context.lines)
      files.cutOff()
    }
  }

  /** A delivery thread dies; another takes its place, and its jobs are run again. */
  endThread(which: number): void {
    const thread = this.#threads[which % this.#threads.length]
    if (!thread || this.strand.dead) return
    this.#around.world.log(`thread ${thread.strand.name} dies`)
    this.#around.world.count('thread deaths')
    thread.strand.dead = true
    spareLines.push(thread.context.lines)
    thread.files.cutOff()
    this.#threads[which % this.#threads.length] = this.#thread()
    for (const reject of thread.jobs) reject(new Error('the thread died'))
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

  /** As `threads.ts` does it: again and again, until it is done. */
  async #deliver(segment: SealedSegment): Promise<Delivered> {
    for (;;) {
      const thread = this.#threads.reduce((least, next) => (next.jobs.size < least.jobs.size ? next : least))
      const { promise, resolve, reject } = Promise.withResolvers<Delivered>()
      thread.jobs.add(reject)
      const { world } = this.#around
      const onTrouble = ({ kind, attempt }: { kind: string; attempt: number }) =>
        world.log(`thread ${thread.strand.name} has trouble: ${kind}, attempt ${attempt}`)
      deliver(segment.path, thread.context, onTrouble).then(resolve, reject)
      try {
        return await promise
      } catch (error) {
        this.#observe({ kind: 'delivery-crash', reason: (error as Error).message })
        await this.#platform.clock.sleep(CRASH_PAUSE_MS)
      } finally {
        thread.jobs.delete(reject)
      }
    }
  }

  /** As `thread.ts` does it. */
  #thread(): Thread {
    const { world, store, seams } = this.#around
    const strand = { name: `${this.number}.${++this.#threadsMade}`, dead: false }
    const files = this.#filesOf(strand)
    const platform = this.#platformOf(strand, files)
    const to = store.of(strand, platform.files, () => this.#onOperation())
    const context: DeliveryContext = {
      platform,
      destination: seams.destination?.(to) ?? to,
      turn: new Turn(),
      lines: spareLines.pop() ?? new Lines(),
      garbage: new Garbage(Number.POSITIVE_INFINITY),
      compress: (compression) => inSimulatedTime(world, strand, createCompressor(compression)),
      decompress: (compression, take) => inSimulatedTime(world, strand, createDecompressor(compression, take)),
      chunks: new ChunkPool(CHUNK_BYTES, 8),
      bodies: new Budget(this.#options.bodyBytesMax),
      puts: new Budget(this.#options.putsMax),
      limits: {
        lines: new PutLimit(platform.clock, this.#options.maxWorkers),
        payload: new PutLimit(platform.clock, this.#options.putsMax),
      },
      parking: new Parking(platform.clock),
      observe: (event) => this.#observe(event),
      signal: new AbortController().signal,
    }
    return { strand, files, context, jobs: new Set() }
  }
}

/** A compressor or a decompressor. */
interface Codec<End> {
  write(chunk: Uint8Array): Promise<void>
  end(): Promise<End>
}

/** The real one, on real threads: it begins at a simulated time, when the chunk must still be the same, and ends there. */
function inSimulatedTime<End>(world: World, strand: Strand, codec: Codec<End>): Codec<End> {
  const random = world.fork()
  const atItsTime = <T>(work: () => Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      world.after(random.unit() * 3, () => work().then(resolve, reject), strand)
    })
  return { write: (chunk) => atItsTime(() => codec.write(chunk)), end: () => atItsTime(() => codec.end()) }
}
