/** Memory is collected when enough of it lies about, and not before. */

import { expect, test } from 'bun:test'
import { Garbage } from '../../src/platform/garbage.ts'

test('is collected each time that the bound is reached, and counted anew', () => {
  let collected = 0
  const garbage = new Garbage(100, () => collected++)
  const after = [60, 39, 1, 99, 500, 0].map((bytes) => {
    garbage.add(bytes)
    return collected
  })
  expect(after).toEqual([0, 0, 1, 1, 2, 2])
})
