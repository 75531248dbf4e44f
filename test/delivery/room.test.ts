/** An open segment that can't be sealed is delivered under its name, and may end with room for frames that never came. */

import { expect, test } from 'bun:test'
import { deliver } from '../../src/delivery/deliver.ts'
import { HEADER, segmentOf } from '../journal/segment-files.ts'
import { MemoryFiles } from '../memory-files.ts'
import { quiet } from '../memory-platform.ts'
import { HandlerBench, segmentAt } from './handler-bench.ts'
import { array, contextOf, LANE } from './memory-thread.ts'

const PATH = `${LANE}/0000000000000001.open`

function files(): MemoryFiles {
  const files = new MemoryFiles()
  const { bytes } = segmentOf({ ...HEADER, number: 1 }, [[array(0, 2)], [array(10, 2)]])
  files.put(PATH, Buffer.concat([bytes, Buffer.alloc(5000)]))
  return files
}

test('to a destination it is no damage', async () => {
  const { context, store, events } = contextOf(files())
  const delivered = await deliver(PATH, context, () => {})
  expect(delivered).toMatchObject({ kind: 'stored', payloads: 4, letters: [] })
  expect(Object.values(store.lines()).flat()).toHaveLength(4)
  expect(events).toEqual([])
})

test('to a function it is none either', async () => {
  const bench = new HandlerBench(files())
  bench.answer = (made) => made.take()
  const delivered = bench.deliveries.deliver({ ...segmentAt(), path: PATH })
  await quiet()
  expect(await delivered).toMatchObject({ payloads: 4, letters: [] })
  expect(bench.events).toEqual([])
})
