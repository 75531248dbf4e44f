/** Many objects of one segment being put at once, and what is told of them: one trouble at a time, and when all is well again. */

import type { OutgoingObject } from '../destination/destination.ts'
import { type PatienceContext, putUntilStored, type Trouble } from './patience.ts'
import type { There } from './taken.ts'

/** Hears when a put is over, with what is there then if its object is stored. */
type Ended = (there: There | undefined) => void

/** Those of one segment. */
export class ManyPuts {
  readonly #context: PatienceContext & { onMended: (trouble: Trouble) => void }
  readonly #together: number
  /** Those that wait for others to be begun with. */
  #next: { object: OutgoingObject; ended: Ended }[] = []
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

  /**
   * `signal` of the context ends all of them. They are begun `together` at once, or fewer where somebody waits for them: one by
   * one each wakes the HTTP client's thread, and that takes as much as all else of its beginning.
   */
  constructor(context: PatienceContext, together = 1) {
    this.#together = together
    const signal = AbortSignal.any([context.signal, this.#stop.signal])
    const onTrouble = (trouble: Trouble) => {
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
    if (this.#next.length >= this.#together) this.#begin()
  }

  /**
   * Waits until fewer than `count` are under way; with `aloneMax` only until so many, or all of them, are in trouble of their
   * own, which may last. Rejects when one of them failed.
   */
  async fewerThan(count: number, aloneMax?: number): Promise<'fewer' | 'blocked' | 'stopped'> {
    if (this.#underWay >= count) this.#begin()
    const isBlocked = () => aloneMax !== undefined && this.#alone.size >= Math.min(aloneMax, this.#underWay)
    while (this.#underWay >= count && !this.isOver && !isBlocked()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (!this.isOver) return this.#underWay < count ? 'fewer' : 'blocked'
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
