/** What README and docs/PERFORMANCE.md show of the kept results, each number with the command that made it; pure. */

import type { Question } from './question.ts'
import type { Result } from './result.ts'
import { type BarRow, barRows, mediansTable, originOf } from './tables.ts'

/** A question, and what is kept of it. */
export interface Answered {
  question: Question
  result: Result | undefined
}

const BEGIN = '<!-- Generated from bench/results by `npm run docs`: -->'
const END = '<!-- until here. -->'
/** README has room for these. */
const IN_README = ['single', 'landed', 'batch', 'peers']

/** `page` with `block` between its two marks. */
export function withBlock(page: string, block: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`a page has no place for what is generated: ${BEGIN} … ${END}`)
  return `${page.slice(0, begin + BEGIN.length)}\n${block}\n${page.slice(end)}`
}

/** The bars that README shows. */
export function readmeBlock(all: readonly Answered[]): string {
  const shown = all.filter(({ question }) => IN_README.includes(question.name))
  const rows = shown.flatMap(({ question, result }) =>
    barRows(question, result?.runs ?? []).flatMap(({ what, measured }) =>
      measured === undefined ? [] : [[what, measured, `\`npm run bench -- ${question.name}\``]],
    ),
  )
  return rows.length === 0 ? 'Nothing is measured yet.' : markdownTable(['', 'measured', 'by'], rows)
}

/** Every bar, then every question's table. */
export function performanceBlock(all: readonly Answered[]): string {
  const rows = all.flatMap(({ question, result }) =>
    barRows(question, result?.runs ?? []).map((row) => [row.number, row.what, row.wanted, verdict(row)]),
  )
  const sections = all.flatMap(({ question, result }) => (result === undefined ? [] : section(question, result)))
  return ['## Bars', markdownTable(['#', 'what', 'bar', 'measured'], rows), ...sections].join('\n\n')
}

/** What was measured, with the word for people who look no further. */
function verdict({ measured, isReached }: BarRow): string {
  if (measured === undefined) return 'not measured'
  return isReached ? `**${measured}**` : `${measured} (missed)`
}

function section(question: Question, result: Result): string[] {
  const { heads, rows } = mediansTable(question, result.runs)
  return [
    `## ${question.name}`,
    question.what,
    markdownTable(heads, rows),
    `Measured by ${originOf(result)}.`,
    question.notes.map((note) => `- ${note}`).join('\n'),
  ]
}

function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
