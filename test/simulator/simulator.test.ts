/** A fixed number of seeds, with whatever they bring: `npm run simulate` runs others, and as many as you like. */

import { expect, test } from 'bun:test'
import { simulate } from './run.ts'
import { Summary } from './summary.ts'

/** As many as a few seconds allow. */
const SEEDS = 200

test(`${SEEDS} seeds: what is acknowledged is stored, once, whatever happens`, async () => {
  const summary = new Summary()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await simulate(seed)
    summary.add(result)
    expect([seed, result.breach]).toEqual([seed, undefined])
  }
  // That nothing was found means something only if something happened.
  const least = { 'lives: killed': 300, 'lives: power lost': 300, 'lives: stopped': 200, 'thread deaths': 100 }
  for (const [what, count] of Object.entries(least)) {
    expect([what, summary.counts.get(what)]).toEqual([what, expect.any(Number)])
    expect(summary.counts.get(what)).toBeGreaterThan(count)
  }
  for (const what of ['datasync EIO', 'write ENOSPC', 'rename EIO', 'remove EIO', 'sync-directory EIO', 'open EIO']) {
    expect(summary.counts.get(`disk: ${what}`)).toBeGreaterThan(0)
  }
  for (const what of ['already stored', 'answer lost', 'parked', 'retry']) {
    expect(summary.counts.get(`put: ${what}`)).toBeGreaterThan(0)
  }
  expect(summary.counts.get('payloads acknowledged')).toBeGreaterThan(10_000)
})

test.each([
  // A segment's name that a killed life had not synced, gone with a later one's beside it.
  52_579,
])('seed %d, which found something, finds nothing', async (seed) => {
  const { breach } = await simulate(seed)
  expect(breach).toBeUndefined()
})

test('a seed does the same each time, event by event', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const first = await simulate(seed)
    const lines: string[] = []
    const second = await simulate(seed, (line) => lines.push(line))
    expect([seed, second.digest]).toEqual([seed, first.digest])
    expect(second.coverage).toEqual(first.coverage)
    expect(lines.length).toBeGreaterThan(10)
  }
})

test('another seed does something else', async () => {
  expect((await simulate(1)).digest).not.toBe((await simulate(2)).digest)
})
