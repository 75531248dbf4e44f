/** Deliveries to a function over a machine in memory: what it was given, in order, and how each call ends is a test's to say. */

import type { Delivered } from '../../src/delivery/deliver.ts'
import type { HandlerContext } from '../../src/delivery/handler.ts'
import { HandlerDeliveries, type HandlerOptions } from '../../src/delivery/to-handler.ts'
import type { SealedSegment } from '../../src/journal/journal.ts'
import type { Event } from '../../src/observe/events.ts'
import { HEADER } from '../journal/segment-files.ts'
import type { MemoryFiles } from '../memory-files.ts'
import { type MemoryPlatform, memoryPlatform, quiet } from '../memory-platform.ts'
import { pathOf } from './memory-thread.ts'

/** A call that was made. */
export interface Made extends HandlerContext {
  payloads: unknown[]
  /** `receipt-index`, short: the place and the index. */
  name: string
  hasEnded: boolean
  /** The function returns. */
  take(): void
  /** The function throws. */
  fail(error: unknown): void
}

/** The segment of a number, as the journal announces it. */
export const segmentAt = (number = 1): SealedSegment => {
  return { path: pathOf(number), number, tag: HEADER.tag, records: 0, payloads: 0, recordBytes: 0, bytes: 0 }
}

/** One process with a function. */
export class HandlerBench {
  readonly platform: MemoryPlatform
  readonly events: Event[] = []
  readonly made: Made[] = []
  readonly deliveries: HandlerDeliveries
  /** The places of records that were taken, all of them. */
  readonly taken: number[] = []
  mostAtOnce = 0
  /** What becomes of a call at once; without it, calls wait for the test. */
  answer: ((made: Made) => void) | undefined

  constructor(files: MemoryFiles, options: Partial<HandlerOptions & { callsMax: number }> = {}, seed = 1) {
    this.platform = memoryPlatform(seed, files)
    const { callsMax = 4, ...more } = options
    const handler = (payloads: unknown[], context: HandlerContext) => this.#call(payloads, context)
    const all = { handler, batch: 'record' as const, raw: false, timeoutMs: 60_000, ...more }
    this.deliveries = new HandlerDeliveries(
      all,
      callsMax,
      this.platform,
      (event) => this.events.push(event),
      (_path, place) => this.taken.push(place),
    )
  }

  /** Begins to deliver, and lets happen what happens without the clock. */
  async deliver(number = 1): Promise<{ outcome: () => Delivered | undefined }> {
    let outcome: Delivered | undefined
    void this.deliveries.deliver(segmentAt(number)).then((delivered) => {
      outcome = delivered
    })
    await quiet()
    return { outcome: () => outcome }
  }

  /** Calls that have not ended. */
  get open(): Made[] {
    return this.made.filter(({ hasEnded }) => !hasEnded)
  }

  get names(): string[] {
    return this.made.map(({ name }) => name)
  }

  #call(payloads: unknown[], context: HandlerContext): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const name = `${context.receipt.split('-').at(-1)}.${context.index}`
    const made: Made = {
      ...context,
      payloads,
      name,
      hasEnded: false,
      take() {
        made.hasEnded = true
        resolve()
      },
      fail(error) {
        made.hasEnded = true
        reject(error)
      },
    }
    this.made.push(made)
    this.mostAtOnce = Math.max(this.mostAtOnce, this.open.length)
    this.answer?.(made)
    return promise
  }
}
