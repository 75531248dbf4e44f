/** Delivers one sealed segment: reads its records, encodes them as objects, and puts each until it is stored. */

import type { OutgoingObject } from '../destination/destination.ts'
import type { SealedSegment } from '../journal/journal.ts'
import type { ObjectFormat, SegmentHeader } from '../journal/layout.ts'
import { parseSegmentPath, receiptPrefix, sentPath } from '../journal/name.ts'
import { readHeader, readPieces } from '../journal/reader.ts'
import { readRecord, readRecords, recordBytes, type StoredRecord } from '../journal/record.ts'
import type { DeadLetter, LedgerObject, SegmentOutcome } from '../observe/ledger-entry.ts'
import type { OpenFile } from '../platform/files.ts'
import type { DeliveryContext } from './delivery-context.ts'
import { Letters } from './letters.ts'
import { objectName } from './object-name.ts'
import { OpenObject } from './open-object.ts'
import { putUntilStored, type Trouble } from './patience.ts'
import { PayloadObjects } from './payload-objects.ts'
import { PutProgress } from './put-progress.ts'
import type { There } from './taken.ts'

const HOUR_MS = 3_600_000
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

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

/** Delivers a segment; with rests between stretches of its work, where it `mayRest` (see `Pace`). */
export type Deliver = (segment: SealedSegment, mayRest: boolean) => Promise<Delivered>

/** Delivers the sealed segment at `path`. Rejects only on a fault of this machine's disk or a bug; it may be repeated. */
export async function deliver(
  path: string,
  context: DeliveryContext,
  onTrouble: (trouble: Trouble) => void,
  mayRest = false,
): Promise<Delivered> {
  const file = await context.platform.files.open(path, 'read')
  try {
    return await new Delivery(path, file, context, onTrouble, mayRest).run()
  } finally {
    await file.close()
  }
}

class Delivery {
  readonly #path: string
  readonly #file: OpenFile
  readonly #context: DeliveryContext
  readonly #onTrouble: (trouble: Trouble) => void
  readonly #mayRest: boolean
  /** Where each payload is an object of its own. */
  #payloadObjects: PayloadObjects | undefined
  /** By source and hour. A segment of a few seconds has one, or two around a full hour, for each source. */
  readonly #open = new Map<string, OpenObject>()
  readonly #stored: LedgerObject[] = []
  readonly #letters: Letters
  #payloads = 0
  #bytes = 0
  /**
   * How many objects of a source and hour were begun. Each counts by itself: a last frame that is there at one delivery
   * and gone at the next (its sync had failed, nobody was promised it) renames no other's objects.
   */
  readonly #parts = new Map<string, number>()
  #leaveTurn = () => {}

  constructor(
    path: string,
    file: OpenFile,
    context: DeliveryContext,
    onTrouble: (trouble: Trouble) => void,
    mayRest: boolean,
  ) {
    this.#path = path
    this.#file = file
    this.#context = context
    this.#letters = new Letters(path, context.platform, context.observe)
    this.#onTrouble = onTrouble
    this.#mayRest = mayRest
  }

