/** `millrace verify`: silent on what is whole, also while a server writes; names every kind of damage. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { LedgerEntry } from '../../src/observe/ledger.ts'
import { valueRecord } from '../journal/segment-files.ts'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn } from '../objects.ts'
import { everythingIn, miscounted, writeSegment } from './damage.ts'
import { millrace } from './run-command.ts'

interface Report {
  accepted: { payloads: number; bytes: number }
  stored: { payloads: number; bytes: number }
  pending: { payloads: number; bytes: number }
  dead: { payloads: number; bytes: number }
  objects: number
  objects_checked: number
  wrong: number
  not_checked: number
  problems: { kind: string; what: string; detail: string; receipts?: [string, string] }[]
}

async function verify(data: string, ...more: string[]): Promise<{ code: number; report: Report }> {
  const { code, out, err } = await millrace(['verify', '--data', data, '--json', ...more])
  if (!out.startsWith('{')) throw new Error(`${code}: ${out}${err}`)
  return { code, report: JSON.parse(out) as Report }
}

/** A data directory that holds some of everything: stored by size and by time, dead, and pending. */
const whole = new Scratch()
const DATA = whole.at('data')

beforeAll(async () => {
  writeSegment(DATA, [valueRecord('1'), miscounted('[1,2]'), valueRecord('[]', { kind: 'array', payloads: 0 })])
  const args = ['--data', DATA, '--linger', '20ms', '--object-bytes-max', '64KiB', '--to', whole.at('data/objects')]
  await using server = await Millrace.start(args)
  // One record of many payloads comes into several objects.
  const long = JSON.stringify(Array.from({ length: 3000 }, (_, n) => ({ n, text: 'x'.repeat(50) })))
  await server.post('/payloads', 'application/json', long)
  const load = new Load()
  await load.run(server.url, 8, () => load.acked.size > 1500)
  await server.post('/payloads?ack=stored', 'application/json', '"last"')
  await server.stop()
  await using second = await Millrace.start([...args, '--linger', '1h'])
  await second.post('/payloads', 'application/json', '["pending",2]')
  await second.kill()
})

afterAll(() => whole[Symbol.dispose]())

/** A copy to damage. Its objects are found under the name that the ledger has only if they are damaged there. */
function copy(scratch: Scratch): string {
  const data = scratch.at('data')
  cpSync(DATA, data, { recursive: true })
  const ledger = join(data, 'ledger')
  for (const name of readdirSync(ledger)) {
    const text = readFileSync(join(ledger, name), 'utf8')
    writeFileSync(
      join(ledger, name),
      text.replaceAll(JSON.stringify(join(DATA, 'objects')), JSON.stringify(join(data, 'objects'))),
    )
  }
  return data
}

function ledgerFile(data: string): string {
  return join(data, 'ledger', readdirSync(join(data, 'ledger'))[0] ?? '')
}

function entriesIn(data: string): LedgerEntry[] {
  return readFileSync(ledgerFile(data), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LedgerEntry)
}

