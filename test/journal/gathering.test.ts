/** When a frame is written: never later than it is worth, and at once where nobody else is about to send. */

import { describe, expect, test } from 'bun:test'
import type { Sender } from '../../src/journal/journal.ts'
import { memoryPlatform, quiet } from '../memory-platform.ts'
import { LANE, type Opened, opened } from './opened.ts'

const senders = (count: number): Sender[] => Array.from({ length: count }, () => ({ round: 0 }))

/** How many records each frame so far has; one holds what was synced together. */
function frames({ platform }: Opened): number[] {
  const counts: number[] = []
  let records = 0
  for (const line of platform.files.log.toReversed()) {
    if (line.startsWith('receipt')) records += 1
    if (line === `datasync ${LANE}/0000000000000001.open` && records > 0) {
      counts.unshift(records)
      records = 0
    }
  }
  return counts
}

/** A journal to which each of them has sent a record just now, all in one frame, and been answered; so it was before, too. */
async function after(known: readonly Sender[], options: object = {}): Promise<Opened> {
  const it = await opened(memoryPlatform(), options)
  const allSend = async (pauseMs: number) => {
    for (const sender of known) it.append('0', {}, sender)
    await it.platform.clock.advance(pauseMs)
  }
  for (let times = 0; times < 2; times++) await allSend(0)
  // From here on nobody is waited for, to see how fast records come then: for 10 ms.
  it.append('0', {}, known[0])
  await quiet()
  for (const pauseMs of [5, 6, 1, 0]) await allSend(pauseMs)
  expect(it.answers.every(({ receipt }) => receipt !== undefined)).toBe(true)
  it.platform.files.log.length = 0
  return it
}

/** Clients that send again as soon as they have an answer and `thinkMs` are over, for a second; how many records each sent. */
async function sent(
  clients: readonly { over: readonly Sender[]; thinkMs: number }[],
): Promise<Opened & { counts: number[] }> {
  const it = await opened(memoryPlatform(), { lingerMs: 60_000 })
  const states = clients.map(({ over, thinkMs }) => ({
    over,
    thinkMs,
    count: 0,
    dueMs: 0,
    answer: it.append('0', {}, over[0]),
  }))
  for (let nowMs = 0; nowMs < 1000; nowMs += 0.25) {
    for (const state of states) {
      if (state.answer.receipt === undefined || nowMs < state.dueMs) continue
      state.count += 1
      state.answer = it.append('1', {}, state.over[state.count % state.over.length])
      state.dueMs = nowMs + state.thinkMs
    }
    await it.platform.clock.advance(0.25)
  }
  return Object.assign(it, { counts: states.map(({ count }) => count) })
}

describe('a client that waits for each answer does not wait for those who never come', () => {
  test('over a few connections in turn, or a new one each time', async () => {
    const { counts: inTurn } = await sent([{ over: senders(4), thinkMs: 0 }])
    expect(inTurn[0]).toBeGreaterThan(3600)
    const { counts: anew } = await sent([{ over: senders(4001), thinkMs: 0 }])
    expect(anew[0]).toBeGreaterThan(3600)
  })

  test('beside some that send now and then', async () => {
    const { counts } = await sent([
      { over: senders(1), thinkMs: 0 },
      { over: senders(1), thinkMs: 10 },
      { over: senders(1), thinkMs: 7 },
    ])
    expect(counts[0]).toBeGreaterThan(3400)
  })

  test('nor do eight of them', async () => {
    const slow = senders(5).map((sender, i) => ({ over: [sender], thinkMs: 8 + i }))
    const { counts } = await sent([...senders(8).map((sender) => ({ over: [sender], thinkMs: 0 })), ...slow])
    for (const count of counts.slice(0, 8)) expect(count).toBeGreaterThan(3000)
  })
})

test('records of many who wait for nobody share frames', async () => {
  const it = await sent(senders(100).map((sender) => ({ over: [sender], thinkMs: 50 })))
  const records = it.counts.reduce((sum, count) => sum + count, 0)
  expect(records).toBeGreaterThan(1900)
  expect(it.platform.files.log.filter((line) => line.startsWith('datasync')).length).toBeLessThan(records / 3)
})

