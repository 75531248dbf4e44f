/** With `--format payload` every payload is an object of its own: once, whatever is killed, and found again by its receipt. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { millrace } from '../commands/run-command.ts'
import { copyOf, entriesIn, flip, verify } from '../commands/whole-data.ts'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn, readObjectsIn } from '../objects.ts'
import { S3Store, s3Env } from '../s3-store.ts'
import { seeded } from '../seeded.ts'

const JSON_TYPE = 'application/json'

test('names and bytes are the documented ones, and the answer names them', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--format', 'payload', '--linger', '1h', '--compression', 'gzip']
  await using server = await Millrace.start(args)
  const post = async (body: string) =>
    (await (await server.post('/payloads?ack=stored', JSON_TYPE, body)).json()) as {
      receipt: string
      objects: string[]
    }
  const one = await post(' {"a":\n 1}')
  const many = await post('[1, "zwei",\r\n[3]]')
  await server.stop()
  const names = objectNamesIn(scratch.at('data/objects'))
  const [, directory = ''] = /^(default\/date=.{10}\/hour=\d\d)\//.exec(names[0] ?? '') ?? []
  expect(one.objects).toEqual([`${directory}/${one.receipt}-0`])
  expect(many.objects).toEqual([`${directory}/${many.receipt}-[0-2]`])
  const expected = [
    [one.receipt, 0, '{"a":\n 1}'],
    [many.receipt, 0, '1'],
    [many.receipt, 1, '"zwei"'],
    [many.receipt, 2, '[3]'],
  ] as const
  expect(names).toEqual(expected.map(([receipt, index]) => `${directory}/${receipt}-${index}`).sort())
  for (const [receipt, index, text] of expected) {
    expect(readFileSync(scratch.at('data/objects', `${directory}/${receipt}-${index}`), 'utf8')).toBe(text)
  }
})

test('killed in the middle of a segment, again and again: every payload exactly once', async () => {
  using scratch = new Scratch()
  await using store = new S3Store()
  const ledger = new Ledger(seeded(1))
  const args = ['--data', scratch.at('data'), '--to', 's3://test-bucket/p', '--format', 'payload']
  {
    await using server = await Millrace.start([...args, '--linger', '1h'], s3Env(store.endpoint))
    await ledger.run(server.url, 8, () => ledger.keptPayloads > 3000)
    await server.kill()
  }
  let killed = 0
  for (const part of [0.01, 0.3, 0.6, 0.9]) {
    // Under another option too: what is on the disk was begun as it was.
    const more = ['--format', 'lines', '--threads', '2', '--max-workers', '4']
    await using server = Millrace.spawn(['--port', '0', ...args, ...more], s3Env(store.endpoint))
    const enough = async () => {
      while (store.objects.size < ledger.keptPayloads * part) await store.nextPut()
    }
    await Promise.race([enough(), server.exited])
    await server.kill()
    if (store.objects.size < ledger.keptPayloads) killed += 1
  }
  expect(killed).toBeGreaterThan(1)
  await using last = await Millrace.start(args, s3Env(store.endpoint))
  expect(await last.stop()).toEqual({ code: 0, signal: null })
  expect(store.wrongs).toEqual([])
  expect(store.objects.size).toBe(ledger.keptPayloads)
  ledger.expectKept(store.lines())
  expect(readdirSync(scratch.at('data/lane-0')).filter((name) => name.endsWith('.sealed'))).toEqual([])
})

describe('where and verify', () => {
  const home = new Scratch()
  const whole = home.at('whole')
  const receipts: string[] = []

  beforeAll(async () => {
    const args = ['--data', whole, '--linger', '20ms', '--format', 'payload', '--to', join(whole, 'objects')]
    await using server = await Millrace.start(args)
    for (let i = 0; i < 30; i++) {
      const body = JSON.stringify(Array.from({ length: 1 + (i % 4) }, (_, k) => `payload ${i}, ${k}`))
      receipts.push(((await (await server.post('/payloads', JSON_TYPE, body)).json()) as { receipt: string }).receipt)
    }
    await server.stop()
  })
  afterAll(() => home[Symbol.dispose]())

  const payloads = Array.from({ length: 30 }, (_, i) => 1 + (i % 4)).reduce((sum, count) => sum + count)
  const objectPath = (data: string, at: number) => {
    const names = objectNamesIn(join(data, 'objects'))
    return join(data, 'objects', names[at] ?? '')
  }

  test('the ledger stays small: a line tells of a source and an hour, and not of each object', () => {
    for (const { objects, format } of entriesIn(whole)) {
      expect(format).toBe('payload')
      expect(objects.length).toBeLessThanOrEqual(2)
    }
    expect(readObjectsIn(join(whole, 'objects'))).toHaveLength(payloads)
  })

  test('a receipt leads to its objects', async () => {
    for (const receipt of [receipts[0], receipts[7]]) {
      const { code, out } = await millrace(['where', receipt ?? '', '--data', whole, '--json'])
      const { state, objects } = JSON.parse(out)
      expect([code, state, objects.length]).toEqual([0, 'stored', 1])
      const names = objectNamesIn(join(whole, 'objects')).filter((name) => name.includes(`${receipt}-`))
      const expected = names.length === 1 ? names[0] : names[0]?.replace(/0$/, `[0-${names.length - 1}]`)
      expect(objects).toEqual([{ name: expected, payloads: names.length }])
      expect((await millrace(['where', receipt ?? '', '--data', whole])).out).toContain(`${expected}\n`)
    }
  })

  test('what is whole is said to be, deep as well', async () => {
    for (const more of [[], ['--deep']]) {
      const { code, report } = await verify(whole, ...more)
      expect([code, report.problems]).toEqual([0, []])
      expect([report.objects, report.objects_checked, report.stored.payloads]).toEqual([payloads, payloads, payloads])
    }
  })

  test('objects that are gone are missing, and named', async () => {
    using scratch = new Scratch()
    const data = copyOf(whole, scratch)
    const paths = [20, 21].map((at) => objectPath(data, at))
    for (const path of paths) rmSync(path)
    for (const more of [[], ['--deep']]) {
      const { code, report } = await verify(data, ...more)
      expect([code, new Set(report.problems.map(({ kind }) => kind))]).toEqual([1, new Set(['object_missing'])])
      expect(report.problems[0]?.detail).toMatch(/^[12] of its \d+ objects are not there$/)
      // Segments are looked at side by side.
      expect(report.problems.flatMap(({ objects = [] }) => objects).toSorted()).toEqual(paths)
    }
    const { out } = await millrace(['verify', '--data', data])
    for (const path of paths) expect(out).toContain(`\n  ${path}\n`)
  })

  test('of very many that are gone the first are named', async () => {
    using scratch = new Scratch()
    const data = copyOf(whole, scratch)
    for (const name of objectNamesIn(join(data, 'objects'))) rmSync(join(data, 'objects', name))
    const { report } = await verify(data)
    const named = report.problems.map(({ objects = [] }) => objects.length)
    const lines = entriesIn(data).flatMap(({ objects }) => objects.map(({ lines }) => lines))
    expect(named.toSorted()).toEqual(lines.map((count) => Math.min(count, 10)).toSorted())
  })

  test.each([
    ['behind those of a record', (name: string) => name.replace(/\d+$/, '99')],
    ['with digits too many', (name: string) => name.replace(/(\d+)$/, '0$1')],
    ['of a place without a record', (name: string) => name.replace(/\d+-\d+$/, '77777-0')],
  ])('an object of another’s, %s, changes nothing and stands for none', async (_, foreign) => {
    using scratch = new Scratch()
    const data = copyOf(whole, scratch)
    const path = objectPath(data, 20)
    writeFileSync(foreign(path), 'another’s')
    for (const more of [[], ['--deep']]) expect((await verify(data, ...more)).report.problems).toEqual([])
    rmSync(path)
    for (const more of [[], ['--deep']]) {
      expect((await verify(data, ...more)).report.problems).toMatchObject([{ kind: 'object_missing', objects: [path] }])
    }
  })

  test('an object of another length is seen; one with other bytes, deep; what is no JSON is named', async () => {
    using scratch = new Scratch()
    const data = copyOf(whole, scratch)
    flip(objectPath(data, 20), 3)
    expect((await verify(data)).report.problems).toEqual([])
    const changed = (await verify(data, '--deep')).report.problems
    expect(changed).toMatchObject([{ kind: 'object_checksum', detail: expect.stringContaining('can’t be told') }])
    flip(objectPath(data, 20), 0)
    const broken = { kind: 'object_checksum', objects: [objectPath(data, 20)] }
    expect((await verify(data, '--deep')).report.problems).toMatchObject([broken])
    writeFileSync(objectPath(data, 20), '"longer than it was')
    expect((await verify(data)).report.problems).toMatchObject([{ kind: 'object_size' }])
    const longer = { kind: 'object_size', objects: [objectPath(data, 20)] }
    expect((await verify(data, '--deep')).report.problems).toMatchObject([longer])
  })

  test('two objects that were exchanged are seen deep', async () => {
    using scratch = new Scratch()
    const data = copyOf(whole, scratch)
    const [one, other] = [0, 1].map((at) => readFileSync(objectPath(data, at)))
    writeFileSync(objectPath(data, 0), other as Buffer)
    writeFileSync(objectPath(data, 1), one as Buffer)
    expect((await verify(data, '--deep')).report.problems).toMatchObject([{ kind: 'object_checksum' }])
  })
})