function writeEntries(data: string, entries: readonly unknown[]): void {
  writeFileSync(ledgerFile(data), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  writeFileSync(path, bytes)
}

/** The object in the middle, and the entry and receipt range it belongs to. */
function someObject(data: string) {
  const objects = entriesIn(data).flatMap((entry) => entry.objects.map((object) => ({ entry, object })))
  const { entry, object } = objects[objects.length >> 1]!
  return { entry, object, path: join(data, 'objects', object.name) }
}

describe('what is whole', () => {
  test('is said to be, deep as well; the four numbers add up; nothing is changed', async () => {
    const before = everythingIn(DATA)
    for (const more of [[], ['--deep']]) {
      const { code, report } = await verify(DATA, ...more)
      expect([code, report.problems, report.wrong, report.not_checked]).toEqual([0, [], 0, 0])
      expect(report.objects).toBe(objectNamesIn(join(DATA, 'objects')).length)
      expect(report.objects_checked).toBe(report.objects)
      const { accepted, stored, pending, dead } = report
      for (const unit of ['payloads', 'bytes'] as const) {
        expect(accepted[unit]).toBe(stored[unit] + pending[unit] + dead[unit])
      }
      expect([pending.payloads, dead.payloads]).toEqual([2, 99])
    }
    expect(everythingIn(DATA)).toEqual(before)
    const { code, out, err } = await millrace(['verify', '--deep', '--data', DATA])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/accepted +[\s\S]* payloads\n[\s\S]* bytes\n\nAll that was accepted is there\.\n$/)
  })

  test('stays so while a server takes, delivers and is killed: no look is ever a false alarm', async () => {
    using scratch = new Scratch()
    const data = scratch.at('data')
    const args = ['--data', data, '--linger', '10ms', '--object-bytes-max', '64KiB']
    const load = new Load()
    let accepted = 0
    for (let round = 0; round < 2; round++) {
      await using server = await Millrace.start(args)
      let looks = 0
      const running = load.run(server.url, 16, () => looks >= 4)
      for (; looks < 4; looks++) {
        const { code, report } = await verify(data, ...(looks % 2 ? ['--deep'] : []))
        expect([code, report.problems]).toEqual([0, []])
        expect(report.accepted.payloads).toBeGreaterThanOrEqual(accepted)
        accepted = report.accepted.payloads
      }
      await running
      await server.kill()
      expect((await verify(data, '--deep')).report.problems).toEqual([])
    }
    expect(accepted).toBeGreaterThan(0)
  }, 60_000)

  test('needs not all be looked at: --since leaves older objects alone', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    rmSync(someObject(data).path)
    expect(await verify(data, '--since', '2999-01-01')).toMatchObject({ code: 0, report: { objects: 0 } })
    expect((await verify(data, '--since', '24h')).code).toBe(1)
    const at = entriesIn(data).at(-1)?.at ?? ''
    expect((await verify(data, '--since', at)).report.objects).toBeLessThan(5)
  })
})

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
    writeFileSync(ledgerFile(data), readFileSync(ledgerFile(data), 'utf8').replace(object.sha256, sha256))
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

describe('the ledger', () => {
  test.each([
    ['first', 0],
    ['third', 2],
    ['last but one', -2],
  ])('without its %s line has a gap', async (_, at) => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const entries = entriesIn(data)
    const [gone] = entries.splice(at, 1)
    writeEntries(data, entries)
    const { code, report } = await verify(data)
    expect([code, report.problems]).toMatchObject([1, [{ kind: 'ledger_gap', what: `entry ${gone?.entry}` }]])
  })

  test('with a damaged line has a gap', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const text = readFileSync(ledgerFile(data), 'utf8').split('\n')
    text[4] = text[4]!.replace('"totals":{', '"totals";{')
    writeFileSync(ledgerFile(data), text.join('\n'))
    expect((await verify(data)).report.problems).toMatchObject([{ kind: 'ledger_gap', what: 'entry 5' }])
  })

  test('with something that is valid JSON and no entry goes on without it', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const [first, ...others] = entriesIn(data)
    writeEntries(data, [first, 7, null, { entry: 2 }, ...others])
    expect(await verify(data)).toMatchObject({ code: 0, report: { problems: [] } })
    writeEntries(data, [first, { ...others[0], tag: 7 }, ...others.slice(1)])
    expect((await verify(data)).report.problems).toMatchObject([{ kind: 'ledger_gap', what: 'entry 2' }])
  })

  test('whose sums do not add up says where; an entry whose objects do not come to what it says, too', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const entries = entriesIn(data)
    const third = entries[2]!
    writeEntries(
      data,
      entries.toSpliced(2, 1, { ...third, stored: { ...third.stored, payloads: third.stored.payloads + 1 } }),
    )
    const { code, report } = await verify(data)
    expect([code, report.problems.map(({ kind, what }) => `${kind} ${what.replace(/ \(.*/, '')}`)]).toEqual([
      1,
      ['ledger_totals entry 3', 'ledger_line entry 3'],
    ])
  })

  test('that ends in half a line, or has one twice after a failed sync, is whole', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const [last] = entriesIn(data).slice(-1)
    appendFileSync(ledgerFile(data), '{"entry":99999,"at"')
    writeFileSync(ledgerFile(data).replace(/-0\.ndjson$/, '-1.ndjson'), `${JSON.stringify(last)}\n`)
    expect(await verify(data)).toMatchObject({ code: 0, report: { problems: [] } })
  })

  test('whose old files were removed is whole from there on', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const entries = entriesIn(data).map((entry) => ({ ...entry, entry: entry.entry + 5000 }))
    rmSync(ledgerFile(data))
    const file = join(data, 'ledger', '0-0000000000005-0.ndjson')
    writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    expect(await verify(data)).toMatchObject({ code: 0, report: { problems: [] } })
    // In the midst of what isn't old yet nothing is ever removed for its age.
    writeFileSync(
      file,
      entries
        .toSpliced(3, 1)
        .map((entry) => `${JSON.stringify(entry)}\n`)
        .join(''),
    )
    expect((await verify(data)).report.problems).toMatchObject([{ kind: 'ledger_gap', what: 'entry 5004' }])
  })
})

