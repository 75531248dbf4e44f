/**
 * A segment whose last frame is there at one delivery and gone at the next: its sync had failed, nobody was promised it,
 * the page cache had it, and a power loss took it. What both deliveries have is stored once.
 */

import { expect, test } from 'bun:test'
import type { NewRecord } from '../../src/journal/journal.ts'
import { array, contextOf, filesWith } from './memory-thread.ts'

const PROMISED: NewRecord[][] = [[array(0, 1, { source: 'b' })], [array(10, 2, { source: 'a' })]]
/** Enough for one source's object to be full before the segment ends. */
const TAIL: NewRecord[] = [array(20, 9, { source: 'a' })]

/** Delivers the segment with other frames each time to one store, and returns the payloads of all objects in it. */
async function deliverEach(deliveries: NewRecord[][][]): Promise<unknown[]> {
  const objects = new Map<string, string[]>()
  for (const frames of deliveries) {
    const { run, store } = contextOf(filesWith([{ header: { objectBytesMax: 1000 }, frames }]))
    await run()
    // As a destination does it: a name that is taken stays as it is.
    for (const [name, lines] of Object.entries(store.lines())) if (!objects.has(name)) objects.set(name, lines)
  }
  return [...objects.values()].flat().map((line) => JSON.parse(line).payload)
}

test.each([
  ['with its tail first', [[...PROMISED, TAIL], PROMISED]],
  ['without its tail first', [PROMISED, [...PROMISED, TAIL]]],
])('a segment that is delivered %s: nothing is stored twice, nothing promised is missing', async (_, deliveries) => {
  const payloads = await deliverEach(deliveries)
  expect(new Set(payloads).size).toBe(payloads.length)
  expect(payloads).toEqual(expect.arrayContaining([0, 10, 11]))
})
