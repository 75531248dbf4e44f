/** Deliveries to a function, as the lane sees them: segments in, outcomes back, and how far each has come kept in between. */

import { dirname } from 'node:path'
import type { SealedSegment } from '../journal/journal.ts'
import type { Observer } from '../observe/events.ts'
import type { Platform } from '../platform/platform.ts'
import type { Delivered } from './deliver.ts'
import type { Batch, Handler } from './handler.ts'
import { type CallCounts, HandlerCalls } from './handler-calls.ts'
import { HandlerDelivery, type HandlerDeliveryContext } from './handler-delivery.ts'
import { Progress } from './progress.ts'
import { leftProgress, ProgressFile, progressName } from './progress-file.ts'
import { type PutsByFormat, sumOfPuts } from './put-gauges.ts'
import { Budget, Turn } from './turn.ts'

/** Bytes of records in hand; a longer one is alone. */
export const HELD_BYTES_MAX = 64 * 1024 * 1024
/** The pause before a segment whose disk failed it is read again. */
const CRASH_PAUSE_MS = 1000

/** A function that takes payloads in place of a destination, and how. */
export interface HandlerOptions {
  handler: Handler<never>
  batch: Batch
  raw: boolean
  /** The longest an attempt may take. */
  timeoutMs: number
}

/** A function in place of a destination. */
export class HandlerDeliveries {
  /** Nothing is put anywhere. */
  readonly puts: PutsByFormat = sumOfPuts([], { lines: 0, payload: 0 })
  readonly #options: HandlerOptions
  readonly #context: HandlerDeliveryContext
  readonly #stop = new AbortController()
  /** Whose turn it is to begin calls: in the order of the segments, and one file's memory is enough. */
  readonly #turn = new Turn()
  /** By the segment's path, until its line is in the ledger. */
  readonly #progress = new Map<string, Promise<Progress>>()
  /** Settled when nothing is left of those that are over. */
  #discarded: Promise<unknown> = Promise.resolve()
  /** By the lane's directory. */
  readonly #left = new Map<string, Promise<Map<string, number[]>>>()

  constructor(
    options: HandlerOptions,
    callsMax: number,
    platform: Platform,
    observe: Observer,
    onTaken: HandlerDeliveryContext['onTaken'],
  ) {
    this.#options = options
    const { handler, timeoutMs, raw } = options
    this.#context = {
      platform,
      calls: new HandlerCalls(handler as Handler<unknown>, { callsMax, timeoutMs }, platform, observe),
      raw,
      bodies: new Budget(HELD_BYTES_MAX),
      onTaken,
      observe,
      signal: this.#stop.signal,
    }
  }

  /** Why no call gets through; undefined when one may. */
  get parked(): string | undefined {
    return this.#context.calls.stuck
  }

  get calls(): CallCounts {
    return this.#context.calls.counts
  }

  /** Delivers a segment, however often it takes. Never rejects. */
  async deliver(segment: SealedSegment): Promise<Delivered> {
    const { platform, observe, signal } = this.#context
    while (!signal.aborted) {
      const leave = await this.#turn.take()
      try {
        const progress = await this.#progressOf(segment)
        return await new HandlerDelivery(segment.path, progress, this.#context).run(leave)
      } catch (error) {
        leave()
        observe({ kind: 'delivery-crash', reason: (error as Error).message })
        await platform.clock.sleep(CRASH_PAUSE_MS, signal)
      }
    }
    return { kind: 'stopped' }
  }

  /** What became of a segment is in the ledger. */
  over({ path }: SealedSegment): void {
    const progress = this.#progress.get(path)
    this.#progress.delete(path)
    const discarded = progress?.then((known) => known.discard())
    this.#discarded = Promise.allSettled([this.#discarded, discarded])
  }

  /** Ends all calls, and keeps how far each segment has come. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the server stops'))
    await this.#context.calls.stop()
    for (const opening of this.#progress.values()) {
      const progress = await opening.catch(() => undefined)
      await progress?.save()
      await progress?.close()
    }
    await this.#discarded
  }

  #progressOf(segment: SealedSegment): Promise<Progress> {
    const known = this.#progress.get(segment.path)
    if (known) return known
    const opening = this.#open(segment)
    this.#progress.set(segment.path, opening)
    opening.catch(() => this.#progress.delete(segment.path))
    return opening
  }

  async #open({ path, number, tag }: SealedSegment): Promise<Progress> {
    const { platform, observe, signal } = this.#context
    const directory = dirname(path)
    const name = progressName(number, tag)
    const left = await this.#leftIn(directory)
    const file = new ProgressFile(platform.files, directory, name, left.get(name) ?? [])
    const progress = new Progress(this.#options.batch, file, await file.read(), platform, observe, signal)
    left.delete(name)
    return progress
  }

  #leftIn(laneDirectory: string): Promise<Map<string, number[]>> {
    const known = this.#left.get(laneDirectory)
    if (known) return known
    const looking = leftProgress(this.#context.platform.files, laneDirectory)
    this.#left.set(laneDirectory, looking)
    looking.catch(() => this.#left.delete(laneDirectory))
    return looking
  }
}
