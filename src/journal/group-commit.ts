/**
 * The journal itself: group commit into segment files. What arrives while one `fdatasync` runs, or a moment longer
 * (`gathering.ts`), is written as the next frame and synced once for all of it. Frames go to one file, one after the
 * other, so only the last can ever be torn.
 */

import type { Observer } from '../observe/events.ts'
import type { Amount } from '../observe/ledger-entry.ts'
import type { Timer } from '../platform/clock.ts'
import type { Platform } from '../platform/platform.ts'
import { Fullness } from './fullness.ts'
import { Gathering } from './gathering.ts'
import { Holdings } from './holdings.ts'
import type { AppendRefusal, Journal, NewRecord, RememberedNote, SealedSegment, Waiter } from './journal.ts'
import type { JournalOptions } from './journal-options.ts'
import { FRAME_HEADER_BYTES } from './layout.ts'
import { NoteKeeper } from './notes.ts'
import { recordBytes } from './record.ts'
import { roomWithin } from './room.ts'
import { SealTimer } from './seal-timer.ts'
import { Sealing } from './sealing.ts'
import { removeSegment, type Segment } from './segment.ts'
import { SegmentMaker } from './segment-maker.ts'
import type { Stage } from './stage.ts'
import { Staging } from './staging.ts'

/** The pause before a journal that could not write tries again. */
const TROUBLE_PAUSE_MS = 1000

/** The journal over segment files. `openJournal` makes one. */
export class FileJournal implements Journal {
  payloads = 0
  bytes = 0
  trouble: AppendRefusal | undefined
  notes: readonly RememberedNote[] = []
  readonly #holdings = new Holdings()
  readonly #platform: Platform
  readonly #options: JournalOptions
  readonly #observe: Observer
  readonly #onSealed: (segment: SealedSegment) => void
  readonly #maker: SegmentMaker
  #segment: Segment | undefined
  readonly #fullness: Fullness
  readonly #staging = new Staging()
  readonly #gathering: Gathering
  #running: Promise<void> | undefined
  #closing = false
  #sealWanted = false
  #reopenWanted = false
  readonly #sealTimer: SealTimer
  readonly #noteKeeper: NoteKeeper
  #retry: Timer | undefined
  readonly #sealing: Sealing

