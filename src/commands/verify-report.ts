/** What verify says at its end, for people. */

import type { Amount } from '../observe/ledger-entry.ts'
import { PROBLEMS_LISTED_MAX, type Problem } from './problems.ts'
import { count, inDigits } from './terminal.ts'

/** The whole result; `--json` prints it as it is. */
export interface Report {
  data: string
  deep: boolean
  accepted: Amount
  stored: Amount
  pending: Amount
  dead: Amount
  /** Files of the journal. */
  segments: number
  /** Lines of the ledger that are there. */
  entries: number
  /** The newest, by lane. */
  last_entries: Record<number, number>
  /** Objects of the entries in question. */
  objects: number
  /** Those that were looked at: there or not, but not unanswered. */
  objects_checked: number
  dead_records: number
  corrupt: { path: string; bytes: number }[]
  /** What is missing or wrong. */
  wrong: number
  not_checked: number
  /** The first of both. */
  problems: readonly Problem[]
}

/** The report as text. */
export function reportInWords(report: Report): string {
  const { accepted, stored, pending, dead } = report
  const line = (name: string, text: string) => `${name.padEnd(11)}${text}\n`
  const amounts = (unit: keyof Amount) =>
    `${[stored, pending, dead].map((amount) => inDigits(amount[unit])).join(' + ')} ${unit}`
  return [
    line('journal', count(report.segments, 'segment')),
    line('ledger', `${count(report.entries, 'entry').replace('entrys', 'entries')}, the newest ${newest(report)}`),
    line(
      'objects',
      `${inDigits(report.objects_checked)} of ${count(report.objects, 'object')} looked at${how(report)}`,
    ),
    line('dead', count(report.dead_records, 'record')),
    line('set aside', report.corrupt.length === 0 ? 'nothing' : count(report.corrupt.length, 'file')),
    ...report.corrupt.map(({ path, bytes }) => line('', `${path} (${count(bytes, 'byte')})`)),
    '\n',
    line('accepted', '= stored + pending + dead'),
    line('', `${inDigits(accepted.payloads)} = ${amounts('payloads')}`),
    line('', `${inDigits(accepted.bytes)} = ${amounts('bytes')}`),
    '\n',
    ...report.problems.map(problemInWords),
    unlisted(report),
    verdict(report),
  ].join('')
}

function newest({ last_entries }: Report): string {
  const all = Object.entries(last_entries)
  if (all.length <= 1) return `is ${inDigits(all[0]?.[1] ?? 0)}`
  return `are ${all.map(([lane, entry]) => `${inDigits(entry)} (lane ${lane})`).join(', ')}`
}

function how({ deep }: Report): string {
  return deep ? ', with checksums and every line' : ', names and sizes'
}

function problemInWords({ kind, what, detail, objects = [], receipts }: Problem): string {
  const range = receipts === undefined ? '' : `\n  receipts ${receipts[0]} to ${receipts[1]}`
  const named = objects.map((object) => `\n  ${object}`).join('')
  return `${kind}: ${what}\n  ${detail}${named}${range}\n`
}

function unlisted({ wrong, not_checked }: Report): string {
  const more = Math.max(0, wrong - PROBLEMS_LISTED_MAX) + Math.max(0, not_checked - PROBLEMS_LISTED_MAX)
  return more === 0 ? '' : `… and ${inDigits(more)} more\n`
}

function verdict({ wrong, not_checked }: Report): string {
  const unchecked = not_checked === 0 ? '' : `${count(not_checked, 'thing')} could not be checked.`
  if (wrong > 0) return `\n${count(wrong, 'thing')} missing or wrong. ${unchecked}`.trimEnd().concat('\n')
  if (not_checked > 0) return `\nNothing is known to be missing or wrong, but ${unchecked}\n`
  return 'All that was accepted is there.\n'
}
