/** Delivers one sealed segment to a function: its records in their order, as many at once as may be, until it has them all. */

import type { SegmentHeader } from '../journal/layout.ts'
import { parseSegmentPath, receiptPrefix } from '../journal/name.ts'
import { readHeader, readPieces } from '../journal/reader.ts'
import { readRecords, recordBytes, type StoredRecord } from '../journal/record.ts'
import type { Observer } from '../observe/events.ts'
import type { OpenFile } from '../platform/files.ts'
import type { Platform } from '../platform/platform.ts'
import type { Death } from './dead-letter.ts'
import type { Delivered } from './deliver.ts'
import type { Call, HandlerCalls } from './handler-calls.ts'
import { type HeldRecord, holdRecord } from './held-record.ts'
import { Letters } from './letters.ts'
import type { Progress } from './progress.ts'
import { Ranges } from './ranges.ts'
import type { Budget } from './turn.ts'

/** The pause before a dead record that could not be written is written again. */
const AGAIN_PAUSE_MS = 1000

/** What deliveries to a function work with; they all share one. */
export interface HandlerDeliveryContext {
  platform: Platform
  calls: HandlerCalls
  /** Whether payloads are given as the texts that were posted. */
  raw: boolean
  /** The bytes of records in hand. */
  bodies: Budget
  /** Hears of every record that was taken, all of it. */
  onTaken: (segmentPath: string, place: number) => void
  observe: Observer
  signal: AbortSignal
}

/** One segment, once. */
export class HandlerDelivery {
  readonly #path: string
  readonly #progress: Progress
  readonly #context: HandlerDeliveryContext
  readonly #letters: Letters
  readonly #read = new Ranges()
  #payloads = 0
  #bytes = 0
  /** Records in hand. */
  #held = 0
  #wake = () => {}

  constructor(path: string, progress: Progress, context: HandlerDeliveryContext) {
    this.#path = path
    this.#progress = progress
    this.#context = context
    this.#letters = new Letters(path, context.platform, context.observe)
  }

