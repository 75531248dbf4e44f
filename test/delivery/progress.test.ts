/** How far a function has come survives the process: what is given again after a kill or a power loss, and what never is. */

import { describe, expect, test } from 'bun:test'
import { DeadLetter } from '../../src/delivery/handler.ts'
import { PROGRESS_EVERY_MS } from '../../src/delivery/progress.ts'
import { Ranges } from '../../src/delivery/ranges.ts'
import { HEADER, valueRecord } from '../journal/segment-files.ts'
import type { MemoryFiles } from '../memory-files.ts'
import { quiet, SeededRandom } from '../memory-platform.ts'
import { HandlerBench, segmentAt } from './handler-bench.ts'
import { array, filesWith, LANE } from './memory-thread.ts'

const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1)
const singles = (count: number) => Array.from({ length: count }, (_, i) => valueRecord(`${i}`))
const handledIn = (files: MemoryFiles) => [...files.all().keys()].filter((path) => path.includes('/handled/'))
const names = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}.0`)

describe('a segment that is over', () => {
  test('at once, leaves no file at all', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(100)] }]))
    bench.answer = (made) => made.take()
    await bench.deliver()
    bench.deliveries.over(segmentAt())
    await bench.platform.clock.advance(1000)
    expect(bench.platform.files.log).toEqual([])
  })

  test('takes its file with it when its line is in the ledger', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(10)] }]))
    await bench.deliver()
    for (const made of bench.made) made.take()
    await bench.platform.clock.advance(PROGRESS_EVERY_MS)
    expect(handledIn(bench.platform.files)).toEqual([`${LANE}/handled/0000000000000001-${HEADER.tag}.0`])
    bench.deliveries.over(segmentAt())
    await quiet()
    expect(handledIn(bench.platform.files)).toEqual([])
  })

  test('and whose file was left behind by a crash, has it removed at the next start', async () => {
    const files = filesWith([{ frames: [singles(1)] }])
    files.put(`${LANE}/handled/0000000000000007-0badcafe.3`, Buffer.from('x'))
    const bench = new HandlerBench(files)
    bench.answer = (made) => made.take()
    await bench.deliver()
    expect(handledIn(files)).toEqual([])
  })
})

describe('after a kill', () => {
  test('what was taken a tenth of a second before it is not given again; what was under way is', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(20)] }]), { callsMax: 3 })
    await bench.deliver()
    for (const next of [0, 2, 3, 4, 5]) {
      bench.made[next]?.take()
      await quiet()
    }
    await bench.platform.clock.advance(PROGRESS_EVERY_MS)
    bench.made[6]?.take()
    await quiet()
    const next = new HandlerBench(bench.platform.files.crash(new SeededRandom(1)))
    next.answer = (made) => made.take()
    const { outcome } = await next.deliver()
    // 1 and 7 were under way, 6 was taken in the last moment.
    expect(next.names).toEqual(['1.0', ...names(6, 20)])
    expect(outcome()).toMatchObject({ kind: 'stored', payloads: 20, letters: [] })
  })

  test('calls begin in the order of arrival, also where a file says how far the first segment has come', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(3)] }, { frames: [singles(3)] }]), { callsMax: 1 })
    await bench.deliver(1)
    bench.made[0]?.take()
    await bench.platform.clock.advance(PROGRESS_EVERY_MS)
    const next = new HandlerBench(bench.platform.files.killed(), { callsMax: 4 })
    const both = [next.deliver(1), next.deliver(2)]
    await Promise.all(both)
    expect(next.made.map(({ receipt, name }) => [receipt.split('-')[2], name])).toEqual([
      ['1', '1.0'],
      ['1', '2.0'],
      ['2', '0.0'],
      ['2', '1.0'],
    ])
  })

  test('a record of which some payloads were given one by one goes on so, whatever is wanted now', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [[array(0, 5), array(5, 2)]] }]), { batch: 'payload' })
    await bench.deliver()
    bench.made[1]?.take()
    bench.made[2]?.fail(new DeadLetter('never'))
    await bench.platform.clock.advance(PROGRESS_EVERY_MS)
    const next = new HandlerBench(bench.platform.files.killed(), { batch: 'record' })
    next.answer = (made) => made.take()
    const { outcome } = await next.deliver()
    expect(next.names).toEqual(['0.0', '0.3', '0.4', '1.0', '1.1'])
    expect(outcome()).toMatchObject({
      payloads: 6,
      letters: [{ place: 0, payloads: 1, indexes: [2], reason: 'never' }],
    })
  })

  test('a dead letter stays dead, also before its file was there', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(3)] }]))
    await bench.deliver()
    const free = bench.platform.files.hold('open', /\/dead\//)
    bench.made[1]?.fail(new DeadLetter('never'))
    await quiet()
    const next = new HandlerBench(bench.platform.files.crash(new SeededRandom(1)))
    free()
    next.answer = (made) => made.take()
    const { outcome } = await next.deliver()
    expect(next.names).toEqual(['0.0', '2.0'])
    expect(outcome()).toMatchObject({ payloads: 2, letters: [{ place: 1, payloads: 1, reason: 'never' }] })
    expect(next.platform.files.get(`${LANE}/dead/${HEADER.node}-0-1-${HEADER.tag}-1.dead`)).toBeDefined()
  })

  test.each([
    { batch: 'record', frames: [singles(8)], nameOf: (payload: number) => `${payload}.0` },
    { batch: 'payload', frames: [[array(0, 8)]], nameOf: (payload: number) => `0.${payload}` },
  ] as const)(
    'a file that was cut or damaged anywhere, batch $batch: what it no longer says is given again, and nothing counts as taken that was not',
    async ({ batch, frames, nameOf }) => {
      const bench = new HandlerBench(filesWith([{ frames }]), { callsMax: 1, batch })
      bench.answer = (made) => {
        if (made.payloads[0] === 6) return
        if (Number(made.payloads[0]) % 2 === 0) made.take()
        else made.fail(new DeadLetter('never'))
      }
      await bench.deliver()
      await bench.platform.clock.advance(PROGRESS_EVERY_MS)
      bench.answer = (made) => made.fail(new DeadLetter('never'))
      bench.open[0]?.take()
      await bench.platform.clock.advance(PROGRESS_EVERY_MS)
      const [path = ''] = handledIn(bench.platform.files)
      const whole = Buffer.from(bench.platform.files.get(path) ?? '')
      const fewest = new Set<number>()
      for (let at = 0; at <= whole.length; at += 5) {
        const flipped = Buffer.from(whole)
        flipped[at] = (flipped[at] ?? 0) ^ 1
        for (const bytes of [whole.subarray(0, at), flipped]) {
          const files = filesWith([{ frames }])
          files.put(path, bytes)
          const next = new HandlerBench(files, { batch })
          next.answer = (made) => made.take()
          const { outcome } = await next.deliver()
          const delivered = outcome()
          if (delivered?.kind !== 'stored') throw new Error('it is not over')
          const dead = delivered.letters.flatMap(({ place, indexes }) => indexes ?? place ?? [])
          const forgotten = [1, 3, 5, 7].filter(
            (payload) => !next.names.includes(nameOf(payload)) && !dead.includes(payload),
          )
          expect([at, forgotten, delivered.payloads + dead.length]).toEqual([at, [], 8])
          fewest.add(next.made.length)
        }
      }
      expect(Math.min(...fewest)).toBeLessThan(3)
      expect(Math.max(...fewest)).toBe(8)
    },
  )

  test('a line that can’t be read ends what is believed', async () => {
    const bench = new HandlerBench(filesWith([{ frames: [singles(9)] }]), { callsMax: 1 })
    bench.answer = (made) => (made.name === '4.0' ? undefined : made.take())
    await bench.deliver()
    await bench.platform.clock.advance(PROGRESS_EVERY_MS)
    const files = bench.platform.files.killed()
    const [path = ''] = handledIn(files)
    const text = Buffer.from(files.get(path) ?? '').toString()
    expect(text).toContain('"over":[[0,4]]')
    files.put(path, Buffer.from(text.replace('[[0,4]]', '[[0,8]]')))
    const next = new HandlerBench(files)
    next.answer = (made) => made.take()
    await next.deliver()
    expect(next.names).toEqual(names(0, 9))
  })
})

describe('a file that can’t be written', () => {
  test.each(['open', 'write', 'datasync', 'sync-directory'] as const)(
    '%s: another says it all, a second later',
    async (operation) => {
      const bench = new HandlerBench(filesWith([{ frames: [singles(20)] }]), { callsMax: 2 })
      const { files, clock } = bench.platform
      await bench.deliver()
      bench.made[0]?.take()
      files.fail(operation, /handled/, 'EIO')
      await clock.advance(PROGRESS_EVERY_MS)
      bench.made[2]?.take()
      await clock.advance(1000)
      expect(bench.events.map(({ kind }) => kind)).toEqual(['delivery-crash'])
      expect(files.breaches).toEqual([])
      const next = new HandlerBench(files.crash(new SeededRandom(1)))
      next.answer = (made) => made.take()
      await next.deliver()
      expect(next.names).toEqual(['1.0', ...names(3, 20)])
    },
  )

  test('gets no longer than a bound', async () => {
    const records = Array.from({ length: 1200 }, (_, i) => valueRecord(`${i}`))
    const bench = new HandlerBench(filesWith([{ frames: [records] }]))
    const { files } = bench.platform
    let longest = 0
    bench.answer = (made) => {
      made.fail(new DeadLetter('x'.repeat(400)))
      for (const path of handledIn(files)) longest = Math.max(longest, files.get(path)?.length ?? 0)
    }
    const { outcome } = await bench.deliver()
    while (!outcome()) await quiet()
    const all = 1200 * 500
    expect(longest).toBeLessThan(all + 300_000)
    expect(handledIn(files)).toHaveLength(1)
  })
})

/** Every payload's fate is its own: taken, or dead, after so many failures. */
const isDead = (payload: number) => payload % 11 === 3

test.each(SEEDS)(
  'seed %d: killed, or without power, at any moment, every payload is taken or dead, and what is dead is kept',
  async (seed) => {
    const random = new SeededRandom(seed)
    const frames = Array.from({ length: 4 }, (_, f) => Array.from({ length: 6 }, (_, r) => array(100 * f + 10 * r, r)))
    let files = filesWith([{ frames }])
    const taken = new Map<number, number>()
    /** Taken so long before the end of a process that it must not be given again. */
    const settled = new Set<number>()
    let processes = 0
    for (;;) {
      processes += 1
      const batch = random.below(2) === 0 ? 'record' : 'payload'
      const bench = new HandlerBench(files, { batch, callsMax: 1 + random.below(5) }, seed + processes)
      const bound = random.below(40)
      bench.platform.files.operationsLeft = processes > 20 ? Number.POSITIVE_INFINITY : bound
      const takenAtMs = new Map<number, number>()
      bench.answer = (made) => {
        const payloads = made.payloads as number[]
        for (const payload of payloads) expect(settled).not.toContain(payload)
        if (random.below(4) === 0) return made.fail(new Error('not yet'))
        if (payloads.some(isDead)) return made.fail(new DeadLetter('never'))
        for (const payload of payloads) {
          taken.set(payload, (taken.get(payload) ?? 0) + 1)
          takenAtMs.set(payload, bench.platform.clock.monotonicMs())
        }
        made.take()
      }
      const { outcome } = await bench.deliver()
      for (let step = 0; step < 100 && !outcome(); step++) {
        await bench.platform.clock.advance(random.below(50))
        if (random.below(12) === 0 && processes < 20) break
      }
      const delivered = outcome()
      if (delivered?.kind === 'stored') {
        const dead = delivered.letters.reduce((sum, { payloads }) => sum + payloads, 0)
        expect(delivered.payloads + dead).toBe(4 * 15)
        for (const { place, payloads } of delivered.letters) {
          const path = `${LANE}/dead/${HEADER.node}-0-1-${HEADER.tag}-${place}.dead`
          const [line = ''] = Buffer.from(bench.platform.files.get(path) ?? '')
            .toString()
            .split('\n')
          expect(JSON.parse(line)).toMatchObject({ payloads })
        }
        break
      }
      if (bench.platform.files.operationsLeft > 0) {
        const nowMs = bench.platform.clock.monotonicMs()
        for (const [payload, atMs] of takenAtMs) if (atMs < nowMs - PROGRESS_EVERY_MS) settled.add(payload)
      }
      files = random.below(2) === 0 ? bench.platform.files.killed() : bench.platform.files.crash(random)
      expect(bench.platform.files.breaches).toEqual([])
    }
  },
)

test.each(SEEDS)('seed %d: ranges are the numbers that were added', (seed) => {
  const random = new SeededRandom(seed)
  const ranges = new Ranges()
  const numbers = new Set<number>()
  for (let i = 0; i < 200; i++) {
    const first = random.below(300)
    const count = 1 + random.below(4)
    ranges.add(first, count)
    for (let number = first; number < first + count; number++) numbers.add(number)
  }
  const listed = ranges.list().flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i))
  expect(listed).toEqual([...numbers].toSorted((a, b) => a - b))
  for (let number = 0; number < 310; number++) expect(ranges.has(number)).toBe(numbers.has(number))
  const gaps = ranges.list().slice(1)
  for (const [i, [first]] of gaps.entries()) {
    const [before, count] = ranges.list()[i] ?? [0, 0]
    expect(first).toBeGreaterThan(before + count)
  }
})
