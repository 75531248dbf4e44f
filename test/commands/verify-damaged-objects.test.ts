/** `millrace verify` names every kind of damage that an object can have. */

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { LedgerEntry } from '../../src/observe/ledger-entry.ts'
import { Scratch } from '../millrace.ts'
import { millrace } from './run-command.ts'
import { copyOf, entriesIn, flip, sharedWhole, someObject, verify, writeEntries } from './whole-data.ts'

const whole = sharedWhole()

const copy = (scratch: Scratch) => copyOf(whole.path, scratch)

describe('an object', () => {
  const NAMED = { receipts: [expect.any(String), expect.any(String)] as [string, string] }

  test('that is gone is missing, with the receipts of its lines', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const { entry, object, path } = someObject(data)
    rmSync(path)
    const [run] = object.runs
    const receipt = expect.stringMatching(new RegExp(`-0-${entry.segment}-${entry.tag}-${run?.[0]}$`))
    const { code, report } = await verify(data)
    expect([code, report.wrong]).toEqual([1, 1])
    expect(report.problems).toEqual([
      { kind: 'object_missing', what: path, detail: 'it is not there', receipts: [receipt, expect.any(String)] },
    ])
    const { out } = await millrace(['verify', '--data', data])
    expect(out).toContain(`object_missing: ${path}\n`)
    expect(out).toEndWith('\n1 thing missing or wrong.\n')
  })

  test('that is cut is too short', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const { object, path } = someObject(data)
    truncateSync(path, object.bytes - 1)
    const detail = `it has ${object.bytes - 1} bytes, and the ledger says ${object.bytes}`
    for (const more of [[], ['--deep']]) {
      const { code, report } = await verify(data, ...more)
      expect([code, report.problems]).toEqual([1, [{ kind: 'object_size', what: path, detail, ...NAMED }]])
    }
  })

  test.each(['directory', 'pipe'])('with a %s in its place is not there, and nobody waits for it', async (what) => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const { path } = someObject(data)
    rmSync(path)
    if (what === 'directory') mkdirSync(path)
    else expect(Bun.spawnSync(['mkfifo', path]).exitCode).toBe(0)
    expect((await verify(data)).report.problems).toMatchObject([{ kind: 'object_size', what: path }])
    expect((await verify(data, '--deep')).report.problems).toMatchObject([{ kind: 'object_missing', what: path }])
  })

  test('with a flipped bit is seen by --deep, and only there', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const { object, path } = someObject(data)
    flip(path, object.bytes >> 1)
    expect((await verify(data)).code).toBe(0)
    const { code, report } = await verify(data, '--deep')
    expect([code, report.problems]).toMatchObject([1, [{ kind: 'object_checksum', what: path, ...NAMED }]])
  })

  test('that has changed places with another is seen by --deep, both of them', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const [one, other] = [0, -2].map((i) => join(data, 'objects', entriesIn(data).at(i)?.objects[0]?.name ?? '')) as [
      string,
      string,
    ]
    renameSync(one, `${one}.aside`)
    renameSync(other, one)
    renameSync(`${one}.aside`, other)
    const { code, report } = await verify(data, '--deep')
    expect([code, report.problems.map(({ what }) => what).toSorted()]).toEqual([1, [one, other].toSorted()])
  })

  test.each([
    ['one line less', (lines: string[]) => lines.slice(0, -1), /it has \d+ lines, and the ledger says \d+/, '\n'],
    ['two lines changed about', (lines: string[]) => [lines[1]!, lines[0]!, ...lines.slice(2)], /line 1 /, '\n'],
    [
      'an index that is not the next',
      (lines: string[]) => lines.map((line) => line.replace(/"index":\d+/, '"index":7777')),
      /has index 7777/,
      '\n',
    ],
    [
      'a line of another record',
      (lines: string[]) => lines.map((line) => line.replace(/-\d+","index"/, '-99999","index"')),
      /belongs to .*-99999, and the ledger says/,
      '\n',
    ],
    [
      'a line of another segment',
      (lines: string[]) => lines.map((line) => line.replace(/-[0-9a-f]{8}-/, '-00000000-')),
      /belongs to .*-00000000-/,
      '\n',
    ],
    ['something else', () => ['{"a":1}'], /it has 1 lines/, '\n'],
    ['no end of its last line', (lines: string[]) => lines, /its last line has no end/, ''],
  ])('whose checksum is right but which has %s is seen by --deep', async (_, change, message, end) => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const entries = entriesIn(data)
    const { object } = someObject(data)
    const path = join(data, 'objects', object.name)
    const lines = zstdDecompressSync(readFileSync(path)).toString().trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    const body = zstdCompressSync(change(lines).join('\n') + end)
    writeFileSync(path, body)
    const sha256 = createHash('sha256').update(body).digest('hex')
    writeEntries(
      data,
      entries.map((entry) => ({
        ...entry,
        objects: entry.objects.map((each) =>
          each.name === object.name ? { ...each, sha256, bytes: body.length } : each,
        ),
      })),
    )
    expect((await verify(data)).code).toBe(0)
    const { code, report } = await verify(data, '--deep')
    expect([code, report.problems]).toEqual([
      1,
      [{ kind: 'object_lines', what: path, detail: expect.stringMatching(message), ...NAMED }],
    ])
  })

  test('that does not decompress is seen by --deep', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const { object, path } = someObject(data)
    const body = Buffer.alloc(object.bytes, 'no zstd ')
    writeFileSync(path, body)
    const sha256 = createHash('sha256').update(body).digest('hex')
    writeEntries(
      data,
      entriesIn(data).map((entry) => ({
        ...entry,
        objects: entry.objects.map((one) => (one.name === object.name ? { ...one, sha256 } : one)),
      })),
    )
    const { report } = await verify(data, '--deep')
    expect(report.problems).toMatchObject([
      { kind: 'object_lines', detail: expect.stringContaining('does not decompress') },
    ])
  })

  test('at a place that cannot be opened is not checked: exit code 3, or 1 when something is wrong besides', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const elsewhere = (entry: LedgerEntry, i: number) => ({
      ...entry,
      destination: i % 2 ? 's3://bucket/x' : '/no/such/place',
    })
    const entries = entriesIn(data)
    writeEntries(data, entries.map(elsewhere))
    const { code, report } = await verify(data)
    expect([code, report.wrong, report.not_checked]).toEqual([3, 0, report.objects])
    expect(report.problems.length).toBe(Math.min(100, report.objects))
    const details = report.problems.map(({ kind, detail }) => `${kind} ${detail}`).join('\n')
    expect(details).toMatch(/not_checked there is no directory \/no\/such\/place/)
    expect(details).toMatch(/not_checked no AWS region for bucket 'bucket'/)
    writeEntries(data, entries.map(elsewhere).toSpliced(3, 1))
    expect((await verify(data)).code).toBe(1)
  })
})
