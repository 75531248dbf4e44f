/** Crashes at every operation of a run, and of the start after it: what was acknowledged is there, once, and nothing else. */

import { expect, test } from 'bun:test'
import type { SealedSegment } from '../../src/journal/journal.ts'
import type { MemoryFiles } from '../memory-files.ts'
import { type MemoryPlatform, memoryPlatform, quiet, SeededRandom } from '../memory-platform.ts'
import { type Answer, type Opened, opened } from './opened.ts'
import { type FoundRecord, recordsIn } from './segment-files.ts'

/** What a run had done when it ended or was cut off. */
interface Run {
  answers: Answer[]
  /** Texts of the records in segments whose removal was asked for: they may be gone. */
  delivered: Set<string>
  closed: boolean
}

/** Bursts of appends, a segment sealed by age and several by size, some delivered and removed, and a close. */
async function run(platform: MemoryPlatform): Promise<Run> {
  const result: Run = { answers: [], delivered: new Set(), closed: false }
  const script = async () => {
    const it = await opened(platform, { objectBytesMax: 700 })
    result.answers = it.answers
    for (let i = 0; i < 24; i++) {
      it.append(`"record ${i}"`, { payloads: i % 3 })
      if (i % 5 === 4) await quiet()
      if (i % 12 === 7) await platform.clock.advance(5000)
      if (i % 8 === 6) await deliverAll(it, result.delivered)
    }
    await it.journal.close()
    result.closed = true
  }
  void script()
  // An operation that never ends stops the script; it is over when the machine is quiet.
  for (let turns = 0; turns < 60 && !result.closed; turns++) await quiet()
  return result
}

async function deliverAll(it: Opened, delivered: Set<string>): Promise<void> {
  for (const segment of it.sealed.splice(0)) {
    for (const { text } of await recordsIn(it.platform.files, segment.path)) delivered.add(text)
    await it.journal.remove(segment)
  }
}

/** What a start announces: the records of its sealed segments. */
async function announced(files: MemoryFiles, segments: readonly SealedSegment[]): Promise<FoundRecord[]> {
  const found: FoundRecord[] = []
  for (const { path, payloads } of segments) {
    const records = await recordsIn(files, path)
    expect(records.reduce((sum, record) => sum + record.payloads, 0)).toBe(payloads)
    found.push(...records)
  }
  return found
}

/** Acknowledged ⊆ recovered ⊆ appended, nothing twice, receipts as they were given. */
async function expectKept(at: string, { answers, delivered }: Run, files: MemoryFiles): Promise<void> {
  const it = await opened(memoryPlatform(99, files))
  const found = await announced(files, it.sealed)
  const receipts = new Map(found.map(({ text, receipt }) => [text, receipt]))
  const appended = new Set(answers.map(({ text }) => text))
  const lost = answers.filter(({ text, receipt }) => receipt && !delivered.has(text) && receipts.get(text) !== receipt)
  expect([at, lost]).toEqual([at, []])
  expect([at, found.filter(({ text }) => !appended.has(text))]).toEqual([at, []])
  expect([at, receipts.size]).toEqual([at, found.length])
  expect([at, it.kinds.includes('journal-damage')]).toEqual([at, false])
  expect(it.counted).toEqual(await it.onDisk())
  expect(files.breaches).toEqual([])
}

/** How many operations a whole run takes. */
async function operationsOf(platform: MemoryPlatform): Promise<number> {
  const result = await run(platform)
  expect(result.closed).toBe(true)
  expect(result.answers.every(({ receipt }) => receipt)).toBe(true)
  return platform.files.log.filter((line) => !line.startsWith('receipt')).length
}

async function cutOff(operations: number, platform = memoryPlatform(1)) {
  platform.files.operationsLeft = operations
  return { files: platform.files, result: await run(platform) }
}

test('a power loss after any operation of a run loses nothing acknowledged and brings nothing twice', async () => {
  const operations = await operationsOf(memoryPlatform(1))
  expect(operations).toBeGreaterThan(60)
  for (let k = 0; k <= operations; k++) {
    const { files, result } = await cutOff(k)
    for (let seed = 0; seed < 12; seed++) {
      await expectKept(`after ${k}, seed ${seed}`, result, files.crash(new SeededRandom(seed * 1000 + k)))
    }
  }
})

test('a kill after any operation of a run loses nothing acknowledged, even when the power fails after the start', async () => {
  const operations = await operationsOf(memoryPlatform(1))
  for (let k = 0; k <= operations; k++) {
    const { files, result } = await cutOff(k)
    const afterKill = files.killed()
    await expectKept(`killed after ${k}`, result, afterKill)
    await expectKept(`killed after ${k}, then power lost`, result, afterKill.crash(new SeededRandom(k)))
  }
})

test('a crash after any operation of a start leaves what the next start needs', async () => {
  const operations = await operationsOf(memoryPlatform(1))
  for (let k = 3; k <= operations; k += 4) {
    const { files, result } = await cutOff(k)
    const disk = files.crash(new SeededRandom(k))
    for (let starting = 0; ; starting++) {
      const again = disk.killed()
      again.operationsLeft = starting
      let started = false
      void opened(memoryPlatform(3, again)).then(() => {
        started = true
      })
      await quiet()
      await expectKept(`after ${k}, start cut at ${starting}, killed`, result, again.killed())
      await expectKept(
        `after ${k}, start cut at ${starting}, power lost`,
        result,
        again.crash(new SeededRandom(starting)),
      )
      if (started) break
    }
  }
})

/** A disk that fails a sync, a write in its middle, and the making of a file. */
function failingPlatform(): MemoryPlatform {
  const platform = memoryPlatform(1)
  platform.files.fail('datasync', /0002\.open$/, 'EIO')
  platform.files.fail('write', /0004\.open$/, 'ENOSPC', 40)
  platform.files.fail('datasync', /0006\.open$/, 'EIO')
  return platform
}

test('a power loss after any operation of a run whose disk fails it loses nothing acknowledged either', async () => {
  const whole = failingPlatform()
  const result = await run(whole)
  expect(result.answers.map(({ refusal }) => refusal)).toContain('journal_failed')
  expect(result.answers.map(({ refusal }) => refusal)).toContain('disk_full')
  expect(result.closed).toBe(true)
  for (let k = 0; k <= whole.files.log.length; k++) {
    const cut = await cutOff(k, failingPlatform())
    for (let seed = 0; seed < 4; seed++) {
      await expectKept(`after ${k}, seed ${seed}`, cut.result, cut.files.crash(new SeededRandom(seed * 1000 + k)))
    }
    await expectKept(`killed after ${k}`, cut.result, cut.files.killed())
  }
})
