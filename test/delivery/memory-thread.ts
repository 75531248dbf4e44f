/** A delivery thread in memory: a destination that keeps what it is given, and segments on a disk made for a test. */

import { ChunkPool } from '../../src/delivery/chunk-pool.ts'
import { createCompressor } from '../../src/delivery/compressor.ts'
import { createDecompressor } from '../../src/delivery/decompressor.ts'
import { deliver } from '../../src/delivery/deliver.ts'
import type { DeliveryContext } from '../../src/delivery/delivery-context.ts'
import { CHUNK_BYTES } from '../../src/delivery/encode.ts'
import { Lines } from '../../src/delivery/lines.ts'
import { Pace } from '../../src/delivery/pace.ts'
import { Parking } from '../../src/delivery/parking.ts'
import type { Trouble } from '../../src/delivery/patience.ts'
import { PutGauges } from '../../src/delivery/put-gauges.ts'
import { PutLimit } from '../../src/delivery/put-limit.ts'
import { Budget, Turn } from '../../src/delivery/turn.ts'
import type { Found, OutgoingObject, PutOutcome } from '../../src/destination/destination.ts'
import type { NewRecord } from '../../src/journal/journal.ts'
import type { SegmentHeader } from '../../src/journal/layout.ts'
import type { Event } from '../../src/observe/events.ts'
import { Garbage } from '../../src/platform/garbage.ts'
import { HEADER, segmentOf, valueRecord } from '../journal/segment-files.ts'
import { MemoryFiles } from '../memory-files.ts'
import { memoryPlatform } from '../memory-platform.ts'
import type { WholeObject } from '../objects.ts'

/** The lane's directory in these tests. */
export const LANE = 'data/lane-0'

/** How much of an object is read at once: little, so that a line is in many pieces. */
const PIECE_BYTES = 7

/** Where the segment of a number is. */
export const pathOf = (number: number) => `${LANE}/${`${number}`.padStart(16, '0')}.sealed`

/** A destination that notes what it is given and answers as told; it keeps the first object of each name. */
export class Store {
  readonly url = 'test:'
  isOneByOne?: true
  readonly puts: string[] = []
  readonly objects = new Map<string, WholeObject>()
  underWay = 0
  bytes = 0
  bytesMost = 0
  answer: (object: OutgoingObject, put: number) => PutOutcome | Promise<PutOutcome> = () => ({
    kind: 'stored',
    already: false,
  })

  async put(object: OutgoingObject): Promise<PutOutcome> {
    this.puts.push(object.name)
    this.underWay += 1
    this.bytes += object.body.length
    this.bytesMost = Math.max(this.bytesMost, this.bytes)
    const outcome = await this.answer(object, this.puts.length)
    this.underWay -= 1
    this.bytes -= object.body.length
    if (outcome.kind === 'stored' && !this.objects.has(object.name)) {
      this.objects.set(object.name, { ...object, body: Buffer.concat(object.body.pieces) })
    }
    return outcome
  }

  async read(name: string, take: (piece: Uint8Array) => void | Promise<void>): Promise<Found> {
    const body = this.objects.get(name)?.body
    if (!body) return { kind: 'missing' }
    for (let from = 0; from < body.length; from += PIECE_BYTES) await take(body.subarray(from, from + PIECE_BYTES))
    return { kind: 'found', bytes: body.length }
  }

  /** The lines of every object, by name. */
  lines(): Record<string, string[]> {
    const entries = [...this.objects].map(([name, { body }]) => [
      name,
      Buffer.from(body).toString().split('\n').slice(0, -1),
    ])
    return Object.fromEntries(entries)
  }
}

/** Has it answer as destinations do: a name that is taken stays as it is. */
export function takenWhereThere(store: Store): void {
  store.answer = ({ name }) => ({ kind: 'stored', already: store.objects.has(name) })
}

/** A thread's context over a machine in memory. */
export function contextOf(files: MemoryFiles, { seed = 1, bodyBytesMax = 1 << 25, putsMax = 8 } = {}) {
  const platform = memoryPlatform(seed, files)
  const destination = new Store()
  const events: Event[] = []
  const troubles: Trouble[] = []
  const stop = new AbortController()
  const gauges = new PutGauges()
  const context: DeliveryContext = {
    platform,
    destination,
    destinationKey: 'test',
    turn: new Turn(),
    sorting: new Budget(1),
    pace: new Pace(platform.clock),
    lines: new Lines(),
    garbage: new Garbage({ bytesMax: Number.POSITIVE_INFINITY }),
    compress: createCompressor,
    decompress: createDecompressor,
    chunks: new ChunkPool(CHUNK_BYTES, 2),
    bodies: new Budget(bodyBytesMax),
    puts: new Budget(putsMax),
    notePayloads: 256,
    limits: {
      lines: new PutLimit(platform.clock, 32, (now) => gauges.set('lines', now)),
      payload: new PutLimit(platform.clock, putsMax, (now) => gauges.set('payload', now)),
    },
    parking: new Parking(platform.clock),
    observe: (event) => events.push(event),
    signal: stop.signal,
  }
  const onTrouble = (trouble: Trouble) => void troubles.push(trouble)
  const run = (number = 1) => deliver(pathOf(number), context, onTrouble)
  const runResting = (number: number, hurry: AbortSignal) => deliver(pathOf(number), context, onTrouble, hurry)
  return { platform, store: destination, events, troubles, stop, context, gauges, run, runResting }
}

/** A disk with these segments, numbered from 1. */
export function filesWith(
  segments: readonly { header?: Partial<SegmentHeader>; frames: readonly (readonly NewRecord[])[] }[],
) {
  const files = new MemoryFiles()
  for (const [i, { header, frames }] of segments.entries()) {
    files.put(pathOf(i + 1), segmentOf({ ...HEADER, number: i + 1, ...header }, frames).sealed)
  }
  return files
}

/** A record of `count` payloads: the numbers from `first` on. */
export const array = (first: number, count: number, more: Partial<NewRecord> = {}) => {
  const values = Array.from({ length: count }, (_, i) => first + i)
  return valueRecord(JSON.stringify(values), { kind: 'array', payloads: count, ...more })
}
