/** Lent memory: what was given back is lent again, up to a bound, and never to two at once. */

import { expect, test } from 'bun:test'
import { ChunkPool } from '../../src/delivery/chunk-pool.ts'

test('a buffer that was given back is lent again, to one only', () => {
  const pool = new ChunkPool(16, 4)
  const first = pool.take()
  expect(first).toHaveLength(16)
  expect(pool.take()).not.toBe(first)
  pool.give(first)
  expect(pool.take()).toBe(first)
  expect(pool.take()).not.toBe(first)
})

test('no more are kept than the bound, and none of another size', () => {
  const pool = new ChunkPool(16, 2)
  const given = [Buffer.alloc(17), Buffer.alloc(15), pool.take(), pool.take(), pool.take()]
  for (const chunk of given) pool.give(chunk)
  const again = [pool.take(), pool.take(), pool.take(), pool.take()]
  expect(again.filter((chunk) => given.includes(chunk))).toHaveLength(2)
  for (const chunk of again) expect(chunk).toHaveLength(16)
})