  /**
   * Has the turn, and leaves it when all calls have begun. Rejects only on a fault of this machine's disk or a bug, and with
   * nothing in hand: it may be repeated.
   */
  async run(leave: () => void): Promise<Delivered> {
    const { signal, platform } = this.#context
    try {
      const file = await platform.files.open(this.#path, 'read')
      try {
        await this.#begin(file)
      } finally {
        await file.close()
      }
    } finally {
      // Others begin while the last of these are under way.
      leave()
      await this.#allEnded()
    }
    if (signal.aborted) return { kind: 'stopped' }
    const { list: letters } = this.#letters
    const isDamaged = letters.some(({ place }) => place === undefined)
    const read = isDamaged ? { read: [...this.#read.list()] } : {}
    return {
      kind: 'stored',
      format: 'handled',
      objects: [],
      payloads: this.#payloads,
      bytes: this.#bytes,
      letters,
      ...read,
    }
  }

  async #begin(file: OpenFile): Promise<void> {
    const header = await readHeader(file, this.#path)
    if (header.kind === 'misplaced') this.#letters.lost(`its header is that of ${header.of}`)
    if (header.kind !== 'header') return await this.#letters.setAside(file, 0, await file.size())
    for await (const piece of readPieces(file, parseSegmentPath(this.#path)?.state ?? 'open')) {
      if (piece.kind === 'lost') this.#letters.lost(piece.reason)
      else if (piece.kind !== 'frame') await this.#letters.setAside(file, piece.offset, piece.bytes)
      else if (piece.header.kind === 'records') {
        let place = piece.header.firstRecord
        for (const record of readRecords(piece.body)) {
          if (this.#context.signal.aborted) return
          this.#read.add(place)
          await this.#take(header.header, place, record)
          place += 1
        }
      }
    }
  }

  /** Begins the calls of a record that are left to do. */
  async #take(header: SegmentHeader, place: number, record: StoredRecord): Promise<void> {
    const { bodies } = this.#context
    const isOver = this.#progress.isOver(place)
    const verdicts = this.#progress.verdictsOn(place)
    if (record.payloads === 0 || (isOver && verdicts.length === 0))
      return this.#count(record.payloads, recordBytes(record))
    if (!isOver) await bodies.take(record.body.length)
    const held = holdRecord(header, place, record)
    if (typeof held === 'string') {
      if (!isOver) bodies.give(record.body.length)
      return await this.#letters.bury(receiptPrefix(header) + place, place, record, { reason: held })
    }
    if (isOver) return this.#countDead(held)
    this.#held += 1
    await this.#call(held)
  }

  async #call(held: HeldRecord): Promise<void> {
    const progress = this.#progress
    const isWhole = progress.batch === 'record'
    const all = Array.from({ length: isWhole ? 1 : held.payloads }, (_, index) => index)
    const verdicts = progress.verdictsOn(held.place)
    const left = isWhole ? (verdicts.length > 0 ? [] : all) : all.filter((index) => !progress.isDone(held.place, index))
    held.callsLeft = left.length
    if (left.length === 0) return await this.#end(held)
    for (const index of left) {
      if (await this.#context.calls.begin(this.#callOf(held, isWhole ? undefined : index))) continue
      return this.#release(held)
    }
  }

  /** A call for all payloads of a record, or for the one at `index`. */
  #callOf(held: HeldRecord, index: number | undefined): Call {
    const { place, receipt, version } = held
    const { receivedAtMs, source } = held.record
    const { raw } = this.#context
    const payload = (at: number): unknown => (raw ? held.text(at) : JSON.parse(held.text(at)))
    return {
      name: index === undefined ? receipt : `${receipt}-${index}`,
      context: { receipt, index: index ?? 0, receivedAtMs, version, source },
      payloads: () =>
        index === undefined ? Array.from({ length: held.payloads }, (_, at) => payload(at)) : [payload(index)],
      taken: () => {
        if (index !== undefined) this.#progress.done(place, index)
        this.#callEnded(held)
      },
      condemned: (reason, attempts) => {
        this.#progress.condemn({ place, ...(index !== undefined && { index }), reason, attempts })
        this.#callEnded(held)
      },
      dropped: () => this.#release(held),
    }
  }

  #callEnded(held: HeldRecord): void {
    held.callsLeft -= 1
    if (held.callsLeft === 0) void this.#end(held)
  }

  /** All calls of a record have ended. Never rejects. */
  async #end(held: HeldRecord): Promise<void> {
    const isTaken = this.#progress.verdictsOn(held.place).length === 0
    if (isTaken) this.#count(held.payloads, held.bytes)
    else if (!(await this.#bury(held))) return this.#release(held)
    if (isTaken) this.#context.onTaken(this.#path, held.place)
    this.#progress.end(held.place)
    this.#release(held)
  }

  /** That it is dead is known for good before there is a file of it: nothing is given again that is in `dead/`. */
  async #bury(held: HeldRecord): Promise<boolean> {
    const { platform, signal, observe } = this.#context
    for (;;) {
      try {
        if (!(await this.#progress.save())) return false
        const { record, death } = this.#remains(held)
        await this.#letters.bury(held.receipt, held.place, record, death, deadBytes(held, death))
        this.#countLiving(held, death)
        return true
      } catch (error) {
        observe({ kind: 'delivery-crash', reason: `keeping a dead letter: ${error}` })
        await platform.clock.sleep(AGAIN_PAUSE_MS, signal)
        if (signal.aborted) return false
      }
    }
  }

  /** An earlier process has buried it. */
  #countDead(held: HeldRecord): void {
    const { record, death } = this.#remains(held)
    this.#letters.add(held.place, record.payloads, deadBytes(held, death), death)
    this.#countLiving(held, death)
  }

  /** What of a record is dead, and why. */
  #remains(held: HeldRecord): { record: StoredRecord; death: Death } {
    const verdicts = this.#progress.verdictsOn(held.place)
    const indexes = verdicts.flatMap(({ index }) => index ?? []).sort((a, b) => a - b)
    const attempts = Math.max(...verdicts.map(({ attempts }) => attempts))
    const reason = verdicts[0]?.reason ?? ''
    if (indexes.length === 0 || indexes.length === held.payloads)
      return { record: held.record, death: { reason, attempts } }
    return { record: held.only(indexes), death: { reason, attempts, indexes } }
  }

  #countLiving(held: HeldRecord, death: Death): void {
    const { indexes } = death
    if (indexes) this.#count(held.payloads - indexes.length, held.bytes - deadBytes(held, death))
  }

  #count(payloads: number, bytes: number): void {
    this.#payloads += payloads
    this.#bytes += bytes
  }

  #release(held: HeldRecord): void {
    if (!held.letGo()) return
    this.#context.bodies.give(held.record.body.length)
    this.#held -= 1
    if (this.#held === 0) this.#wake()
  }

  async #allEnded(): Promise<void> {
    while (this.#held > 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

function deadBytes(held: HeldRecord, { indexes }: Death): number {
  return indexes ? held.bytesOf(indexes) : held.bytes
}
