/** Delivers one sealed segment: reads its records, encodes them as objects, and puts each until it is stored. */

import type { SealedSegment } from '../journal/journal.ts'
import type { ObjectFormat, SegmentHeader } from '../journal/layout.ts'
import { parseSegmentPath, receiptPrefix, sentPath } from '../journal/name.ts'
import { readHeader, readPieces } from '../journal/reader.ts'
import { readRecords, recordBytes } from '../journal/record.ts'
import type { DeadLetter, LedgerObject, SegmentOutcome } from '../observe/ledger-entry.ts'
import type { OpenFile } from '../platform/files.ts'
import { BySource, type RecordFrame } from './by-source.ts'
import type { DeliveryContext } from './delivery-context.ts'
import { HURRIED } from './hurry.ts'
import { Letters } from './letters.ts'
import { type Halt, LineObjects, type LinePuts } from './line-objects.ts'
import { LINES_RESTS, PAYLOAD_RESTS } from './pace.ts'
import { parkedPauseMs, type Trouble } from './patience.ts'
import { PayloadObjects } from './payload-objects.ts'
import { PutProgress } from './put-progress.ts'
import { Seat } from './seat.ts'

/** What became of a segment: all of it is stored, or the delivery was told to stop before that. */
export type Delivered =
  | {
      kind: 'stored'
      format: ObjectFormat | 'handled'
      objects: LedgerObject[]
      /** In those objects. */
      payloads: number
      /** Of records in those objects. */
      bytes: number
      letters: DeadLetter[]
      read?: SegmentOutcome['read']
    }
  | { kind: 'stopped' }

/** Delivers a segment; with rests between stretches of its work, until `hurry` is aborted (see `Pace`). */
export type Deliver = (segment: SealedSegment, hurry: AbortSignal) => Promise<Delivered>

/** Delivers the sealed segment at `path`. Rejects only on a fault of this machine's disk or a bug; it may be repeated. */
export async function deliver(
  path: string,
  context: DeliveryContext,
  onTrouble: (trouble: Trouble) => void,
  hurry = HURRIED,
): Promise<Delivered> {
  const file = await context.platform.files.open(path, 'read')
  try {
    return await new Delivery(path, file, context, onTrouble, hurry).run()
  } finally {
    await file.close()
  }
}

class Delivery {
  readonly #path: string
  readonly #file: OpenFile
  readonly #context: DeliveryContext
  readonly #onTrouble: (trouble: Trouble) => void
  readonly #seat: Seat
  readonly #letters: Letters

  constructor(
    path: string,
    file: OpenFile,
    context: DeliveryContext,
    onTrouble: (trouble: Trouble) => void,
    hurry: AbortSignal,
  ) {
    this.#path = path
    this.#file = file
    this.#context = context
    this.#letters = new Letters(path, context.platform, context.observe)
    this.#onTrouble = onTrouble
    this.#seat = new Seat(context, hurry)
  }

