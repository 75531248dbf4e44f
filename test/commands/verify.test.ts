/** `millrace verify`: silent on what is whole, also while a server writes; names damage of ledger, journal and dead records. */

import { describe, expect, test } from 'bun:test'
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { HEADER, valueRecord } from '../journal/segment-files.ts'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn } from '../objects.ts'
import { everythingIn, miscounted, writeSegment } from './damage.ts'
import { millrace } from './run-command.ts'
import {
  copyOf,
  entriesIn,
  flip,
  ledgerFile,
  type Report,
  sharedWhole,
  someObject,
  verify,
  writeEntries,
} from './whole-data.ts'

const whole = sharedWhole()

/** Credentials for a store that never answers. */
const NO_S3 = {
  AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9',
  AWS_REGION: 'r',
  AWS_ACCESS_KEY_ID: 'k',
  AWS_SECRET_ACCESS_KEY: 's',
}

const kindsOf = ({ report }: { report: Report }) => report.problems.map(({ kind }) => kind)
const segmentsIn = (data: string) => readdirSync(join(data, 'lane-0')).filter((name) => /\d\.(open|sealed)$/.test(name))
const copy = (scratch: Scratch) => copyOf(whole.path, scratch)

describe('what is whole', () => {
  test('is said to be, deep as well; the four numbers add up; nothing is changed', async () => {
    const before = everythingIn(whole.path)
    for (const more of [[], ['--deep']]) {
      const { code, report } = await verify(whole.path, ...more)
      expect([code, report.problems, report.wrong, report.not_checked]).toEqual([0, [], 0, 0])
      expect(report.objects).toBe(objectNamesIn(join(whole.path, 'objects')).length)
      expect(report.objects_checked).toBe(report.objects)
      const { accepted, stored, pending, dead } = report
      for (const unit of ['payloads', 'bytes'] as const) {
        expect(accepted[unit]).toBe(stored[unit] + pending[unit] + dead[unit])
      }
      expect([pending.payloads, dead.payloads]).toEqual([2, 99])
    }
    expect(everythingIn(whole.path)).toEqual(before)
    const { code, out, err } = await millrace(['verify', '--deep', '--data', whole.path])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/accepted +[\s\S]* payloads\n[\s\S]* bytes\n\nAll that was accepted is there\.\n$/)
  })

  test('stays so while a server takes, delivers and is killed: no look is ever a false alarm', async () => {
    using scratch = new Scratch()
    const data = scratch.at('data')
    const args = ['--data', data, '--linger', '10ms', '--object-bytes-max', '64KiB']
    const load = new Load()
    let accepted = 0
    const lastSegment = () => Number.parseInt(segmentsIn(data).at(-1) ?? '', 10)
    for (let round = 1; round <= 3; round++) {
      await using server = await Millrace.start(args)
      let looks = 0
      // As many as it takes until there was something to be wrong about, however slow the machine.
      const isEnough = () => looks >= 4 && lastSegment() > 17 * round
      const running = load.run(server.url, 16, isEnough)
      for (; !isEnough(); looks++) {
        const { code, report } = await verify(data, ...(looks % 2 ? ['--deep'] : []))
        expect([code, report.problems]).toEqual([0, []])
        expect(report.accepted.payloads).toBeGreaterThanOrEqual(accepted)
        accepted = report.accepted.payloads
      }
      await running
      if (round === 2) await server.stop()
      await server.kill()
      expect((await verify(data, '--deep')).report.problems).toEqual([])
    }
    expect(accepted).toBeGreaterThan(0)
    expect(lastSegment()).toBeGreaterThan(50)
  })

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
    const segment = { kind: 'segment_unknown', what: `segment ${gone?.segment} of lane 0` }
    expect([code, report.problems]).toMatchObject([
      1,
      [{ kind: 'ledger_gap', what: `entry ${gone?.entry} of lane 0` }, segment],
    ])
  })

  test.each(['first', 'last'])('with a figure changed in its %s line is found by its checksum', async (which) => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const lines = readFileSync(ledgerFile(data), 'utf8').trimEnd().split('\n')
    const at = which === 'first' ? 0 : lines.length - 1
    for (const member of ['"records":', '"tag":"', '"stored":{"payloads":']) {
      const changed = (lines[at] ?? '').replace(member, `${member}1`)
      expect(changed).not.toBe(lines[at])
      writeFileSync(ledgerFile(data), `${lines.with(at, changed).join('\n')}\n`)
      const { code, report } = await verify(data)
      const what = `${ledgerFile(data)}, line ${at + 1}`
      expect([code, report.problems[0]]).toMatchObject([1, { kind: 'ledger_line', what }])
    }
  })

  test('under another name is found', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const other = join(data, 'ledger/0-0000000000003-0.ndjson')
    renameSync(ledgerFile(data), other)
    const { code, report } = await verify(data)
    const detail = 'belongs into another file, 0-0000000000000-0.ndjson'
    expect([code, report.problems[0]]).toMatchObject([1, { kind: 'ledger_line', what: `${other}, line 1`, detail }])
  })

  test('with a damaged line has a gap', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const text = readFileSync(ledgerFile(data), 'utf8').split('\n')
    text[4] = text[4]!.replace('"totals":{', '"totals";{')
    writeFileSync(ledgerFile(data), text.join('\n'))
    expect((await verify(data)).report.problems).toMatchObject([
      { kind: 'ledger_line', what: `${ledgerFile(data)}, line 5` },
      { kind: 'ledger_gap', what: 'entry 5 of lane 0' },
      { kind: 'segment_unknown' },
    ])
  })

  test('with something between its lines that is none names it, also if it is valid JSON', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const [first, ...others] = entriesIn(data)
    writeEntries(data, [first, 7, null, { entry: 2 }, ...others])
    const bad = [2, 3, 4].map((line) => ({ kind: 'ledger_line', what: `${ledgerFile(data)}, line ${line}` }))
    expect(await verify(data)).toMatchObject({ code: 1, report: { problems: bad } })
    writeEntries(data, [first, { ...others[0], tag: 7 }, ...others.slice(1)])
    expect(kindsOf(await verify(data))).toEqual(['ledger_line', 'ledger_gap', 'segment_unknown'])
    appendFileSync(ledgerFile(data), 'what a power loss left of the last line\n\0\0\0\n')
    expect(kindsOf(await verify(data))).toEqual(['ledger_line', 'ledger_gap', 'segment_unknown'])
  })

  test.each(['removed', 'emptied'])('that is %s as a whole leaves the segments unknown that are gone', async (how) => {
    using scratch = new Scratch()
    const data = copy(scratch)
    const kept = segmentsIn(data).map((name) => Number.parseInt(name, 10))
    const last = Math.min(...kept) - 1
    expect(last).toBeGreaterThan(5)
    if (how === 'removed') rmSync(join(data, 'ledger'), { recursive: true })
    else writeFileSync(ledgerFile(data), '')
    const { code, report } = await verify(data)
    const what = `segments 1 to ${last} of lane 0`
    expect([code, report.problems]).toMatchObject([1, [{ kind: 'segment_unknown', what }]])
    expect((await millrace(['verify', '--data', data])).out).toContain(
      `segment_unknown: ${what}\n  neither in the journal nor in the ledger: what was acknowledged in them is unknown\n`,
    )
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
      ['ledger_totals entry 3 of lane 0', 'ledger_line entry 3 of lane 0'],
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
    const entries = entriesIn(data).map((entry) => ({
      ...entry,
      entry: entry.entry + 5000,
      segment: entry.segment + 4999,
    }))
    rmSync(ledgerFile(data))
    const [dead = ''] = readdirSync(join(data, 'lane-0/dead'))
    const letter = readFileSync(join(data, 'lane-0/dead', dead), 'utf8')
    writeFileSync(join(data, 'lane-0/dead', dead.replace('-0-1-', '-0-5000-')), letter.replace('-0-1-', '-0-5000-'))
    rmSync(join(data, 'lane-0/dead', dead))
    for (const name of segmentsIn(data)) {
      const later = String(Number.parseInt(name, 10) + 4999).padStart(16, '0')
      const bytes = readFileSync(join(data, 'lane-0', name))
      bytes.writeBigUInt64LE(bytes.readBigUInt64LE(16) + 4999n, 16)
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
      writeFileSync(join(data, 'lane-0', later + name.slice(16)), bytes)
      rmSync(join(data, 'lane-0', name))
    }
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
    expect((await verify(data)).report.problems).toMatchObject([
      { kind: 'ledger_gap', what: 'entry 5004 of lane 0' },
      { kind: 'segment_unknown', what: `segment ${entries[3]?.segment} of lane 0` },
    ])
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
  test('without a segment that waited to be stored names it', async () => {
    using scratch = new Scratch()
    const data = copy(scratch)
    await using server = await Millrace.start(['--data', data, '--to', 's3://nowhere', '--linger', '1h'], NO_S3)
    await server.post('/payloads', 'application/json', '"one more"')
    await server.kill()
    const pending = segmentsIn(data).find((name) => name.endsWith('.sealed')) ?? ''
    rmSync(join(data, 'lane-0', pending))
    const { code, report } = await verify(data)
    const what = `segment ${Number.parseInt(pending, 10)} of lane 0`
    expect([code, report.problems]).toMatchObject([1, [{ kind: 'segment_unknown', what }]])
  })

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
    expect(after.code).toBe(1)
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

  test('of another node than the file node says', async () => {
    using scratch = new Scratch()
    const data = scratch.at('data')
    writeSegment(data, [valueRecord('1')])
    writeFileSync(join(data, 'node'), 'other\n')
    const detail = expect.stringContaining(`it is of node '${HEADER.node}', and the file node says 'other'`)
    expect((await verify(data)).report.problems).toMatchObject([{ kind: 'journal_damage', detail }])
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
