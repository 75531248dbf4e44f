/** Which names of a set of objects, each of one payload, are the ledger's, and of which of those there is no object. */

import { linesOf } from '../delivery/line-runs.ts'
import type { LedgerEntry, LedgerObject, Run } from '../observe/ledger-entry.ts'

/** As names are made: no digit more. */
const PLACE_AND_INDEX = /^(0|[1-9]\d{0,9})-(0|[1-9]\d{0,9})$/

/** Notes the names that are there. */
export class PayloadNames {
  readonly #runs: readonly Run[]
  /** By place, of which `#most` says below what index there may be objects: their number, and the highest index of one. */
  readonly #most: Uint32Array
  readonly #counts: Uint32Array
  readonly #highest: Uint32Array

  constructor({ records }: LedgerEntry, { runs }: LedgerObject) {
    this.#runs = runs
    this.#most = new Uint32Array(records)
    this.#counts = new Uint32Array(records)
    this.#highest = new Uint32Array(records)
    for (const run of runs) this.#most.fill(run[2] || linesOf(run), run[0], run[0] + run[1])
  }

  /**
   * Notes what follows the set's name. False for what is none of the set's: a frame nobody was promised may have been
   * delivered once, and be gone since; and whoever can write there may have put anything beside it.
   */
  note(rest: string): boolean {
    const at = this.parse(rest)
    if (!at) return false
    const { place, index } = at
    this.#counts[place] = (this.#counts[place] as number) + 1
    if (index > (this.#highest[place] as number)) this.#highest[place] = index
    return true
  }

  /** Place and index, where they are the set's. */
  parse(rest: string): { place: number; index: number } | undefined {
    const [, place, index] = PLACE_AND_INDEX.exec(rest) ?? []
    return Number(index) < (this.#most[Number(place)] ?? 0) ? { place: Number(place), index: Number(index) } : undefined
  }

  /** How many objects there are too many where records of differing lengths were drawn together; which can't be told. */
  get excess(): number {
    return this.#runs.reduce((total, run) => total + Math.max(0, this.#count(run) - linesOf(run)), 0)
  }

  /** How many objects are not there at least. */
  get missing(): number {
    const sure = this.#runs.reduce((total, run) => total + Math.max(0, linesOf(run) - this.#count(run)), 0)
    return Math.max(sure, [...this.gaps()].length)
  }

  /** The first run that lacks any. */
  get shortRun(): Run | undefined {
    return this.#runs.find((run) => this.#count(run) < linesOf(run))
  }

  /** Records of which something is surely missing: how many objects each has to have, as far as that is known. */
  *gaps(): Generator<{ place: number; least: number }> {
    for (const [start, records, each] of this.#runs) {
      for (let place = start; place < start + records; place++) {
        const count = this.#counts[place] as number
        const least = each || (count === 0 ? 0 : (this.#highest[place] as number) + 1)
        if (count < least) yield { place, least }
      }
    }
  }

  /** Those that are there, in the order in which they were made. */
  *all(): Generator<{ place: number; index: number }> {
    for (const [place, count] of this.#counts.entries()) {
      for (let index = 0; index < count; index++) yield { place, index }
    }
  }

  #count([start, records]: Run): number {
    return this.#counts.subarray(start, start + records).reduce((sum, count) => sum + count, 0)
  }
}
