/** What the pages show of results: medians with their range, bars reached or missed, and where each number comes from. */

import { expect, test } from 'bun:test'
import { performanceBlock, readmeBlock, withBlock } from '../../bench/pages.ts'
import { type Question, ratio } from '../../bench/question.ts'
import { QUESTIONS } from '../../bench/questions.ts'
import type { Result } from '../../bench/result.ts'
import { orderOf } from '../../bench/round.ts'
import { barRows, mediansTable } from '../../bench/tables.ts'

const question: Question = {
  name: 'single',
  what: 'How fast?',
  needs: [],
  notes: ['A note.'],
  columns: [
    { figure: 'rate', head: 'POST/s', digits: 0 },
    { figure: 'ms', head: 'p99 ms', digits: 1 },
  ],
  bars: [
    {
      number: 1,
      what: 'against echo',
      unit: '×',
      digits: 2,
      atLeast: 0.85,
      measured: (median) => ratio(median, 'rate', 'Millrace', 'echo'),
    },
    { number: 7, what: 'p99', unit: 'ms', digits: 1, atMost: 10, measured: (median) => median('Millrace', 'ms') },
  ],
  ask: async () => undefined,
}
const runs = [
  { round: 0, contender: 'Millrace', figures: { rate: 90_000, ms: 12 } },
  { round: 0, contender: 'echo', figures: { rate: 100_000 } },
  { round: 1, contender: 'echo', figures: { rate: 100_000 } },
  { round: 1, contender: 'Millrace', figures: { rate: 80_000, ms: 14 } },
]
const machine = { cpu: 'A CPU', cores: 2, memoryBytes: 8 * 2 ** 30, kernel: 'Linux 6', bun: '1.4.5', disk: 'ext4' }
const result: Result = {
  question: 'single',
  command: 'npm run bench -- single --seconds 10',
  at: '2026-11-21T10:00:00.000Z',
  commit: 'abcdef0123',
  changed: false,
  machine,
  runs,
}

test('a table has medians, with the range where rounds differ', () => {
  expect(mediansTable(question, runs)).toEqual({
    heads: ['', 'POST/s', 'p99 ms'],
    rows: [
      ['Millrace', '85,000 (80,000–90,000)', '13.0 (12.0–14.0)'],
      ['echo', '100,000', ''],
    ],
  })
})

test('a bar says what is wanted, and whether the medians reach it', () => {
  expect(barRows(question, runs)).toEqual([
    { number: '1', what: 'against echo', wanted: '≥ 0.85×', measured: '0.85×', isReached: true },
    { number: '7', what: 'p99', wanted: '≤ 10.0 ms', measured: '13.0 ms', isReached: false },
  ])
  const unmeasured = { measured: undefined, isReached: false }
  expect(barRows(question, [])).toMatchObject([unmeasured, unmeasured])
  const page = performanceBlock([{ question, result }])
  expect(page).toContain('| 1 | against echo | ≥ 0.85× | **0.85×** |')
  expect(page).toContain('| 7 | p99 | ≤ 10.0 ms | 13.0 ms (missed) |')
})

test('no number stands without the command that made it, the machine, the date and the commit', () => {
  const page = performanceBlock([{ question, result }])
  expect(page).toContain('Measured by `npm run bench -- single --seconds 10`')
  for (const origin of ['A CPU', '2 cores', '2026-11-21', 'commit abcdef0123', '2 rounds'])
    expect(page).toContain(origin)
  expect(page).not.toContain('with changes')
  expect(performanceBlock([{ question, result: { ...result, changed: true } }])).toContain('abcdef0123 with changes')
  for (const line of readmeBlock([{ question, result }]).split('\n').slice(2)) {
    expect(line).toContain('`npm run bench -- single`')
  }
})

test('a question that was never measured shows no numbers', () => {
  const page = performanceBlock([{ question, result: undefined }])
  expect(page).toContain('not measured')
  expect(page).not.toContain('Measured by')
  expect(readmeBlock([{ question, result: undefined }])).toBe('Nothing is measured yet.')
})

test('what is generated replaces what stood between the marks, and nothing else', () => {
  const page = withBlock(withBlock(empty(), 'old'), 'new')
  expect(page).toBe(withBlock(empty(), 'new'))
  expect(page).toStartWith('before\n')
  expect(page).toEndWith('\nafter')
  expect(page).not.toContain('old')
  expect(() => withBlock('no marks', 'new')).toThrow('no place')
})

test('who is first in one round is last in the next', () => {
  expect(orderOf(['a', 'b', 'c'], 0)).toEqual(['a', 'b', 'c'])
  expect(orderOf(['a', 'b', 'c'], 1)).toEqual(['c', 'b', 'a'])
})

test('every bar of the table is some question’s, and names are told apart', () => {
  const numbers = new Set(QUESTIONS.flatMap(({ bars }) => bars.map(({ number }) => number)))
  expect([...numbers].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
  expect(new Set(QUESTIONS.map(({ name }) => name)).size).toBe(QUESTIONS.length)
})

function empty(): string {
  return 'before\n<!-- Generated from bench/results by `npm run docs`: -->\n<!-- until here. -->\nafter'
}
