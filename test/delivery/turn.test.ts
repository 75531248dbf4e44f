/** What deliveries share: one at a time, in order, and never more bytes held than the bound. */

import { describe, expect, test } from 'bun:test'
import { Budget, Turn } from '../../src/delivery/turn.ts'
import type { PutOutcome } from '../../src/destination/destination.ts'
import { quiet, SeededRandom } from '../memory-platform.ts'
import { array, contextOf, filesWith } from './memory-thread.ts'

describe('the turn', () => {
  test('is one holder’s at a time, in the order they came', async () => {
    const turn = new Turn()
    const held: number[] = []
    const leaves: (() => void)[] = []
    for (let i = 0; i < 4; i++) {
      void turn.take().then((leave) => {
        held.push(i)
        leaves.push(leave)
      })
    }
    for (let i = 0; i < 4; i++) {
      await quiet()
      expect(held).toEqual([0, 1, 2, 3].slice(0, i + 1))
      leaves[i]?.()
    }
  })

  test('given back twice lets one in, not two', async () => {
    const turn = new Turn()
    const leave = await turn.take()
    const held: number[] = []
    for (let i = 0; i < 3; i++) void turn.take().then(() => held.push(i))
    leave()
    leave()
    await quiet()
    expect(held).toEqual([0])
  })
})

test('a delivery whose last object is on its way needs no turn any more', async () => {
  const { context, run, store } = contextOf(filesWith([{ frames: [[array(0, 10)]] }]))
  const { promise: answer, resolve } = Promise.withResolvers<PutOutcome>()
  store.answer = () => answer
  const delivered = run()
  while (store.underWay === 0) await new Promise((resolve) => setImmediate(resolve))
  const leave = await context.turn.take()
  resolve({ kind: 'stored', already: false })
  expect(await delivered).toMatchObject({ kind: 'stored', payloads: 10 })
  leave()
})

describe('the byte budget', () => {
  test('is never passed, whatever is taken and given, and everyone is served', async () => {
    const random = new SeededRandom(4)
    const budget = new Budget(1000)
    let held = 0
    let served = 0
    const holders: (() => void)[] = []
    const customer = async (bytes: number) => {
      await budget.take(bytes)
      held += bytes
      expect(held).toBeLessThanOrEqual(1000)
      await new Promise<void>((resolve) => holders.push(resolve))
      held -= bytes
      budget.give(bytes)
      served += 1
    }
    for (let i = 0; i < 300; i++) void customer(random.below(1001))
    for (let turns = 0; served < 300 && turns < 2000; turns++) {
      await quiet()
      holders.splice(random.below(holders.length), 1)[0]?.()
    }
    expect([served, held]).toEqual([300, 0])
  })

  test('holds a body larger than itself, alone', async () => {
    const budget = new Budget(10)
    await budget.take(1)
    const held: string[] = []
    void budget.take(50).then(() => held.push('large'))
    await quiet()
    expect(held).toEqual([])
    budget.give(1)
    await quiet()
    expect(held).toEqual(['large'])
    void budget.take(1).then(() => held.push('small'))
    await quiet()
    expect(held).toEqual(['large'])
    budget.give(50)
    await quiet()
    expect(held).toEqual(['large', 'small'])
  })
})
