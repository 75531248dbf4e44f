/** Objects of format `lines`: the payloads of one source and hour each, a line for each of them. */

import type { OutgoingObject } from '../destination/destination.ts'
import type { SegmentHeader } from '../journal/layout.ts'
import { receiptPrefix } from '../journal/name.ts'
import { readRecord, recordBytes, type StoredRecord } from '../journal/record.ts'
import type { LedgerObject } from '../observe/ledger-entry.ts'
import type { DeliveryContext } from './delivery-context.ts'
import type { Letters } from './letters.ts'
import { type Flow, ManyPuts } from './many-puts.ts'
import { objectName, partitionKey } from './object-name.ts'
import { OpenObject } from './open-object.ts'
import { LINES_RESTS } from './pace.ts'
import type { PatienceContext } from './patience.ts'
import type { Seat } from './seat.ts'

/**
 * Of objects of a segment that has one for each of its sources: from 32 to 64 are on their way. Of 20 payloads each, they take
 * 144 us of CPU begun one by one, and 120 so.
 */
const MANY: Flow = { underWayMax: 64, together: 32, togetherBytes: 256 * 1024 }
/** Of others: one is made while another is on its way. */
const FEW: Flow = { underWayMax: 1, together: 1, togetherBytes: 0 }
/** With so many of them in trouble of their own, others have their turn at being put in order. */
const ALONE_MAX = 16
/** So many bytes of those that are left wait for as long as it takes; with more the segment waits without any. */
const LEFT_BYTES_MAX = 1 << 20
/** A segment of more is mixed: it has so many open at once where its records stand as they came. */
const OPEN_MAX = 4
/** So is one whose records change so often from one object to another: each time costs as much as some lines. */
const CHANGES_MAX = 1000

/** What making and putting them needs. */
export interface LinePuts
  extends PatienceContext,
    Pick<DeliveryContext, 'bodies' | 'chunks' | 'compress' | 'garbage' | 'lines'> {
  seat: Seat
  letters: Letters
  sentPath: string
}

/** How the records come: as they stand in the segment, or those of each source and hour together. */
export type Order = 'as-they-came' | 'by-source'

/** The records that are being encoded: their first, and the source and hour of their object. */
interface Group {
  first: StoredRecord
  key: string
}

/** Why nothing goes on: told to stop, or too many objects are in trouble of their own: begin anew, later. */
export type Halt = 'stopped' | 'blocked'
/** How an object was finished in the middle of a frame: what `lines` had is as before, or loaded anew, or all is over. */
type Finished = 'lines-there' | 'lines-gone' | Halt

/** The objects of one segment. */
export class LineObjects {
  payloads = 0
  /** Of records in them. */
  bytes = 0
  readonly #header: SegmentHeader
  readonly #context: LinePuts
  readonly #order: Order
  readonly #puts: ManyPuts
  /** By source and hour. */
  readonly #open = new Map<string, OpenObject>()
  /** In the order in which they were finished. */
  readonly #stored: LedgerObject[] = []
  #finished = 0
  /** Of those on their way. */
  #bodyBytes = 0
  /** Of those that are stored since memory was last told of it. */
  #leftBytes = 0
  /** How often a record belonged to another object than the one before. */
  #changes = 0
  #lastKey: string | undefined
  /**
   * How many objects of a source and hour were begun. Each counts by itself: a last frame that is there at one delivery
   * and gone at the next (its sync had failed, nobody was promised it) renames no other's objects.
   */
  readonly #parts = new Map<string, number>()

  constructor(header: SegmentHeader, context: LinePuts, order: Order) {
    this.#header = header
    this.#context = context
    this.#order = order
    this.#puts = new ManyPuts(context, order === 'by-source' && !context.destination.isOneByOne ? MANY : FEW)
  }

