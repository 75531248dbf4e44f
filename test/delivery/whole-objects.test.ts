/** Whole objects are what a slow encoder makes of the same records, to the byte: names, lines, runs, ledger. */

import { expect, test } from 'bun:test'
import { LineRuns } from '../../src/delivery/line-runs.ts'
import { objectName } from '../../src/delivery/object-name.ts'
import type { NewRecord } from '../../src/journal/journal.ts'
import type { SegmentHeader } from '../../src/journal/layout.ts'
import { receiptPrefix } from '../../src/journal/name.ts'
import { recordBytes } from '../../src/journal/record.ts'
import { HEADER } from '../journal/segment-files.ts'
import { nameText, space, spaced, stringText, valueText } from '../json/random-json.ts'
import { type Seeded, seeded } from '../seeded.ts'
import { contextOf, filesWith } from './memory-thread.ts'

const HOUR_MS = 3_600_000
const NOON_MS = Date.UTC(2026, 10, 21, 12)
/** What an output of lines holds. */
const OUTPUT_BYTES = 64 * 1024

/** A record, and what is known of it because it was made that way. */
interface Sample {
  record: NewRecord
  version: string
  /** As they stand in the lines; undefined when the record holds something else than it says. */
  payloads: readonly string[] | undefined
}

/** Payload by payload, with strings: as slow as it is plain. */
class SlowEncoder {
  readonly objects: { name: string; text: string; lines: number; runs: LineRuns }[] = []
  readonly letters: number[] = []
  payloads = 0
  bytes = 0
  readonly #header: SegmentHeader
  readonly #open = new Map<
    string,
    { receivedAtMs: number; source: string; part: number; bytes: number; counts: Map<number, number> }
  >()
  readonly #lines = new Map<string, string[]>()
  readonly #parts = new Map<string, number>()

