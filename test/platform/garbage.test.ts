/** Memory is collected when enough of it lies about, and not before. */

import { heapStats } from 'bun:jsc'
import { expect, test } from 'bun:test'
import { Garbage } from '../../src/platform/garbage.ts'

test('is collected each time that the bound is reached, and counted anew', () => {
  let collected = 0
  const garbage = new Garbage({ bytesMax: 100 }, () => collected++)
  const after = [60, 39, 1, 99, 500, 0].map((bytes) => {
    garbage.add(bytes)
    return collected
  })
  expect(after).toEqual([0, 0, 1, 1, 2, 2])
})

test.each([
  { oneOf: 1, expected: ['all', 'all', 'all', 'all'] },
  { oneOf: 3, expected: ['new', 'new', 'all', 'new', 'new', 'all', 'new'] },
])('one of $oneOf collections looks through all there is', ({ oneOf, expected }) => {
  const reached: string[] = []
  const garbage = new Garbage({ bytesMax: 1, oneOf }, (reach) => reached.push(reach))
  for (const _ of expected) garbage.add(1)
  expect(reached.join()).toBe(expected.join())
})

test.each([1, 4])('what nobody holds is gone after %i collections', (oneOf) => {
  const garbage = new Garbage({ bytesMax: 1, oneOf })
  const collect = () => {
    for (let i = 0; i < oneOf; i++) garbage.add(1)
    return heapStats().extraMemorySize
  }
  const before = collect()
  const held = make()
  expect(collect() - before).toBeGreaterThan(BYTES)
  held.length = 0
  expect(collect() - before).toBeLessThan(BYTES / 2)
})

test('what is long and alone in its memory is given back at once; what is left of it counts little', () => {
  let counted = 0
  const garbage = new Garbage({ bytesMax: 1000 }, () => counted++)
  const bytes = Buffer.allocUnsafeSlow(10_000)
  const view = new Uint8Array(bytes.buffer, 1, 10)
  garbage.free(bytes)
  expect([bytes.length, view.length, counted]).toEqual([0, 0, 0])
  garbage.free(Buffer.allocUnsafeSlow(10_000))
  expect(counted).toBe(1)
})

test.each([
  ['short', Buffer.allocUnsafeSlow(100)],
  ['a part', new Uint8Array(10_000).subarray(1)],
  ['shared with another thread', new Uint8Array(new SharedArrayBuffer(10_000))],
])('what is %s stays as it is, and is counted', (_, bytes) => {
  let counted = 0
  const { length } = bytes
  const garbage = new Garbage({ bytesMax: length }, () => counted++)
  garbage.free(bytes)
  expect([bytes.length, counted]).toEqual([length, 1])
})

const BYTES = 64 * (1 << 20)

function make(): ArrayBuffer[] {
  return Array.from({ length: 65 }, () => new ArrayBuffer(BYTES / 64))
}