  /**
   * Makes the lines of a frame's records, and objects of them. `mixed` when records would better come by source: all of
   * the segment once more, to objects of its own.
   */
  async add(frame: Buffer, firstRecord = 0): Promise<'done' | 'mixed' | Halt> {
    const { lines, seat } = this.#context
    lines.load(frame, 0, this.#orHeld(firstRecord), 0)
    let group: Group | undefined
    for (;;) {
      const begun = group === undefined ? undefined : this.#open.get(group.key)
      const status = lines.run(begun?.encoder.bytes ?? 0, this.#header.objectBytesMax)
      this.bytes += lines.recordBytes
      // An object hears of a run without a line, too: the record of a long payload may have ended in it, or be all of it.
      const isHeard = begun !== undefined || lines.output.length > 0 || status === 'long_payload'
      if (group !== undefined && isHeard) {
        const object = begun ?? this.#begin(group)
        object.hasMade ||= group.first.kind === 'made'
        await object.add(lines)
        if (status === 'long_payload') await object.addLong(lines, frame)
        if (object.encoder.bytes >= this.#header.objectBytesMax) {
          const finished = await this.#finishWithin(frame, group.key, object)
          if (isHalt(finished)) return finished
          if (finished === 'lines-gone') group = undefined
          continue
        }
      }
      const rest = seat.rest(LINES_RESTS)
      if (rest) await rest
      if (status === 'frame_done') return 'done'
      if (status === 'new_group') {
        const first = readRecord(frame, lines.position)
        const key = partitionKey(first)
        if (this.#order === 'as-they-came' && this.#isMixedWith(key)) return 'mixed'
        const finished = await this.#finishOther(frame, key)
        if (isHalt(finished)) return finished
        group = finished === 'lines-gone' ? undefined : { first, key }
        if (group) lines.group(first)
      } else if (status === 'misfit') {
        await this.#passOver(frame)
        group = undefined
      }
    }
  }

  /** There are no more records. Nothing needs the turn any more: to wait for another one would only be to give it back. */
  async close(): Promise<'done' | Halt> {
    for (const [key, object] of this.#open) {
      const isLast = this.#open.size === 1
      const finished = isLast ? await this.#beginPut(key, object) : await this.#finish(key, object)
      if (finished !== 'done') return finished
    }
    return 'done'
  }

  /** Waits until all of them are stored. */
  async end(): Promise<'done' | Halt> {
    let are = await this.#puts.fewerThan(1, this.#order === 'by-source' ? ALONE_MAX : undefined)
    if (are === 'blocked' && this.#bodyBytes <= LEFT_BYTES_MAX) are = await this.#puts.fewerThan(1)
    this.#sweep()
    return are === 'fewer' ? 'done' : are
  }

  /** What stored objects have left behind can go. */
  #sweep(): void {
    if (this.#leftBytes > 0) this.#context.garbage.add(this.#leftBytes)
    this.#leftBytes = 0
  }

  /** Nobody waits for them any longer. */
  abandon(): void {
    this.#puts.abandon()
    for (const object of this.#open.values()) object.abandon()
    this.#open.clear()
  }

  /** For the ledger. */
  list(): LedgerObject[] {
    return this.#stored
  }

  /** Whether records change from one object to another so much, now that the next one's is `key`. */
  #isMixedWith(key: string): boolean {
    if (key !== this.#lastKey) this.#changes += 1
    this.#lastKey = key
    return this.#open.size > OPEN_MAX || this.#changes > CHANGES_MAX
  }

  #begin({ first, key }: Group): OpenObject {
    const { compress, chunks } = this.#context
    const partition = { source: first.source, receivedAtMs: first.receivedAtMs }
    const object = new OpenObject(partition, compress(this.#header.compression), chunks)
    this.#open.set(key, object)
    return object
  }

  /** The record that `lines` stopped at has more payloads than they had room for, or is none that lines can be made of. */
  async #passOver(frame: Buffer): Promise<void> {
    const { lines, letters } = this.#context
    const { position, place } = lines
    const record = readRecord(frame, position)
    if (lines.widen(record)) return lines.load(frame, position, this.#orHeld(place), 0)
    const reason = lines.misfit(record) ?? 'its lines can not be made'
    await letters.bury(receiptPrefix(this.#header) + place, place, record, { reason })
    lines.load(frame, position + recordBytes(record), this.#orHeld(place + 1), 0)
  }

  /** By source, records hold their places. */
  #orHeld(place: number): number | 'held' {
    return this.#order === 'by-source' ? 'held' : place
  }

  /** By source, an object gets no more once a record is another's than `key`. */
  async #finishOther(frame: Buffer, key: string): Promise<Finished> {
    if (this.#order === 'as-they-came') return 'lines-there'
    for (const [last, object] of this.#open) {
      if (last !== key) return await this.#finishWithin(frame, last, object)
    }
    return 'lines-there'
  }

  /** Ends an object in the middle of a frame. */
  async #finishWithin(frame: Buffer, key: string, object: OpenObject): Promise<Finished> {
    const { lines } = this.#context
    const { position, place, index, loads } = lines
    const finished = await this.#finish(key, object)
    if (finished !== 'done') return finished
    if (lines.loads === loads) return 'lines-there'
    // Others had their turn meanwhile: the frame is this delivery's own, the memory for lines is not.
    lines.resume(receiptPrefix(this.#header))
    lines.load(frame, position, this.#orHeld(place), index)
    return 'lines-gone'
  }

  /** Ends an object and begins to put it; others encode while as many are on their way as may be. */
  async #finish(key: string, object: OpenObject): Promise<'done' | Halt> {
    const { seat } = this.#context
    const begun = await this.#beginPut(key, object)
    if (begun !== 'done') return begun
    if (!this.#puts.isFull) return 'done'
    seat.leave()
    const are = await this.#puts.room(this.#order === 'by-source' ? ALONE_MAX : undefined)
    if (are !== 'fewer') return are
    // Only now, with nothing in hand that holds the object's bytes: the next turn may be many objects away.
    this.#sweep()
    await seat.take()
    return 'done'
  }

  async #beginPut(key: string, object: OpenObject): Promise<'done' | Halt> {
    const { bodies, sentPath } = this.#context
    const { compression } = this.#header
    this.#open.delete(key)
    const { body, sha256, release } = await object.encoder.end()
    const part = this.#parts.get(key) ?? 0
    this.#parts.set(key, part + 1)
    const outgoing: OutgoingObject = {
      name: objectName(this.#header, object.partition, part),
      body,
      sha256,
      contentType: 'application/x-ndjson',
      contentEncoding: compression === 'none' ? undefined : compression,
      sentPath,
    }
    const { length } = body
    const room = await this.#roomFor(length)
    if (room !== 'done') return room
    this.#bodyBytes += length
    const nth = this.#finished
    this.#finished += 1
    this.#puts.start(outgoing, (there) => {
      bodies.give(length)
      this.#bodyBytes -= length
      // A put that was given up may still be at it.
      if (!there) return
      release()
      this.#leftBytes += there.bytes
      this.#stored[nth] = object.inLedger(outgoing.name, there)
      this.payloads += object.encoder.payloads
    })
    return 'done'
  }

  /** Waits until a body may be held, in turn: so many finished ones there may be, and no more are made meanwhile. */
  async #roomFor(bytes: number): Promise<'done' | Halt> {
    const { bodies } = this.#context
    while (!bodies.takeNow(bytes)) {
      const { underWay } = this.#puts
      // Others have the rest, and will give it back.
      if (underWay === 0) await bodies.take(bytes)
      if (underWay === 0) return 'done'
      const are = await this.#puts.fewerThan(underWay, ALONE_MAX)
      if (are !== 'fewer') return are
    }
    return 'done'
  }
}

function isHalt(finished: Finished): finished is Halt {
  return finished === 'stopped' || finished === 'blocked'
}