test('a dead record without its file is missing', async () => {
  using scratch = new Scratch()
  const data = copy(scratch)
  const [file] = readdirSync(join(data, 'lane-0/dead'))
  const receipt = file?.replace('.dead', '')
  rmSync(join(data, 'lane-0/dead', file ?? ''))
  const { code, report } = await verify(data)
  expect([code, report.problems]).toMatchObject([1, [{ kind: 'dead_missing', receipts: [receipt, receipt] }]])
})

describe('the journal', () => {
  test('with a damaged frame says where; what was set aside is listed', async () => {
    using scratch = new Scratch()
    const data = scratch.at('data')
    writeSegment(data, [valueRecord('1'), valueRecord('2')])
    const path = join(data, 'lane-0/0000000000000001.sealed')
    flip(path, 110)
    const { code, report } = await verify(data)
    expect([code, report.problems]).toMatchObject([
      1,
      [{ kind: 'journal_damage', what: path, detail: expect.stringMatching(/bytes at 64 /) }],
    ])
    await using server = await Millrace.start(['--data', data])
    await server.stop()
    const after = await millrace(['verify', '--data', data])
    expect(after.out).toMatch(/set aside +1 file\n +.*corrupt\/0000000000000001-64\.bytes \(\d+ bytes\)\n/)
    expect(after.code).toBe(0)
  })

  test('with a damaged header says so', async () => {
    using scratch = new Scratch()
    const data = scratch.at('data')
    writeSegment(data, [valueRecord('1')])
    const path = join(data, 'lane-0/0000000000000001.sealed')
    flip(path, 20)
    expect((await verify(data)).report.problems).toMatchObject([
      { kind: 'journal_damage', detail: expect.stringContaining('header') },
    ])
  })

  test('with a segment that is stored and was not removed before a crash counts it once', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const { report } = await verify(data)
    writeSegment(data, [valueRecord('1'), miscounted('[1,2]'), valueRecord('[]', { kind: 'array', payloads: 0 })])
    const { accepted, pending } = (await verify(data)).report
    expect({ accepted, pending }).toEqual({ accepted: report.accepted, pending: report.pending })
  })

  test('that ends in a frame being written is whole', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const open = readdirSync(join(data, 'lane-0')).find((name) => name.endsWith('.open')) ?? ''
    const path = join(data, 'lane-0', open)
    appendFileSync(path, readFileSync(path).subarray(64, 100))
    expect(await verify(data)).toMatchObject({ code: 0, report: { problems: [], pending: { payloads: 2 } } })
  })
})

test.each([
  [['--since', 'yesterday'], /--since is 'yesterday'; allowed is 24h, 2026-11-20 or 2026-11-20T10:00:00Z/],
  [['--since'], /--since needs a value/],
  [['x'], /'verify' takes no 'x'/],
  [['--ledger-days', '0'], /--ledger-days is '0'/],
  [['--data', 'nowhere'], /no server has kept its journal there/],
])('%p is refused with exit code 2', async (args, message) => {
  expect(await millrace(['verify', ...args])).toEqual({ code: 2, out: '', err: expect.stringMatching(message) })
})
