/** Many objects of one segment being put at once, and what is told of them: one trouble at a time, and when all is well again. */

import type { OutgoingObject } from '../destination/destination.ts'
import { type PatienceContext, putUntilStored, type Trouble } from './patience.ts'
import type { There } from './taken.ts'

/** Hears when a put is over, with what is there then if its object is stored. */
type Ended = (there: There | undefined) => void

/** How many may be under way, and when they are begun. */
export interface Flow {
  underWayMax: number
  /**
   * How many are begun at once, or fewer where somebody waits for them: one by one each wakes the HTTP client's thread, and
   * that takes as much as all else of its beginning.
   */
  together: number
  /** Fewer also where they are so long together: of those the waking is little. */
  togetherBytes: number
}

const AT_ONCE: Flow = { underWayMax: Number.POSITIVE_INFINITY, together: 1, togetherBytes: 0 }

/** Those of one segment. */
export class ManyPuts {
  readonly #context: PatienceContext & { onMended: (trouble: Trouble) => void }
  readonly #flow: Flow
  /** Those that wait for others to be begun with. */
  #next: { object: OutgoingObject; ended: Ended }[] = []
  #nextBytes = 0
  readonly #stop = new AbortController()
  #underWay = 0
  #isStopped = false
  #failure: { error: unknown } | undefined
  #wake = () => {}
  /** Of all objects in trouble, one is told of: a store that is down would be as many lines of the log as puts. */
  #speaker: string | undefined
  /** Those whose names are taken by others: that others are stored mends none of them. */
  readonly #taken = new Set<string>()
  /** Those in trouble of their own, of which a taken name is one kind. */
  readonly #alone = new Set<string>()
  #isParked = false
  /** Those that were tried, and are to be tried again. */
  readonly #troubled = new Set<string>()

  /** `signal` of the context ends all of them. */
  constructor(context: PatienceContext, flow = AT_ONCE) {
    this.#flow = flow
    const signal = AbortSignal.any([context.signal, this.#stop.signal])
    const onTrouble = (trouble: Trouble) => {
      this.#troubled.add(trouble.object)
      if (trouble.kind === 'taken') this.#taken.add(trouble.object)
      if (trouble.isAlone) this.#alone.add(trouble.object)
      this.#wake()
      this.#speaker ??= trouble.object
      if (this.#speaker !== trouble.object) return
      this.#isParked ||= trouble.kind !== 'retry'
      context.onTrouble(trouble)
    }
    this.#context = { ...context, signal, onTrouble, onMended: context.onTrouble }
  }

  /** Those that are about to be begun are among them. */
  get underWay(): number {
    return this.#underWay
  }

  /** They were told to stop, or one of them failed: the segment is to be delivered again. */
  get isOver(): boolean {
    return this.#isStopped || this.#failure !== undefined
  }

  /** Begins to put an object until it is stored. */
  start(object: OutgoingObject, ended: Ended): void {
    this.#underWay += 1
    this.#next.push({ object, ended })
    this.#nextBytes += object.body.length
    const { together, togetherBytes } = this.#flow
    if (this.#next.length >= together || this.#nextBytes >= togetherBytes) this.#begin()
  }

  /** As many are under way as may be: wait for `room`. */
  get isFull(): boolean {
    return this.#underWay >= this.#flow.underWayMax
  }

  /**
   * Waits until more may be under way: as many as are begun at once, not counting those in trouble, whose number may stay as it
   * is for long; else as `fewerThan`.
   */
  room(aloneMax?: number): Promise<'fewer' | 'blocked' | 'stopped'> {
    const { underWayMax, together } = this.#flow
    const isRoom = () => !this.isFull && this.#underWay - this.#troubled.size <= underWayMax - together
    return this.#until(isRoom, aloneMax)
  }

  /**
   * Waits until fewer than `count` are under way, and begins all there are if that takes any waiting; with `aloneMax` only
   * until so many, or all of them, are in trouble of their own, which may last. Rejects when one of them failed.
   */
  fewerThan(count: number, aloneMax?: number): Promise<'fewer' | 'blocked' | 'stopped'> {
    return this.#until(() => this.#underWay < count, aloneMax)
  }

  async #until(isSo: () => boolean, aloneMax?: number): Promise<'fewer' | 'blocked' | 'stopped'> {
    if (!isSo()) this.#begin()
    const isBlocked = () => aloneMax !== undefined && this.#alone.size >= Math.min(aloneMax, this.#underWay)
    while (!isSo() && !this.isOver && !isBlocked()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (!this.isOver) return isSo() ? 'fewer' : 'blocked'
    this.abandon()
    if (this.#failure) throw this.#failure.error
    return 'stopped'
  }

  /** Nobody waits for them any longer: puts under way are given up, to be repeated with the segment. */
  abandon(): void {
    this.#stop.abort()
    this.#begin()
  }

  #begin(): void {
    this.#nextBytes = 0
    for (const { object, ended } of this.#next.splice(0)) void this.#put(object, ended)
  }

  async #put(object: OutgoingObject, ended: Ended): Promise<void> {
    let there: There | undefined
    try {
      there = await putUntilStored(object, this.#context)
      if (there) this.#isMended(object.name)
      else this.#isStopped = true
    } catch (error) {
      this.#failure ??= { error }
    }
    if (this.#speaker === object.name) this.#speaker = undefined
    this.#troubled.delete(object.name)
    this.#underWay -= 1
    ended(there)
    this.#wake()
  }

  /** A segment may have very many objects left: whoever looks is not to think that it waits for somebody all the while. */
  #isMended(object: string): void {
    this.#taken.delete(object)
    this.#alone.delete(object)
    if (!this.#isParked || this.#taken.size > 0) return
    this.#isParked = false
    this.#speaker = undefined
    this.#context.onMended({ kind: 'mended', object, reason: '', attempt: 0, pauseMs: 0 })
  }
}
