/** A delivery of single payloads that was cut off goes on where it was, and never behind what is surely stored. */

import { expect, test } from 'bun:test'
import type { NewRecord } from '../../src/journal/journal.ts'
import { progressPath } from '../../src/journal/name.ts'
import { valueRecord } from '../journal/segment-files.ts'
import type { MemoryFiles } from '../memory-files.ts'
import { quiet } from '../memory-platform.ts'
import { array, contextOf, filesWith, LANE, pathOf, takenWhereThere } from './memory-thread.ts'

const EACH = 4
const RECORDS = 1000
const header = { format: 'payload' as const }
const frames = Array.from({ length: 10 }, (_, frame) =>
  Array.from({ length: RECORDS / 10 }, (_, i) => array((frame * RECORDS) / 10 + i, EACH)),
)
const fresh = (more: readonly (readonly NewRecord[])[] = frames) => filesWith([{ header, frames: more }])
const PATH = progressPath(pathOf(1))

/** Delivers until so many are stored, then hangs, as one whose process is killed. */
async function cutOff(files: MemoryFiles, puts: number, isStored = (_: string) => true) {
  const it = contextOf(files, { putsMax: 8 })
  const { promise: never } = Promise.withResolvers<never>()
  let stored = 0
  it.store.answer = ({ name }) => {
    if (!isStored(name) || stored >= puts) return never
    stored += 1
    return { kind: 'stored', already: false }
  }
  void it.run()
  for (let ms = 0; ms < 50; ms++) await quiet()
  return it
}

/** Delivers it to the end, at a destination that has what `before` has. */
async function again(files: MemoryFiles, before: Awaited<ReturnType<typeof cutOff>>, destinationKey = 'test') {
  const it = contextOf(files, { putsMax: 8 })
  it.context.destinationKey = destinationKey
  for (const [name, object] of before.store.objects) it.store.objects.set(name, object)
  takenWhereThere(it.store)
  return { ...it, delivered: await it.run() }
}

const whole = async () => {
  const it = contextOf(fresh())
  return { delivered: await it.run(), objects: it.store.objects }
}

test('what was stored is not put again, but for the last few, and the ledger is told the same', async () => {
  const files = fresh()
  const before = await cutOff(files, 3000)
  expect(before.store.objects.size).toBe(3000)
  const after = await again(files, before)
  const { delivered, objects } = await whole()
  expect(after.delivered).toEqual(delivered)
  expect(after.store.objects).toEqual(objects)
  const left = RECORDS * EACH - 3000
  expect(after.store.puts.length).toBeWithin(left, left + after.context.notePayloads + 8 + 2 * EACH)
  expect(files.get(PATH)).toBeUndefined()
})

test('nothing behind a payload that is not stored counts, however much of it is', async () => {
  const files = fresh()
  const late = /-500-2$/
  const before = await cutOff(files, 3000, (name) => !late.test(name))
  const after = await again(files, before)
  expect(after.store.objects.size).toBe(RECORDS * EACH)
  expect(after.store.puts.filter((name) => late.test(name))).toHaveLength(1)
  expect(after.store.puts.length).toBeWithin(RECORDS * EACH - 500 * EACH, RECORDS * EACH - 400 * EACH)
})

test('nothing behind a dead record counts: it need not be dead the next time', async () => {
  const misfit = valueRecord('[1,2]', { kind: 'array', payloads: 99 })
  const files = fresh([[array(0, EACH), misfit], ...frames])
  const before = await cutOff(files, 3000)
  const after = await again(files, before)
  expect(after.store.puts.length).toBeWithin(RECORDS * EACH, RECORDS * EACH + EACH + 1)
})

test.each([
  ['of another destination', () => {}, 'another'],
  ['cut off', (files: MemoryFiles) => files.put(PATH, files.get(PATH)?.subarray(0, 40) ?? Buffer.alloc(0)), 'test'],
  ['with a wrong place', (files: MemoryFiles) => edit(files, / 0{7}\d/, ' 00000009'), 'test'],
  ['of another segment', (files: MemoryFiles) => edit(files, /0badcafe/, '0badcaff'), 'test'],
  ['that is something else', (files: MemoryFiles) => files.put(PATH, Buffer.from('x')), 'test'],
] as [string, (files: MemoryFiles) => void, string][])(
  'a note %s counts for nothing',
  async (_, change, destinationKey) => {
    const files = fresh()
    const before = await cutOff(files, 3000)
    expect(files.get(PATH)).toBeDefined()
    change(files)
    const after = await again(files, before, destinationKey)
    expect(after.store.puts).toHaveLength(RECORDS * EACH)
    expect(after.delivered).toEqual((await whole()).delivered)
    expect(files.get(PATH)).toBeUndefined()
  },
)

function edit(files: MemoryFiles, what: RegExp, into: string): void {
  const text = Buffer.from(files.get(PATH) ?? []).toString()
  expect(text).toMatch(what)
  files.put(PATH, Buffer.from(text.replace(what, into)))
}

test('a note that can not be written changes nothing else', async () => {
  const files = fresh()
  const open = files.open.bind(files)
  files.open = async (path, mode) => {
    if (path === PATH) throw new Error('ENOSPC')
    return await open(path, mode)
  }
  const { run, store } = contextOf(files)
  expect(await run()).toEqual((await whole()).delivered)
  expect(store.puts).toHaveLength(RECORDS * EACH)
  expect((await files.list(LANE)).filter((name) => name.endsWith('.progress'))).toEqual([])
})