  async run(): Promise<Delivered> {
    await this.#seat.take()
    try {
      const header = await readHeader(this.#file, this.#path)
      // Recovery has refused newer versions, so that this header is damaged or another's: the whole file is set aside.
      if (header.kind === 'misplaced') this.#letters.lost(`its header is that of ${header.of}`)
      if (header.kind === 'header') return await this.#deliver(header.header)
      await this.#letters.setAside(this.#file, 0, await this.#file.size())
      return { kind: 'stored', format: 'lines', objects: [], payloads: 0, bytes: 0, letters: this.#letters.list }
    } finally {
      this.#seat.leave()
    }
  }

  async #deliver(header: SegmentHeader): Promise<Delivered> {
    this.#context.lines.begin(receiptPrefix(header))
    if (header.format === 'payload') return await this.#deliverPayloads(header)
    return (await this.#deliverAsTheyCame(header)) ?? (await this.#deliverBySource(header))
  }

  /** Each payload as an object of its own. */
  async #deliverPayloads(header: SegmentHeader): Promise<Delivered> {
    const { destinationKey, platform } = this.#context
    const own = { segmentPath: this.#path, tag: header.tag, destinationKey }
    const progress = await PutProgress.find(platform.files, own)
    const objects = new PayloadObjects(header, { ...this.#patience(header), progress })
    try {
      let bytes = 0
      for await (const { body, firstRecord } of this.#frames(PAYLOAD_RESTS)) {
        let place = firstRecord
        for (const record of readRecords(body)) {
          const { lines } = this.#context
          const misfit = lines.misfit(record)
          if (misfit !== undefined) {
            await this.#letters.bury(receiptPrefix(header) + place, place, record, { reason: misfit })
          } else {
            bytes += recordBytes(record)
            if (!(await objects.add(place, record, lines))) return { kind: 'stopped' }
          }
          place += 1
        }
      }
      // Others encode while the last of these are on their way.
      this.#seat.leave()
      return (await objects.end()) ? this.#stored(header, objects, bytes) : { kind: 'stopped' }
    } finally {
      objects.abandon()
    }
  }

  /** Lines in the order of the records; undefined when those are too mixed for that. */
  async #deliverAsTheyCame(header: SegmentHeader): Promise<Delivered | undefined> {
    const objects = new LineObjects(header, this.#linePuts(header), 'as-they-came')
    try {
      for await (const { body, firstRecord } of this.#frames()) {
        const added = await objects.add(body, firstRecord)
        if (added === 'mixed') return undefined
        if (added !== 'done') return { kind: 'stopped' }
      }
      const closed = await objects.close()
      // Others encode while the last of these are on their way.
      this.#seat.leave()
      const isStored = closed === 'done' && (await objects.end()) === 'done'
      return isStored ? this.#stored(header, objects, objects.bytes) : { kind: 'stopped' }
    } finally {
      objects.abandon()
    }
  }

  /** Lines source by source, as often as it takes. What of them is stored already is put again under the same names, and found there. */
  async #deliverBySource(header: SegmentHeader): Promise<Delivered> {
    const { clock, random } = this.#context.platform
    for (let attempt = 1; ; attempt++) {
      const delivered = await this.#tryBySource(header)
      if (delivered) return delivered
      await clock.sleep(parkedPauseMs(random, attempt), this.#context.signal)
      if (this.#context.signal.aborted) return { kind: 'stopped' }
    }
  }

  /** Undefined when too many objects are in trouble of their own, for nobody knows how long: nothing is held meanwhile. */
  async #tryBySource(header: SegmentHeader): Promise<Delivered | undefined> {
    const objects = new LineObjects(header, this.#linePuts(header), 'by-source')
    try {
      const sorted = await this.#sortInto(objects, header)
      // Others encode while the last of these are on their way.
      this.#seat.leave()
      const ended = sorted === 'done' ? await objects.end() : sorted
      if (ended === 'blocked') return undefined
      return ended === 'done' ? this.#stored(header, objects, objects.bytes) : { kind: 'stopped' }
    } finally {
      objects.abandon()
    }
  }

  async #sortInto(objects: LineObjects, header: SegmentHeader): Promise<'done' | Halt> {
    const { lines, sorting } = this.#context
    // Nobody waits for this in its turn: whoever sorts needs one to go on.
    this.#seat.leave()
    await sorting.take(1)
    try {
      await this.#seat.take()
      lines.begin(receiptPrefix(header))
      const records = new BySource()
      for await (const { body } of this.#frames()) records.count(body)
      for await (const piece of records.pieces(() => this.#frames())) {
        const added = await objects.add(piece)
        if (added === 'stopped' || added === 'blocked') return added
      }
      return await objects.close()
    } finally {
      sorting.give(1)
    }
  }

  /** Whole frames of records. What is none is told of. */
  async *#frames(rests = LINES_RESTS): AsyncGenerator<RecordFrame> {
    for await (const piece of readPieces(this.#file, parseSegmentPath(this.#path)?.state ?? 'open')) {
      if (piece.kind === 'lost') this.#letters.lost(piece.reason)
      else if (piece.kind !== 'frame') await this.#letters.setAside(this.#file, piece.offset, piece.bytes)
      else if (piece.header.kind === 'records') yield { body: piece.body, firstRecord: piece.header.firstRecord }
      const rest = this.#seat.rest(rests)
      if (rest) await rest
    }
  }

  #stored({ format }: SegmentHeader, objects: LineObjects | PayloadObjects, bytes: number): Delivered {
    const { payloads } = objects
    return { kind: 'stored', format, objects: objects.list(), payloads, bytes, letters: this.#letters.list }
  }

  #linePuts(header: SegmentHeader): LinePuts {
    return { ...this.#patience(header), seat: this.#seat, letters: this.#letters, sentPath: sentPath(this.#path) }
  }

  #patience({ format }: SegmentHeader) {
    const { clock, random } = this.#context.platform
    return { ...this.#context, clock, random, format, limit: this.#context.limits[format], onTrouble: this.#onTrouble }
  }
}
