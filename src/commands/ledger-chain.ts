/**
 * Whether the ledger's lines follow one another: each one's totals are those of the one before and its own amounts. Kept as
 * stretches without a gap, so that memory depends on how many gaps there are, not on how many lines.
 */

import type { Amount, LedgerEntry, LedgerTotals } from '../observe/ledger-entry.ts'

/** Entries without a gap between them. */
export interface Stretch {
  first: number
  last: number
  /** When the last of them was written. */
  lastAt: string
  /** What the line before the first would have had as totals. */
  before: LedgerTotals
  totals: LedgerTotals
}

/** Something that doesn't add up. */
export interface Misfit {
  entry: number
  detail: string
}

/** Puts lines together, in whatever order they come. */
export class LedgerChain {
  readonly misfits: Misfit[] = []
  readonly #byFirst = new Map<number, Stretch>()
  readonly #byLast = new Map<number, Stretch>()

  add(entry: LedgerEntry): void {
    const { entry: number, at, totals, stored, dead } = entry
    if (this.#has(number)) {
      this.misfits.push({ entry: number, detail: 'two segments have this entry' })
      return
    }
    const own: Stretch = {
      first: number,
      last: number,
      lastAt: at,
      before: { stored: less(totals.stored, stored), dead: less(totals.dead, dead) },
      totals,
    }
    const left = this.#byLast.get(number - 1)
    const right = this.#byFirst.get(number + 1)
    if (left) this.#compare(number, left.totals, own.before)
    if (right) this.#compare(number + 1, totals, right.before)
    if (left) this.#byLast.delete(left.last)
    if (right) this.#byFirst.delete(right.first)
    const joined: Stretch = {
      first: left?.first ?? number,
      before: left?.before ?? own.before,
      last: right?.last ?? number,
      lastAt: right?.lastAt ?? at,
      totals: right?.totals ?? totals,
    }
    this.#byFirst.set(joined.first, joined)
    this.#byLast.set(joined.last, joined)
  }

  /** In order. More than one means that lines are missing between them. */
  get stretches(): Stretch[] {
    return [...this.#byFirst.values()].toSorted((a, b) => a.first - b.first)
  }

  #has(number: number): boolean {
    for (const { first, last } of this.#byFirst.values()) if (number >= first && number <= last) return true
    return false
  }

  #compare(entry: number, before: LedgerTotals, expected: LedgerTotals): void {
    for (const kind of ['stored', 'dead'] as const) {
      for (const unit of ['payloads', 'bytes'] as const) {
        if (before[kind][unit] === expected[kind][unit]) continue
        const detail = `${kind} ${unit} are ${before[kind][unit]} before it, and its own totals say ${expected[kind][unit]}`
        this.misfits.push({ entry, detail })
      }
    }
  }
}

function less(a: Amount, b: Amount): Amount {
  return { payloads: a.payloads - b.payloads, bytes: a.bytes - b.bytes }
}
