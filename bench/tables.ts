/** Results as Markdown: what the pages show is made from the kept files alone; pure. */

import { machineWords } from './machine.ts'
import type { Bar, Question, Run } from './question.ts'
import type { Result } from './result.ts'
import { mediansOf, valuesOf } from './statistics.ts'

/** A table: what stands over its columns, and its rows. */
export interface Table {
  heads: string[]
  rows: string[][]
}

/** The medians of a question's runs, a row for each contender; with more rounds than one also the range. */
export function mediansTable({ columns }: Question, runs: readonly Run[]): Table {
  const median = mediansOf(runs)
  const contenders = [...new Set(runs.map(({ contender }) => contender))]
  const rows = contenders.map((contender) => [
    contender,
    ...columns.map(({ figure, digits }) => {
      const middle = median(contender, figure)
      if (middle === undefined) return ''
      const values = valuesOf(runs, contender, figure)
      const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => number(value, digits))
      return least === most ? number(middle, digits) : `${number(middle, digits)} (${least}–${most})`
    }),
  ])
  return { heads: ['', ...columns.map(({ head }) => head)], rows }
}

/** What is said of a bar. */
export interface BarRow {
  number: string
  what: string
  wanted: string
  /** Undefined when it wasn't measured. */
  measured: string | undefined
  isReached: boolean
}

/** One row a bar: what is asked, what was measured, whether that is enough. */
export function barRows({ bars }: Question, runs: readonly Run[]): BarRow[] {
  const median = mediansOf(runs)
  return bars.map((bar) => {
    const measured = bar.measured(median)
    return {
      number: String(bar.number),
      what: bar.what,
      wanted: wanted(bar),
      measured: measured === undefined ? undefined : quantity(measured, bar.unit, bar.digits),
      isReached: measured !== undefined && reaches(bar, measured),
    }
  })
}

/** Where a result comes from: command, machine, date, commit. */
export function originOf({ command, machine, at, commit, changed, runs }: Result): string {
  const rounds = new Set(runs.map(({ round }) => round)).size
  const code = changed ? `${commit} with changes` : commit
  return `\`${command}\` — ${machineWords(machine)}; ${at.slice(0, 10)}, commit ${code}, ${rounds} round${rounds === 1 ? '' : 's'}`
}

/** A number for people: `1,234.5`. */
export function number(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Whether a measured value reaches the bar. */
function reaches({ atLeast, atMost }: Bar, measured: number): boolean {
  return (atLeast === undefined || measured >= atLeast) && (atMost === undefined || measured <= atMost)
}

function wanted({ atLeast, atMost, unit, digits }: Bar): string {
  if (atLeast !== undefined) return `≥ ${quantity(atLeast, unit, digits)}`
  return atMost === undefined ? '' : `≤ ${quantity(atMost, unit, digits)}`
}

function quantity(value: number, unit: string, digits: number): string {
  const space = /^[a-zA-Z]/.test(unit) ? ' ' : ''
  return `${number(value, digits)}${space}${unit}`
}
