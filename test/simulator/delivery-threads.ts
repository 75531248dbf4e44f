/** The delivery threads of one process: the real deliveries, on the simulated machine, and their deaths. */

import { ChunkPool } from '../../src/delivery/chunk-pool.ts'
import { createCompressor } from '../../src/delivery/compressor.ts'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { type Delivered, deliver } from '../../src/delivery/deliver.ts'
import type { DeliveryContext } from '../../src/delivery/delivery-context.ts'
import { CHUNK_BYTES } from '../../src/delivery/encode.ts'
import { Lines } from '../../src/delivery/lines.ts'
import { Pace } from '../../src/delivery/pace.ts'
import { Parking } from '../../src/delivery/parking.ts'
import { PutLimit } from '../../src/delivery/put-limit.ts'
import { Budget, Turn } from '../../src/delivery/turn.ts'
import type { Destination } from '../../src/destination/destination.ts'
import type { SealedSegment } from '../../src/journal/journal.ts'
import type { Observer } from '../../src/observe/events.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { Garbage } from '../../src/platform/garbage.ts'
import type { Platform } from '../../src/platform/platform.ts'
import type { FaultyFiles } from './faulty-files.ts'
import type { ObjectStore } from './object-store.ts'
import type { Strand, World } from './world.ts'

/** Of threads that died, whose deliveries never go on: a new one has to be compiled, which takes longer than a whole life. */
const spareLines: Lines[] = []
/** The pause before a job is run again whose thread died, as in `threads.ts`. */
const CRASH_PAUSE_MS = 1000

/** How many there are, and their bounds. */
export interface ThreadsOptions {
  threads: number
  maxWorkers: number
  bodyBytesMax: number
  putsMax: number
}

/** The world outside of the process. */
interface ThreadsSurroundings {
  world: World
  store: ObjectStore
  seams: { destination?(destination: Destination): Destination }
}

/** The process, as far as its threads need it. */
interface ThreadsProcess {
  filesOf(strand: Strand): FaultyFiles
  platformOf(strand: Strand, files: FaultyFiles): Platform
  clock: Clock
  onOperation(): void
  observe: Observer
}

interface Thread {
  strand: Strand
  files: FaultyFiles
  context: DeliveryContext
  /** Ends the jobs it has when it dies. */
  jobs: Set<(error: Error) => void>
}

/** All threads of a process. */
export class DeliveryThreads {
  readonly #name: string
  readonly #options: ThreadsOptions
  readonly #around: ThreadsSurroundings
  readonly #process: ThreadsProcess
  readonly #threads: Thread[]
  #threadsMade = 0

  constructor(name: string, options: ThreadsOptions, around: ThreadsSurroundings, process: ThreadsProcess) {
    this.#name = name
    this.#options = options
    this.#around = around
    this.#process = process
    this.#threads = Array.from({ length: options.threads }, () => this.#thread())
  }

  /** As `threads.ts` does it: again and again, until it is done. */
  async deliver(segment: SealedSegment, hurry: AbortSignal): Promise<Delivered> {
    for (;;) {
      const thread = this.#threads.reduce((least, next) => (next.jobs.size < least.jobs.size ? next : least))
      const { promise, resolve, reject } = Promise.withResolvers<Delivered>()
      thread.jobs.add(reject)
      const { world } = this.#around
      const onTrouble = ({ kind, attempt }: { kind: string; attempt: number }) =>
        world.log(`thread ${thread.strand.name} has trouble: ${kind}, attempt ${attempt}`)
      deliver(segment.path, thread.context, onTrouble, hurry).then(resolve, reject)
      try {
        return await promise
      } catch (error) {
        this.#process.observe({ kind: 'delivery-crash', reason: (error as Error).message })
        await this.#process.clock.sleep(CRASH_PAUSE_MS)
      } finally {
        thread.jobs.delete(reject)
      }
    }
  }

  /** One dies; another takes its place, and its jobs are run again. */
  end(which: number): void {
    const thread = this.#threads[which % this.#threads.length]
    if (!thread) return
    const { world } = this.#around
    world.log(`thread ${thread.strand.name} dies`)
    world.count('thread deaths')
    cutOff(thread)
    this.#threads[which % this.#threads.length] = this.#thread()
    for (const reject of thread.jobs) reject(new Error('the thread died'))
  }

  /** All are gone, with their process. */
  cutOff(): void {
    for (const thread of this.#threads) cutOff(thread)
  }

  /** As `thread.ts` does it. */
  #thread(): Thread {
    const { world, store, seams } = this.#around
    const { bodyBytesMax, putsMax, maxWorkers } = this.#options
    const strand = { name: `${this.#name}.${++this.#threadsMade}`, dead: false }
    const files = this.#process.filesOf(strand)
    const platform = this.#process.platformOf(strand, files)
    const to = store.of(strand, platform.files, () => this.#process.onOperation())
    const context: DeliveryContext = {
      platform,
      destination: seams.destination?.(to) ?? to,
      destinationKey: 'simulated',
      turn: new Turn(),
      sorting: new Budget(1),
      pace: new Pace(platform.clock),
      lines: spareLines.pop() ?? new Lines(),
      garbage: new Garbage({ bytesMax: Number.POSITIVE_INFINITY }),
      compress: (compression) => {
        const compressor = createCompressor(compression)
        return { ...inSimulatedTime(world, strand, compressor), abandon: () => compressor.abandon() }
      },
      decompress: (compression, take) => inSimulatedTime(world, strand, createDecompressor(compression, take)),
      chunks: new ChunkPool(CHUNK_BYTES, 8),
      bodies: new Budget(bodyBytesMax),
      puts: new Budget(putsMax),
      // Segments are small here.
      notePayloads: 2,
      limits: {
        lines: new PutLimit(platform.clock, maxWorkers),
        payload: new PutLimit(platform.clock, putsMax),
      },
      parking: new Parking(platform.clock),
      observe: this.#process.observe,
      signal: new AbortController().signal,
    }
    return { strand, files, context, jobs: new Set() }
  }
}

function cutOff({ strand, files, context }: Thread): void {
  strand.dead = true
  spareLines.push(context.lines)
  files.cutOff()
}

/** A compressor or a decompressor. */
interface Codec<End> {
  write(chunk: Uint8Array): Promise<void>
  end(last?: Uint8Array): Promise<End>
}

/** The real one, on real threads: it begins at a simulated time, when the chunk must still be the same, and ends there. */
function inSimulatedTime<End>(world: World, strand: Strand, codec: Codec<End>): Codec<End> {
  const random = world.fork()
  const atItsTime = <T>(work: () => Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      world.after(random.unit() * 3, () => work().then(resolve, reject), strand)
    })
  return { write: (chunk) => atItsTime(() => codec.write(chunk)), end: (last) => atItsTime(() => codec.end(last)) }
}