  constructor(
    platform: Platform,
    options: JournalOptions,
    observe: Observer,
    onSealed: (segment: SealedSegment) => void,
    lastNumber: number,
  ) {
    this.#platform = platform
    this.#options = options
    this.#observe = observe
    this.#onSealed = onSealed
    this.#fullness = new Fullness(options)
    this.#gathering = new Gathering(platform.clock)
    this.#maker = new SegmentMaker(platform, options, lastNumber)
    this.#noteKeeper = new NoteKeeper(platform.files, platform.clock, options.directory, options.noteWindowMs)
    this.#sealing = new Sealing(platform.clock, this.#noteKeeper, observe, (segment, sealed) => {
      this.bytes += sealed.bytes - segment.reservedBytes
      this.#announce(sealed)
    })
    this.#sealTimer = new SealTimer(platform.clock, options.lingerMs, () => {
      this.#sealWanted = true
      this.#run()
    })
  }

  get accepted(): Readonly<Amount> {
    return this.#holdings.accepted
  }

  get pending(): Readonly<Amount> {
    return this.#holdings.pending
  }

  /** Announces the recovered segments and opens the first new one; when it can't, they are delivered in any case. */
  async start(recovered: readonly SealedSegment[]): Promise<void> {
    this.notes = await this.#noteKeeper.load()
    try {
      this.#segment = await this.#createSegment()
    } catch (error) {
      this.#enterTrouble(error)
    }
    for (const segment of recovered) {
      this.payloads += segment.payloads
      this.bytes += segment.bytes
      this.#holdings.accept(segment)
      this.#holdings.hold(segment.number, segment)
    }
    const full = recovered.filter(({ isEmpty }) => !isEmpty)
    if (full.length > 0) {
      const bytes = full.reduce((sum, segment) => sum + segment.bytes, 0)
      this.#observe({ kind: 'journal-recovered', segments: full.length, payloads: this.payloads, bytes })
    }
    for (const segment of recovered) this.#onSealed(segment)
  }

  append(record: NewRecord, waiter: Waiter): void {
    if (this.#closing) return waiter.refused('stopping')
    if (this.trouble) return waiter.refused(this.trouble)
    this.payloads += record.payloads
    this.bytes += recordBytes(record)
    this.#staging.add(record, waiter)
    this.#gathering.arrived(waiter.sender)
    this.#run()
  }

  hasten(delayMs: number): void {
    if (this.#segment && this.#segment.records > 0) this.#sealTimer.hasten(delayMs)
  }

  holds(segment: number, tag: string, place: number): boolean {
    return this.#holdings.holds(segment, tag, place)
  }

  async remove(segment: SealedSegment): Promise<void> {
    if (this.#holdings.remove(segment)) this.payloads -= segment.payloads
    await removeSegment(this.#platform.files, segment.path)
    this.bytes -= segment.bytes
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#gathering.end()
    this.#retry?.cancel()
    while (this.#running) await this.#running
    this.#sealTimer.stop()
    const last = this.#segment
    this.#segment = undefined
    // An empty one stays in any case: its name is how the next start knows the highest number ever used.
    const empty = last?.records === 0 ? last : await this.#createSegment().catch(() => undefined)
    await empty?.abandon()
    if (last && last !== empty) this.#sealing.add(last)
    await this.#sealing.close()
  }

  /** Starts the commit loop unless it runs. It begins a turn later, so that what arrives together is written together. */
  #run(): void {
    this.#running ??= Promise.resolve().then(() => this.#commitAll())
    if (this.#gathering.isPaused && (this.#isUrgent || this.#gathering.isEnough(this.#staging))) this.#gathering.end()
  }

  /** Nothing is waited for, whoever may be about to send. */
  get #isUrgent(): boolean {
    return this.#closing || this.#sealWanted || this.#reopenWanted || this.#staging.isFull
  }

  async #commitAll(): Promise<void> {
    try {
      while (!this.#staging.isEmpty || this.#sealWanted || this.#reopenWanted) {
        if (this.#reopenWanted) await this.#reopen()
        else if (this.trouble) this.#refuseAll(this.trouble)
        else await (this.#pause() ?? this.#commitNext())
      }
    } finally {
      // In the same turn as the last look at what waits: whatever is appended after that starts the loop again.
      this.#running = undefined
    }
  }

  #pause(): Promise<void> | undefined {
    return this.#isUrgent ? undefined : this.#gathering.pause(this.#staging)
  }

  async #commitNext(): Promise<void> {
    this.#gathering.begun(this.#staging)
    const stage = this.#staging.next()
    try {
      await this.#rotate(stage)
    } catch (error) {
      return this.#enterTrouble(error, stage)
    }
    const segment = this.#segment
    if (!segment || stage.records === 0) return
    const { reservedBytes } = segment
    const firstRecord = segment.records
    try {
      await segment.commit(stage.frame(firstRecord), stage, this.#roomBytesMax)
    } catch (error) {
      this.#enterTrouble(error, stage)
      return await segment.abandon()
    } finally {
      this.bytes += segment.reservedBytes - reservedBytes
    }
    this.bytes -= stage.recordBytes
    this.#fullness.add(stage)
    this.#holdings.accept(stage)
    segment.notes.push(...stage.notes(segment.receiptPrefix, firstRecord))
    if (firstRecord === 0) this.#sealTimer.start()
    stage.settle(segment.receiptPrefix, firstRecord)
  }

  /** Seals the open segment when it is due or can't take what comes next, and opens the next. */
  async #rotate(next: Stage): Promise<void> {
    const full = this.#segment
    if (next.madePayloads > 0) this.#maker.takesMade = true
    if (full && (full.takesMade || next.madePayloads === 0)) {
      if (full.records === 0 || !(this.#sealWanted || this.#fullness.isFullWith(next))) {
        this.#sealWanted = false
        return
      }
    }
    // The next file exists before the full one is renamed: the highest number ever used is always on the disk.
    this.#segment = await this.#createSegment()
    this.#sealWanted = false
    this.#sealTimer.stop()
    if (full) this.#sealing.add(full)
  }

  async #createSegment(): Promise<Segment> {
    this.#fullness.clear()
    const segment = await this.#maker.make()
    this.bytes += segment.reservedBytes
    this.#holdings.hold(segment.number, segment)
    return segment
  }

  get #roomBytesMax(): number {
    const { journalBytesMax = Number.POSITIVE_INFINITY } = this.#options
    return roomWithin(journalBytesMax, journalBytesMax - this.bytes - FRAME_HEADER_BYTES)
  }

  #announce(sealed: SealedSegment): void {
    const { number, payloads, bytes, isEmpty } = sealed
    this.#holdings.hold(number, sealed)
    if (!isEmpty) this.#observe({ kind: 'segment-sealed', segment: number, payloads, bytes })
    this.#onSealed(sealed)
  }

  /** A write, a sync or a new file failed: nobody whose records wait is acked, and the open segment takes no more. */
  #enterTrouble(error: unknown, stage?: Stage): void {
    const code = (error as NodeJS.ErrnoException)?.code === 'ENOSPC' ? 'disk_full' : 'journal_failed'
    this.trouble = code
    this.#sealTimer.stop()
    this.#observe({ kind: 'journal-trouble', code, reason: String(error) })
    if (stage) this.#refuse(stage, code)
    this.#refuseAll(code)
    this.#retryLater()
  }

  #retryLater(): void {
    this.#retry = this.#platform.clock.after(TROUBLE_PAUSE_MS, () => {
      this.#reopenWanted = true
      this.#run()
    })
  }

  /** Tries to open a new segment, and lets go of the one that takes no more: what it holds is delivered in any case. */
  async #reopen(): Promise<void> {
    this.#reopenWanted = false
    const left = this.#segment
    this.#segment = undefined
    try {
      this.#segment = await this.#createSegment()
      this.trouble = undefined
      this.#observe({ kind: 'journal-well' })
    } catch {
      if (!this.#closing) this.#retryLater()
    }
    if (left) this.#sealing.add(left)
  }

  #refuseAll(code: AppendRefusal): void {
    this.#staging.refuse(code, (payloads, bytes) => this.#forget(payloads, bytes))
    this.#sealWanted = false
  }

  #refuse(stage: Stage, code: AppendRefusal): void {
    this.#forget(stage.payloads, stage.recordBytes)
    stage.refuse(code)
  }

  #forget(payloads: number, bytes: number): void {
    this.payloads -= payloads
    this.bytes -= bytes
  }
}