describe('a record', () => {
  test('of a client that sends alone is written at once, one after the other', async () => {
    const [a] = senders(1)
    const it = await after([a as Sender])
    for (let i = 0; i < 3; i++) {
      it.append(`${i}`, {}, a)
      await quiet()
    }
    expect(frames(it)).toEqual([1, 1, 1])
  })

  test('waits for the others who have just sent something, and is written as soon as they are all there', async () => {
    const [a, b, c] = senders(3) as [Sender, Sender, Sender]
    const it = await after([a, b, c])
    for (const sender of [c, a]) it.append('1', {}, sender)
    await quiet()
    expect(frames(it)).toEqual([])
    it.append('1', {}, b)
    await quiet()
    expect(frames(it)).toEqual([3])
  })

  test('waits until 2.5 ms after the last frame was begun, and no longer', async () => {
    const [a, b, c] = senders(3) as [Sender, Sender, Sender]
    const it = await after([a, b, c])
    await it.platform.clock.advance(1)
    it.append('1', {}, a)
    await it.platform.clock.advance(1.4)
    expect(frames(it)).toEqual([])
    await it.platform.clock.advance(0.2)
    expect(frames(it)).toEqual([1])
    await it.platform.clock.advance(2.5)
    it.append('2', {}, a)
    await quiet()
    expect(frames(it)).toEqual([1, 1])
  })

  test('does not wait for those who have not sent anything for 20 ms', async () => {
    const [a, b, c] = senders(3) as [Sender, Sender, Sender]
    const it = await after([a, b, c])
    for (let i = 0; i < 9; i++) {
      await it.platform.clock.advance(2.5)
      it.append('1', {}, a)
    }
    await quiet()
    it.append('2', {}, a)
    await quiet()
    expect(frames(it)).toEqual(Array(10).fill(1))
  })

  test('does not wait for those who come from nobody in particular', async () => {
    const it = await opened()
    for (let i = 0; i < 5; i++) it.append('0')
    await quiet()
    it.append('1')
    await quiet()
    expect(frames(it)).toEqual([5, 1])
  })

  test('does not wait where there are 64, or 512 KiB', async () => {
    const known = senders(200)
    const it = await after(known)
    for (const sender of known.slice(0, 63)) it.append('1', {}, sender)
    await quiet()
    expect(frames(it)).toEqual([])
    it.append('1', {}, known[63])
    await quiet()
    expect(frames(it)).toEqual([64])
    it.append(`"${'x'.repeat(512 << 10)}"`, {}, known[0])
    await quiet()
    expect(frames(it)).toEqual([64, 1])
  })
})

test('a segment that is due is sealed in time, and what waits goes into the next', async () => {
  const [a, b, c] = senders(3) as [Sender, Sender, Sender]
  const it = await after([a, b, c], { lingerMs: 13 })
  it.append('1', {}, a)
  await it.platform.clock.advance(0.9)
  expect(it.sealed).toEqual([])
  await it.platform.clock.advance(0.1)
  expect(it.sealed.map(({ payloads }) => payloads)).toEqual([19])
  expect(it.answers.every(({ receipt }) => receipt !== undefined)).toBe(true)
})

test('what overflows a frame has the one before it written at once', async () => {
  const [a, b, c] = senders(3) as [Sender, Sender, Sender]
  const it = await after([a, b, c])
  it.append('1', {}, a)
  await quiet()
  it.append(`"${'x'.repeat(1 << 20)}"`, {}, b)
  await quiet()
  expect(frames(it)).toEqual([1, 1])
})

test('a close waits for nobody, and what waits is kept', async () => {
  const [a, b, c] = senders(3) as [Sender, Sender, Sender]
  const it = await after([a, b, c])
  it.append('1', {}, a)
  await quiet()
  await it.journal.close()
  expect(frames(it)).toEqual([1])
  expect(it.sealed.map(({ payloads }) => payloads)).toEqual([20])
})