  async run(): Promise<Delivered> {
    await this.#takeTurn()
    try {
      const header = await readHeader(this.#file, this.#path)
      // Recovery has refused newer versions, so that this header is damaged or another's: the whole file is set aside.
      if (header.kind === 'misplaced') this.#letters.lost(`its header is that of ${header.of}`)
      if (header.kind !== 'header') await this.#letters.setAside(this.#file, 0, await this.#file.size())
      else if (!(await this.#deliverPieces(header.header))) return { kind: 'stopped' }
      const format = header.kind === 'header' ? header.header.format : 'lines'
      const own = this.#payloadObjects
      const objects = own?.list() ?? this.#stored
      const payloads = own?.payloads ?? this.#payloads
      return { kind: 'stored', format, objects, payloads, bytes: this.#bytes, letters: this.#letters.list }
    } finally {
      this.#payloadObjects?.abandon()
      this.#leaveTurn()
    }
  }

  async #deliverPieces(header: SegmentHeader): Promise<boolean> {
    this.#context.lines.begin(receiptPrefix(header))
    if (header.format === 'payload') {
      const { destinationKey, platform } = this.#context
      const own = { segmentPath: this.#path, tag: header.tag, destinationKey }
      const progress = await PutProgress.find(platform.files, own)
      this.#payloadObjects = new PayloadObjects(header, { ...this.#patience(header), progress })
    }
    for await (const piece of readPieces(this.#file, parseSegmentPath(this.#path)?.state ?? 'open')) {
      if (piece.kind === 'lost') this.#letters.lost(piece.reason)
      else if (piece.kind !== 'frame') await this.#letters.setAside(this.#file, piece.offset, piece.bytes)
      else if (piece.header.kind === 'records') {
        const { firstRecord } = piece.header
        const isDone = this.#payloadObjects
          ? await this.#putAlone(this.#payloadObjects, header, piece.body, firstRecord)
          : await this.#encode(header, piece.body, firstRecord)
        if (!isDone) return false
      }
    }
    if (this.#payloadObjects) {
      // Others encode while the last of these are on their way.
      this.#leaveTurn()
      return await this.#payloadObjects.end()
    }
    for (const [key, object] of this.#open) {
      if (!(await this.#finish(header, key, object))) return false
    }
    return true
  }

  /** Makes the lines of a frame's records, and objects of them. False when told to stop. */
  async #encode(header: SegmentHeader, frame: Buffer, firstRecord: number): Promise<boolean> {
    const { lines } = this.#context
    lines.load(frame, 0, firstRecord, 0)
    /** Of the records that are being encoded: their first, and the source and hour of their object. */
    let group: { first: StoredRecord; key: string } | undefined
    for (;;) {
      const begun = group === undefined ? undefined : this.#open.get(group.key)
      const status = lines.run(begun?.encoder.bytes ?? 0, header.objectBytesMax)
      this.#bytes += lines.recordBytes
      // An object hears of a run without a line, too: the record of a long payload may have ended in it, or be all of it.
      const isHeard = begun !== undefined || lines.output.length > 0 || status === 'long_payload'
      if (group !== undefined && isHeard) {
        const object = begun ?? this.#openObject(header, group)
        object.hasMade ||= group.first.kind === 'made'
        await object.add(lines)
        if (status === 'long_payload') await object.addLong(lines, frame)
        if (object.encoder.bytes >= header.objectBytesMax) {
          const { position, place, index, loads } = lines
          if (!(await this.#finish(header, group.key, object))) return false
          if (lines.loads === loads) continue
          // Others had their turn meanwhile: the frame is this delivery's own, the memory for lines is not.
          lines.resume(receiptPrefix(header))
          lines.load(frame, position, place, index)
          group = undefined
          continue
        }
      }
      if (this.#mayRest) await this.#context.pace.rest()
      if (status === 'frame_done') return true
      if (status === 'new_group') {
        const first = readRecord(frame, lines.position)
        group = { first, key: `${first.source}/${Math.floor(first.receivedAtMs / HOUR_MS)}` }
        lines.group(first)
      } else if (status === 'misfit') {
        const { position, place } = lines
        const record = readRecord(frame, position)
        if (lines.widen(record)) {
          lines.load(frame, position, place, 0)
        } else {
          const reason = lines.misfit(record) ?? 'its lines can not be made'
          await this.#letters.bury(receiptPrefix(header) + place, place, record, { reason })
          lines.load(frame, position + recordBytes(record), place + 1, 0)
        }
        group = undefined
      }
    }
  }

  /** Puts each payload of a frame's records as an object of its own. False when told to stop. */
  async #putAlone(
    objects: PayloadObjects,
    header: SegmentHeader,
    frame: Buffer,
    firstRecord: number,
  ): Promise<boolean> {
    const { lines } = this.#context
    let place = firstRecord
    for (const record of readRecords(frame)) {
      const misfit = lines.misfit(record)
      if (misfit !== undefined) {
        await this.#letters.bury(receiptPrefix(header) + place, place, record, { reason: misfit })
      } else {
        this.#bytes += recordBytes(record)
        if (!(await objects.add(place, record, lines))) return false
      }
      place += 1
    }
    return true
  }

  #openObject(header: SegmentHeader, { first, key }: { first: StoredRecord; key: string }): OpenObject {
    const { compress, chunks } = this.#context
    const partition = { source: first.source, receivedAtMs: first.receivedAtMs }
    const object = new OpenObject(partition, compress(header.compression), chunks)
    this.#open.set(key, object)
    return object
  }

  /** Ends an object and puts it until it is stored; others encode meanwhile. False when told to stop. */
  async #finish(header: SegmentHeader, key: string, object: OpenObject): Promise<boolean> {
    this.#open.delete(key)
    if (!(await this.#put(header, key, object))) return false
    this.#context.garbage.add(this.#stored.at(-1)?.bytes ?? 0)
    // Only now, with nothing in hand that holds the object's bytes: the next turn may be many objects away.
    await this.#takeTurn()
    return true
  }

  async #takeTurn(): Promise<void> {
    const { turn, pace } = this.#context
    this.#leaveTurn = await turn.take()
    pace.begin()
  }

  /** Gives the turn away as soon as the object is encoded. */
  async #put(header: SegmentHeader, key: string, object: OpenObject): Promise<boolean> {
    const { encoder, partition } = object
    const { body, sha256, release } = await encoder.end()
    const part = this.#parts.get(key) ?? 0
    this.#parts.set(key, part + 1)
    const name = objectName(header, partition, part)
    await this.#context.bodies.take(body.length)
    this.#leaveTurn()
    let there: There | undefined
    try {
      const outgoing: OutgoingObject = {
        name,
        body,
        sha256,
        contentType: 'application/x-ndjson',
        contentEncoding: header.compression === 'none' ? undefined : header.compression,
        sentPath: sentPath(this.#path),
      }
      there = await putUntilStored(outgoing, this.#patience(header))
    } finally {
      this.#context.bodies.give(body.length)
    }
    // A put that was given up may still be at it.
    if (!there) return false
    release()
    const { linesBeyond, sha256: sha256There, ...rest } = there
    const stored = { name, ...rest, sha256: hex(sha256There), lines: encoder.payloads, runs: object.runs() }
    const more = { ...(linesBeyond > 0 && { linesBeyond }), ...(object.hasMade && { hasMade: true as const }) }
    this.#stored.push({ ...stored, ...more })
    this.#payloads += encoder.payloads
    return true
  }

  #patience({ format }: SegmentHeader) {
    const { clock, random } = this.#context.platform
    return { ...this.#context, clock, random, format, limit: this.#context.limits[format], onTrouble: this.#onTrouble }
  }
}
