/** What verify finds: every problem counted, the first of them kept in words. */

/** What can be wrong. */
export type ProblemKind =
  | 'object_missing'
  | 'object_size'
  | 'object_checksum'
  | 'object_lines'
  | 'segment_unknown'
  | 'ledger_gap'
  | 'ledger_totals'
  | 'ledger_line'
  | 'dead_missing'
  | 'dead_damaged'
  | 'journal_damage'

/** One thing that is missing or wrong, or could not be checked. */
export interface Problem {
  kind: ProblemKind | 'not_checked'
  /** The object, file or entry. */
  what: string
  detail: string
  /** The first of those objects that it concerns, where `what` stands for many. */
  objects?: readonly string[]
  /** The first and the last record that it concerns, where that is known. */
  receipts?: readonly [first: string, last: string]
}

/** What a look at an object came to. */
export type Result =
  | { kind: 'good' }
  | { kind: 'wrong'; wrong: ProblemKind; detail: string; objects?: readonly string[] }
  | { kind: 'failed'; reason: string }

/** How many problems of each sort are named; all are counted. */
export const PROBLEMS_LISTED_MAX = 100

/** Collects problems. */
export class Problems {
  /** How many things are missing or wrong. */
  count = 0
  /** How many things could not be checked. */
  unchecked = 0
  readonly #listed: Problem[] = []
  readonly #listedUnchecked: Problem[] = []

  add(problem: Problem): void {
    const isUnchecked = problem.kind === 'not_checked'
    if (isUnchecked) this.unchecked += 1
    else this.count += 1
    const list = isUnchecked ? this.#listedUnchecked : this.#listed
    if (list.length < PROBLEMS_LISTED_MAX) list.push(problem)
  }

  /** What is missing or wrong, then what could not be checked. */
  get listed(): readonly Problem[] {
    return [...this.#listed, ...this.#listedUnchecked]
  }
}
