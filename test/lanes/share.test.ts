/** Bounds are for all lanes together: their shares come to the whole. */

import { expect, test } from 'bun:test'
import { loadOptions } from '../../src/config/load.ts'
import type { Options } from '../../src/config/options.ts'
import { RESTART_PAUSE_MS, RestartPause } from '../../src/lanes/restart-pause.ts'
import { shareFault, shareOf } from '../../src/lanes/share.ts'

function options(...args: string[]): Options {
  const loaded = loadOptions(args, {})
  if (loaded.kind !== 'options') throw new Error(JSON.stringify(loaded))
  return loaded.options
}

test('shares come to the whole, differ by one at the most, and are never nothing', () => {
  const all = options('--lanes', '4', '--max-queue', '1001', '--threads', '3', '--max-workers', '32')
  const shares = [0, 1, 2, 3].map((lane) => shareOf(all, lane))
  expect(shares.map(({ maxQueue }) => maxQueue)).toEqual([251, 250, 250, 250])
  expect(shares.map(({ threads }) => threads)).toEqual([1, 1, 1, 1])
  expect(shares.map(({ maxWorkers }) => maxWorkers)).toEqual([8, 8, 8, 8])
  for (const name of ['journalBytesMax', 'intakeBytesMax', 'idempotencyKeysMax'] as const) {
    expect(shares.reduce((sum, share) => sum + share[name], 0)).toBe(all[name])
  }
  expect(shareOf(options('--lanes', '4'), 0).maxQueue).toBeUndefined()
  const { lanes, ...one } = options('--lanes', '1')
  expect(shareOf({ lanes, ...one }, 0)).toEqual({ lanes, ...one })
})

test('a bound whose shares are too small for a body that one lane would take is refused in words', () => {
  const args = ['--journal-bytes-max', '64MiB', '--body-bytes-max', '16MiB']
  expect(shareFault(options(...args, '--lanes', '2'))).toBeUndefined()
  expect(shareFault(options(...args, '--lanes', '3'))).toContain('with --lanes 3 each lane has')
  expect(shareFault(options('--journal-bytes-max', '1MiB', '--lanes', '1'))).toBeUndefined()
  const intake = ['--intake-bytes-max', '64MiB']
  expect(shareFault(options(...intake, '--lanes', '4'))).toBeUndefined()
  expect(shareFault(options(...intake, '--lanes', '8'))).toBe(
    '--intake-bytes-max is 64MiB: with --lanes 8 each lane has 8MiB of it, and a body of 16MiB needs that. More of it, fewer lanes, or a smaller --body-bytes-max.',
  )
  expect(shareFault(options('--intake-bytes-max', '1MiB', '--lanes', '1'))).toBeUndefined()
})

test('what bodies may take by default is enough for any number of lanes, and for any body', () => {
  for (const args of [[], ['--body-bytes-max', '40MiB'], ['--body-bytes-max', '1KiB']]) {
    for (const lanes of [1, 4, 5, 7, 64]) {
      const all = options('--journal-bytes-max', '1000GiB', '--lanes', String(lanes), ...args)
      expect(shareFault(all)).toBeUndefined()
      expect(all.intakeBytesMax).toBe(Math.max(64 * 1024 ** 2, lanes * all.bodyBytesMax))
    }
  }
})

test('a lane that keeps ending waits longer and longer, up to a bound; one that has lived for a while does not', () => {
  const pause = new RestartPause()
  const pauses = Array.from({ length: 12 }, () => pause.after(500))
  expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800])
  expect(pauses.at(-1)).toBe(RESTART_PAUSE_MS.max)
  expect(pause.after(60_000)).toBe(RESTART_PAUSE_MS.min)
})
