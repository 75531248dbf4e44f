/**
 * How far a function has come with a segment, so that a start after a crash doesn't give it everything once more: known at
 * once, on the disk a tenth of a second later, gone with the segment. Most segments are over before that, and leave no file.
 */

import type { Observer } from '../observe/events.ts'
import type { Platform } from '../platform/platform.ts'
import type { Batch } from './handler.ts'
import type { ProgressFile, ProgressLine, Verdict } from './progress-file.ts'
import { type Range, Ranges } from './ranges.ts'

/** How long what is over may stay unwritten. */
export const PROGRESS_EVERY_MS = 100
/** The pause before what could not be written is written again, to another file. */
const AGAIN_PAUSE_MS = 1000

/** One segment's. */
export class Progress {
  /** How it was begun is how it goes on: a record of which some payloads were given one by one is not given as a whole. */
  readonly batch: Batch
  readonly #file: ProgressFile
  readonly #platform: Platform
  readonly #observe: Observer
  readonly #signal: AbortSignal
  readonly #over = new Ranges()
  readonly #partly = new Map<number, Ranges>()
  /** By place and index; -1 stands for all of a record. */
  readonly #verdicts = new Map<number, Map<number, Verdict>>()
  #unwritten: Verdict[] = []
  #isDirty = false
  #timer: { cancel(): void } | undefined
  #last: Promise<unknown> = Promise.resolve()

  /** `left` is what an earlier process has left of it. */
  constructor(
    batch: Batch,
    file: ProgressFile,
    left: readonly ProgressLine[],
    platform: Platform,
    observe: Observer,
    signal: AbortSignal,
  ) {
    let begun = batch
    this.#file = file
    this.#platform = platform
    this.#observe = observe
    this.#signal = signal
    for (const line of left) {
      if (line.kind === 'begun') begun = line.batch
      else if (line.kind === 'verdict') this.#learn(line.verdict)
      else this.#restore(line)
    }
    this.batch = begun
  }

  /** Whether nothing of a record is left to do. */
  isOver(place: number): boolean {
    return this.#over.has(place)
  }

  /** Whether a payload was taken, or condemned. */
  isDone(place: number, index: number): boolean {
    return this.#partly.get(place)?.has(index) ?? false
  }

  /** What was condemned of a record. */
  verdictsOn(place: number): readonly Verdict[] {
    return [...(this.#verdicts.get(place)?.values() ?? [])]
  }

  /** A payload was taken. */
  done(place: number, index: number): void {
    this.#markDone(place, index)
    this.#change()
  }

  /** To be saved before anything follows from it. */
  condemn(verdict: Verdict): void {
    this.#learn(verdict)
    this.#unwritten.push(verdict)
    this.#change()
  }

  /** Nothing of a record is left to do. */
  end(place: number): void {
    this.#partly.delete(place)
    this.#over.add(place)
    this.#change()
  }

  /** Resolves when all that is known now is on the disk; with false when it was told to stop before that. */
  save(): Promise<boolean> {
    const saved = this.#last.then(() => this.#write())
    this.#last = saved
    return saved
  }

  /** The segment is over, and its line in the ledger. */
  async discard(): Promise<void> {
    await this.close()
    // What can't be removed now is at the next start.
    await this.#file.remove().catch(() => {})
  }

  /** Writes no more. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#isDirty = false
    await this.#last
    await this.#file.close()
  }

  #change(): void {
    this.#isDirty = true
    this.#timer ??= this.#platform.clock.after(PROGRESS_EVERY_MS, () => {
      this.#timer = undefined
      void this.save()
    })
  }

  async #write(): Promise<boolean> {
    while (this.#isDirty) {
      this.#isDirty = false
      const fresh = this.#unwritten
      this.#unwritten = []
      try {
        const news = [...fresh.map(verdictLine), this.#state()]
        await this.#file.append(news, () => this.#all())
      } catch (error) {
        // The next file says everything.
        this.#isDirty = true
        this.#observe({ kind: 'delivery-crash', reason: `keeping what a function has taken: ${error}` })
        await this.#platform.clock.sleep(AGAIN_PAUSE_MS, this.#signal)
        if (this.#signal.aborted) return false
      }
    }
    return true
  }

  #all(): ProgressLine[] {
    const verdicts = [...this.#verdicts.values()].flatMap((each) => [...each.values()])
    return [{ kind: 'begun', batch: this.batch }, ...verdicts.map(verdictLine), this.#state()]
  }

  #state(): ProgressLine {
    const partly = [...this.#partly].map(([place, indexes]): [number, readonly Range[]] => [place, indexes.list()])
    return { kind: 'state', over: this.#over.list(), partly }
  }

  #restore({ over, partly }: Extract<ProgressLine, { kind: 'state' }>): void {
    for (const [first, count] of over) this.#over.add(first, count)
    for (const [place, indexes] of partly) {
      for (const [first, count] of indexes) this.#markDone(place, first, count)
    }
    for (const place of [...this.#partly.keys()]) if (this.isOver(place)) this.#partly.delete(place)
  }

  #learn(verdict: Verdict): void {
    const { place, index } = verdict
    const others = this.#verdicts.get(place) ?? new Map<number, Verdict>()
    this.#verdicts.set(place, others)
    others.set(index ?? -1, verdict)
    if (index !== undefined) this.#markDone(place, index)
  }

  #markDone(place: number, first: number, count = 1): void {
    const indexes = this.#partly.get(place) ?? new Ranges()
    this.#partly.set(place, indexes)
    indexes.add(first, count)
  }
}

function verdictLine(verdict: Verdict): ProgressLine {
  return { kind: 'verdict', verdict }
}