  constructor(header: SegmentHeader, samples: readonly Sample[]) {
    this.#header = header
    for (const [place, sample] of samples.entries()) this.#record(place, sample)
    for (const key of [...this.#open.keys()]) this.#finish(key)
  }

  #record(place: number, { record, version, payloads }: Sample) {
    const { source, receivedAtMs } = record
    if (payloads === undefined) {
      this.letters.push(place)
      return
    }
    this.bytes += recordBytes(record)
    for (const [index, payload] of payloads.entries()) {
      const key = `${source} ${Math.floor(receivedAtMs / HOUR_MS)}`
      const part = this.#parts.get(key) ?? 0
      const object = this.#open.get(key) ?? { receivedAtMs, source, part, bytes: 0, counts: new Map() }
      this.#open.set(key, object)
      object.counts.set(place, (object.counts.get(place) ?? 0) + 1)
      const lines = this.#lines.get(key) ?? []
      this.#lines.set(key, lines)
      const receipt = receiptPrefix(this.#header) + place
      const received = new Date(receivedAtMs).toISOString()
      const head = `{"receipt":"${receipt}","index":${index},"received_at":"${received}","version":${version}`
      const line = `${head},"source":${JSON.stringify(source)},"payload":${payload.replace(/[\r\n]/g, ' ')}}\n`
      lines.push(line)
      object.bytes += Buffer.byteLength(line)
      if (object.bytes >= this.#header.objectBytesMax) this.#finish(key)
    }
  }

  #finish(key: string) {
    const { part, counts, source, receivedAtMs } = this.#open.get(key)!
    const lines = this.#lines.get(key)!
    const runs = new LineRuns()
    for (const [place, count] of counts) runs.add(place, count)
    this.objects.push({
      name: objectName(this.#header, { source, receivedAtMs }, part),
      text: lines.join(''),
      lines: lines.length,
      runs,
    })
    this.payloads += lines.length
    this.#parts.set(key, part + 1)
    this.#open.delete(key)
    this.#lines.delete(key)
  }
}

/** A payload's text: mostly short, now and then longer than an output. */
function payloadText(random: Seeded): string {
  if (!random.chance(0.01)) return valueText(random)
  const bytes = random.pick([OUTPUT_BYTES - 200, OUTPUT_BYTES, 3 * OUTPUT_BYTES]) + random.below(120)
  return `[${space(random)}"${'\\"[,'.repeat(bytes >> 2)}"${space(random)},${valueText(random)}]`
}

function sampleOf(random: Seeded): Sample {
  const sample = wholeSample(random)
  sample.record = {
    ...sample.record,
    source: random.chance(0.8) ? 'default' : random.pick(['b', 'be', 'ü"']),
    receivedAtMs: NOON_MS + (random.chance(0.7) ? 0 : random.pick([-1, 1, 2, HOUR_MS - 1, HOUR_MS])),
    ...(random.chance(0.1) ? { note: random.bytes(1 + random.below(30)) } : {}),
  }
  if (random.chance(0.98)) return sample
  return { ...sample, record: { ...sample.record, payloads: sample.record.payloads + 1 }, payloads: undefined }
}

function wholeSample(random: Seeded): Sample {
  const count = random.chance(0.05) ? random.below(400) : random.below(5)
  const payloads = Array.from({ length: count }, () => payloadText(random))
  const array = (texts: readonly string[]) => {
    return `[${texts.length > 0 ? texts.map((text) => spaced(random, text)) : space(random)}]`
  }
  const sample = (kind: NewRecord['kind'], text: string, payloads: string[], version = 'null') => {
    const record = { kind, body: Buffer.from(text), payloads: payloads.length, receivedAtMs: 0, source: '' }
    return { record, version, payloads }
  }
  const kind = random.below(4)
  if (kind === 0) {
    const one = payloadText(random)
    return sample('value', spaced(random, one), [one])
  }
  if (kind === 1) return sample('array', spaced(random, array(payloads)), payloads)
  if (kind === 2) {
    const lines = payloads.map((text) => text.replaceAll('\n', ' '))
    const end = () => random.pick(['\n', '\r\n', ' \n\t\n'])
    return sample('lines', lines.map((line) => `${random.pick(['', ' '])}${line}${end()}`).join(''), lines)
  }
  const version = stringText(random)
  const members = [
    ...(random.chance(0.2) ? [`"data":${array([valueText(random)])}`] : []),
    `${nameText(random, 'version')}:${spaced(random, version)}`,
    `${spaced(random, '"token"')}:${stringText(random)}`,
    `${spaced(random, nameText(random, 'data'))}:${spaced(random, array(payloads))}`,
    ...(random.chance(0.2) ? [`${stringText(random)}:${valueText(random)}`] : []),
  ]
  return sample('collection', spaced(random, `{${members.join(',')}}`), payloads, version)
}

/** Delivers these frames and compares all that is told and stored of them. */
async function expectObjects(frames: readonly (readonly Sample[])[], objectBytesMax: number) {
  const expected = new SlowEncoder({ ...HEADER, objectBytesMax }, frames.flat())
  const records = frames.map((samples) => samples.map(({ record }) => record))
  const { run, store, context } = contextOf(filesWith([{ header: { objectBytesMax }, frames: records }]))
  context.lines = lines
  const delivered = await run()
  if (delivered.kind !== 'stored') throw new Error('it was not told to stop')
  // Of a mixed segment some may be put twice, and objects come in another order.
  expect([...new Set(store.puts)].toSorted()).toEqual(expected.objects.map(({ name }) => name).toSorted())
  const told = new Map(delivered.objects.map((object) => [object.name, object]))
  expect(told.size).toBe(delivered.objects.length)
  for (const { name, text, lines, runs } of expected.objects) {
    const body = Buffer.from(store.objects.get(name)!.body)
    if (body.toString() !== text) throw new Error(`${name}: ${body.toString().slice(0, 2000)}\nexpected ${text}`)
    expect(told.get(name)).toMatchObject({ bytes: body.length, lines, runs: runs.list() })
  }
  expect([delivered.payloads, delivered.bytes]).toEqual([expected.payloads, expected.bytes])
  expect(new Set(delivered.letters.map(({ place }) => place))).toEqual(new Set(expected.letters))
  expect(delivered.letters).toHaveLength(expected.letters.length)
  return expected
}

/** The same memory for all of them, as in a thread. */
const { lines } = contextOf(filesWith([])).context

test.each([20, 21, 22, 23, 24])('of random records, sources, hours and sizes, from seed %d', async (seed) => {
  const random = seeded(seed)
  const seen = { objects: 0, letters: 0, payloads: 0 }
  for (let round = 0; round < 8; round++) {
    const frames: Sample[][] = [[]]
    let bytes = 0
    for (let left = random.below(150); left > 0; left--) {
      const sample = sampleOf(random)
      bytes += recordBytes(sample.record)
      // A test's frame has 1 MiB.
      if (bytes > 1_000_000 || random.chance(0.02)) {
        frames.push([])
        bytes = recordBytes(sample.record)
      }
      frames.at(-1)?.push(sample)
    }
    // An object of its own for each payload takes its time.
    const objectBytesMax = random.pick(round === 0 ? [1, 400] : [5000, 9999, OUTPUT_BYTES, 200_000, 1 << 20])
    const { objects, letters, payloads } = await expectObjects(frames, objectBytesMax)
    seen.objects += objects.length
    seen.letters += letters.length
    seen.payloads += payloads
  }
  expect(seen.objects).toBeGreaterThan(50)
  expect(seen.letters).toBeGreaterThan(2)
  expect(seen.payloads).toBeGreaterThan(1000)
})

/** A record of these payloads. */
function arrayOf(payloads: readonly string[], more: Partial<NewRecord> = {}): Sample {
  const body = Buffer.from(`[${payloads.join(',')}]`)
  const record = { kind: 'array' as const, body, payloads: payloads.length, receivedAtMs: NOON_MS, source: 'default' }
  return { record: { ...record, ...more }, version: 'null', payloads }
}

test('of long payloads at a record’s end, whatever comes next', async () => {
  const text = JSON.stringify('l'.repeat(OUTPUT_BYTES))
  const long = arrayOf(['1', text])
  const other = arrayOf(['2'], { source: 'other' })
  const misfit: Sample = { ...arrayOf(['1'], { payloads: 2 }), payloads: undefined }
  const nexts = [arrayOf(['3', '4']), other, misfit, arrayOf([]), long]
  for (const objectBytesMax of [1, 100, OUTPUT_BYTES, OUTPUT_BYTES + 200, OUTPUT_BYTES + 500, 1 << 20]) {
    for (const next of nexts) {
      await expectObjects([[long, next, arrayOf(['5', '6'])]], objectBytesMax)
      await expectObjects([[long], [next, arrayOf(['5', '6'])], [long]], objectBytesMax)
    }
  }
})

test('that fill in the middle of long frames, in memory that others need meanwhile', async () => {
  const payloads = Array.from({ length: 14_000 }, (_, i) => `"${`${i}`.padEnd(90, '.')}"`)
  const frames = [[arrayOf(['1'])], [arrayOf(payloads)], [arrayOf(['2', '3'])]]
  for (const { record } of frames.flat().slice(1, 2)) expect(recordBytes(record)).toBeGreaterThan(1_250_000)
  const files = filesWith(
    [1, 2, 3].map(() => ({
      header: { objectBytesMax: 400_003 },
      frames: frames.map((samples) => samples.map(({ record }) => record)),
    })),
  )
  const { run, store, context } = contextOf(files)
  context.lines = lines
  await Promise.all([1, 2, 3].map(run))
  const bySegment = Map.groupBy([...store.objects], ([name]) => /-0*([123])-0badcafe-/.exec(name)?.[1])
  expect([...bySegment.keys()].sort()).toEqual(['1', '2', '3'])
  for (const objects of bySegment.values()) {
    const text = objects.map(([, { body }]) => Buffer.from(body).toString()).join('')
    const found = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
    expect(objects.length).toBeGreaterThan(5)
    expect(found.map(({ payload }) => JSON.stringify(payload))).toEqual(['1', ...payloads, '2', '3'])
    expect(found.slice(1, -2).every(({ index }, i) => index === i)).toBe(true)
  }
})

test('of a long frame are made of one copy of it, as long as nobody else has the memory', async () => {
  const payloads = Array.from({ length: 5000 }, (_, i) => `"${`${i}`.padEnd(90, '.')}"`)
  const { record } = arrayOf(payloads)
  const frames = [[record], [record]]
  const { run, store, context } = contextOf(filesWith([{ header: { objectBytesMax: 1000 }, frames }]))
  await run()
  expect(store.objects.size).toBeGreaterThan(1000)
  // Once for the segment, and once for each of its frames.
  expect(context.lines.loads).toBe(3)
})
