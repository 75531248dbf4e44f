/** What is said of figures. */

import { expect, test } from 'bun:test'
import { table } from '../../src/commands/terminal.ts'
import { findings, milliseconds } from '../../src/designs/findings.ts'
import { crashRows, settingsLine, stepLine, stepRows } from '../../src/designs/words.ts'
import { someResult } from './result.ts'

test('the table of steps', () => {
  const [heads, first, second] = table(stepRows(someResult())).split('\n')
  expect(heads).toBe(
    'design               offered/s  acked/s  landed/s     p50       p99  memory MiB  acked, not landed',
  )
  expect(first).toBe(
    'task per request           100      100       100  0.5 ms    2.5 ms          40                  3',
  )
  expect(second).toBe(
    '                         1,600      400       100  0.5 ms  3,457 ms          40                508',
  )
})

test('the table of the crash', () => {
  const lines = table(crashRows(someResult())).split('\n')
  expect(lines[0]).toBe('kill -9 under 1,600/s  acked  landed  lost  twice')
  expect(lines[3]).toBe('queue + worker pool    2,000   1,500   500      0')
  expect(lines[4]).toBe('Millrace               7,000   7,000     0      0')
})

test('a step in a line, and the settings', () => {
  const { settings, designs } = someResult()
  expect(stepLine('millrace', designs.millrace.steps[0]!)).toBe(
    'Millrace: 100/s offered, 100 acked, 100 landed; p50 0.5 ms, p99 2.5 ms; 40 MiB; 3 pending',
  )
  expect(settingsLine({ ...settings, workers: 1 })).toBe(
    'One upload at a time, 20 ms each: the work can take 50/s at one payload an upload. Queue: 500; 4 s a step.',
  )
})

test('a time has three digits', () => {
  expect([0.4249, 12.34, 123.4, 12_345].map(milliseconds)).toEqual(['0.425 ms', '12.3 ms', '123 ms', '12,345 ms'])
})

test('a sentence says only what its run showed', () => {
  const result = someResult()
  expect(findings(result).landed).toEndWith('landed up to 1,550/s and kept up with every step.')
  expect(findings(result).lost).toContain('queue + worker pool: 500 of 2,000; Millrace: 0 of 7,000')
  result.designs.millrace.steps[1]!.pending = 1600
  expect(findings(result).landed).toEndWith('landed up to 1,550/s.')
})
