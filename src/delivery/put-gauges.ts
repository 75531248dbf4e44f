/** What a thread's put limits say, in memory that it shares with the server: seen at any moment, without a message for each put. */

import type { ObjectFormat } from '../journal/layout.ts'
import type { PutCounts } from './put-limit.ts'

const FORMATS: readonly ObjectFormat[] = ['lines', 'payload']
const FIELDS = 3

/** By what an object holds. */
export type PutsByFormat = Record<ObjectFormat, PutCounts>

/** The counts of one thread. */
export class PutGauges {
  readonly memory: SharedArrayBuffer
  readonly #values: Int32Array<SharedArrayBuffer>

  /** Over memory that another thread has, or its own. */
  constructor(memory = new SharedArrayBuffer(FORMATS.length * FIELDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#values = new Int32Array(memory)
  }

  set(format: ObjectFormat, { inFlight, limit, throttled }: PutCounts): void {
    const at = FORMATS.indexOf(format) * FIELDS
    this.#values[at] = inFlight
    this.#values[at + 1] = limit
    this.#values[at + 2] = throttled
  }

  get(format: ObjectFormat): PutCounts {
    const at = FORMATS.indexOf(format) * FIELDS
    const [inFlight = 0, limit = 0, throttled = 0] = this.#values.subarray(at, at + FIELDS)
    return { inFlight, limit, throttled }
  }
}

/** All threads together. `throttledBefore` is what those had counted that are gone. */
export function sumOfPuts(
  all: readonly PutGauges[],
  throttledBefore: Readonly<Record<ObjectFormat, number>>,
): PutsByFormat {
  const of = (format: ObjectFormat): PutCounts => {
    const counts = { inFlight: 0, limit: 0, throttled: throttledBefore[format] }
    for (const gauges of all) {
      const { inFlight, limit, throttled } = gauges.get(format)
      counts.inFlight += inFlight
      counts.limit += limit
      counts.throttled += throttled
    }
    return counts
  }
  return { lines: of('lines'), payload: of('payload') }
}

/** How much of a number that all threads share is one thread's: at least 1. */
export function shareOf(total: number, threads: number, thread: number): number {
  return Math.max(1, Math.floor((total + threads - 1 - thread) / threads))
}
