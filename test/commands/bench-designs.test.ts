/** `millrace bench designs`, as its user runs it, in a few seconds. */

import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { DESIGN_NAMES } from '../../src/designs/designs.ts'
import type { Result } from '../../src/designs/result.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { millrace } from './run-command.ts'

const QUICK = ['bench', 'designs', '--job-time', '20ms', '--workers', '2', '--queue', '10', '--step-time', '200ms']

test('it measures all designs, and Millrace loses nothing', async () => {
  using scratch = new Scratch()
  const out = scratch.at('page.html')
  const run = await millrace([...QUICK, '--rates', '50,400', '--out', out, '--json'])
  expect(run.err).toContain('queue + worker pool: 400/s offered')
  expect(run.code).toBe(0)
  const { designs, capacityPerSecond } = JSON.parse(run.out) as Result
  expect(capacityPerSecond).toBe(100)
  for (const name of DESIGN_NAMES) {
    const { steps, crash } = designs[name]
    expect(steps.map(({ offeredPerSecond }) => offeredPerSecond)).toEqual([50, 400])
    expect(crash.lost).toBe(crash.acked - crash.landed)
    expect(crash.twice).toBe(0)
    for (const { rssBytes } of steps) expect(rssBytes).toBeGreaterThan(1024 ** 2)
  }
  expect(designs.millrace.crash.lost).toBe(0)
  expect(readFileSync(out, 'utf8')).toContain('<script id="data"')
  // The journal, the children's output: nothing else is left.
  expect(readdirSync(scratch.path)).toEqual(['page.html'])
})

test('interrupted, it leaves nothing behind', async () => {
  using scratch = new Scratch()
  await using run = Millrace.spawn([...QUICK, '--rates', '5,5', '--out', scratch.at('page.html')])
  await run.printed(/5\/s offered/)
  run.signal('SIGINT')
  expect(await run.exited).toEqual({ code: 130, signal: null })
  expect(readdirSync(scratch.path)).toEqual([])
})

test('a page that can not be written is told before anything is measured', async () => {
  using scratch = new Scratch()
  for (const out of [scratch.at('nowhere', 'page.html'), scratch.path]) {
    const run = await millrace([...QUICK, '--out', out])
    expect(run.code).toBe(1)
    expect(run.err).toStartWith('millrace: A design could not be measured (bench_failed):')
  }
})
