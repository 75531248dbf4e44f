/** Which records an object's lines belong to, in a bounded list: exact as long as that is short, coarser where it isn't. */

import type { Run } from '../observe/ledger-entry.ts'

/** The most runs kept for an object. At one length of record a single one says it all. */
export const RUNS_MAX = 256

/** Collects runs as lines are added. */
export class LineRuns {
  #runs: Run[] = []
  /** How many records a run takes in at least; doubled whenever the list is full. */
  #grain = 1
  #lastRecords = 0

  /** The record at `place` of the segment has added `lines` lines. */
  add(place: number, lines: number): void {
    const last = this.#runs.at(-1)
    this.#lastRecords += 1
    if (last && last[2] === lines && last[0] + last[1] === place) {
      last[1] += 1
    } else if (last && this.#lastRecords <= this.#grain) {
      this.#runs[this.#runs.length - 1] = together(last, [place, 1, lines])
    } else {
      if (this.#runs.length === RUNS_MAX) this.#halve()
      this.#runs.push([place, 1, lines])
      this.#lastRecords = 1
    }
  }

  /** The runs, in the order of the lines. */
  list(): Run[] {
    return this.#runs
  }

  #halve(): void {
    const halved: Run[] = []
    for (let i = 0; i < this.#runs.length; i += 2) {
      halved.push(together(this.#runs[i] as Run, this.#runs[i + 1] as Run))
    }
    this.#runs = halved
    this.#grain *= 2
  }
}

/** One run for two neighbours, and for the records of others between them. */
function together(first: Run, second: Run): Run {
  return [first[0], second[0] + second[1] - first[0], 0, linesOf(first) + linesOf(second)]
}

/** How many lines a run has. */
export function linesOf([, records, each, lines]: Run): number {
  return lines ?? records * each
}

/** Lines of an object, from 1, both included. */
export interface LineRange {
  first: number
  last: number
  /** False when other records' lines are among them, and the record may even be in another object. */
  exact: boolean
}

/** Where the lines of the record at `place` are; undefined when it has none here. */
export function findLines(runs: readonly Run[], place: number): LineRange | undefined {
  let before = 0
  for (const run of runs) {
    const [start, records, each] = run
    if (place >= start && place < start + records) {
      if (each === 0) return { first: before + 1, last: before + linesOf(run), exact: false }
      const first = before + (place - start) * each + 1
      return { first, last: first + each - 1, exact: true }
    }
    before += linesOf(run)
  }
  return undefined
}
