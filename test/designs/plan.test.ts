/** What a run is made of before it begins. */

import { expect, test } from 'bun:test'
import { loadCommand } from '../../src/config/load-command.ts'
import { capacityPerSecond, defaultRates, expectedMs } from '../../src/designs/plan.ts'

function asked(...args: string[]) {
  const loaded = loadCommand(['bench', 'designs', ...args], {}, 0)
  return loaded.kind === 'command' ? loaded.command.designs : loaded
}

test('the work can take so many uploads a second as fit', () => {
  expect(capacityPerSecond({ workers: 8, jobTimeMs: 20 })).toBe(400)
  expect(capacityPerSecond({ workers: 1, jobTimeMs: 300 })).toBeCloseTo(3.33, 2)
})

test('rates rise from below what the work can take to far past it', () => {
  expect(defaultRates(400, 20_000)).toEqual([200, 400, 800, 1600, 3200])
})

test('rates stay within what a generator can do, and none is there twice', () => {
  expect(defaultRates(8000, 20_000)).toEqual([4000, 8000, 16_000, 20_000])
  expect(defaultRates(0.4, 20_000)).toEqual([1, 2, 3])
})

test('by default it takes less than two minutes', () => {
  const designs = asked()
  if ('kind' in designs) throw new Error('the defaults are wrong')
  const settings = { ...designs, rates: defaultRates(capacityPerSecond(designs), 20_000) }
  expect(expectedMs(settings)).toBeLessThan(100_000)
})

test('what is asked for is what is done', () => {
  expect(asked('--job-time', '1s', '--workers=3', '--rates', '5,50', '--queue', '7')).toEqual({
    jobTimeMs: 1000,
    workers: 3,
    queue: 7,
    rates: [5, 50],
    stepTimeMs: 4000,
    out: 'millrace-designs.html',
  })
})

test.each([
  ['--rates', '5,0', 'whole numbers, with commas between them, each from 1 to 20000'],
  ['--rates', '5;6', 'whole numbers, with commas between them, each from 1 to 20000'],
  ['--job-time', '0ms', 'a duration such as 500ms, 5s or 10m from 1ms to 1m'],
])('%s %s is refused', (flag, value, allowed) => {
  expect(asked(flag, value)).toEqual({ kind: 'wrong', messages: [`${flag} is '${value}'; allowed is ${allowed}`] })
})
