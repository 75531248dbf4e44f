/** `millrace dead`: dead records are listed and shown, dropped for good, or put back once, whatever crashes on the way. */

import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HEADER, valueRecord } from '../journal/segment-files.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { everythingIn, miscounted, writeSegment } from './damage.ts'
import { millrace } from './run-command.ts'

const receiptAt = (place: number) => `${HEADER.node}-0-1-${HEADER.tag}-${place}`

/** Places 1 and 2 can be put back, 3 can't: its body isn't what its kind says. */
const RECORDS = [
  valueRecord('"good"'),
  miscounted('[{"a":1},2]'),
  miscounted('{"version":"7","token":"t","data":[true]}', { kind: 'collection', source: 'shop' }),
  miscounted('{"no":"collection"}', { kind: 'collection' }),
]

async function deliver(data: string): Promise<void> {
  await using server = await Millrace.start(['--data', data])
  await server.post('/payloads?ack=stored', 'application/json', '"later"')
  expect((await server.stop()).code).toBe(0)
}

/** A data directory with three dead records. */
async function withDead(scratch: Scratch): Promise<string> {
  const data = scratch.at('data')
  writeSegment(data, RECORDS)
  await deliver(data)
  return data
}

const withoutChecksum = (path: string) => readFileSync(path, 'utf8').replace(/,"bytes":\d+,"sha256":"[0-9a-f]{64}"/, '')
const deadNames = (data: string) => readdirSync(join(data, 'lane-0/dead')).toSorted()
const dead = (data: string, ...args: string[]) => millrace(['dead', ...args, '--data', data])
const payloadsIn = (data: string) => readObjectsIn(join(data, 'objects')).map(({ payload }) => payload)

test('list names each with its payloads, its death and its reason; a damaged file, too', async () => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  writeFileSync(join(data, 'lane-0/dead', `${receiptAt(9)}.dead`), 'no line')
  const before = everythingIn(data)
  const { code, out } = await dead(data, 'list')
  expect(code).toBe(0)
  const lines = out.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^receipt +payloads +died_at +reason$/)
  const row = (place: number) => lines.find((line) => line.startsWith(`${receiptAt(place)} `))
  expect(row(1)).toMatch(/ 99 +2\d{3}-\d\d-\d\dT\S+Z {2}the array holds 2 payloads where intake counted 99$/)
  expect(row(9)).toMatch(/its file is damaged$/)
  expect(lines).toHaveLength(5)
  expect(everythingIn(data)).toEqual(before)
})

test.each<[string, (file: Buffer) => Buffer]>([
  ['cut', (file) => file.subarray(0, -3)],
  ['edited in its body', (file) => Buffer.from(file.toString().replace('{"a":1}', '{"a":7}'))],
  ['edited in its line', (file) => Buffer.from(file.toString().replace('"payloads":99', '"payloads":98'))],
  ['emptied', () => Buffer.alloc(0)],
])('a file that was %s is damaged: verify says so, and nothing puts it back', async (how, spoil) => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  const path = join(data, 'lane-0/dead', `${receiptAt(1)}.dead`)
  writeFileSync(path, spoil(readFileSync(path)))
  const { code, out } = await millrace(['verify', '--data', data, '--json'])
  expect([code, JSON.parse(out)]).toMatchObject([1, { wrong: 1, problems: [{ kind: 'dead_damaged', what: path }] }])
  if (how === 'edited in its line') return
  expect((await dead(data, 'list')).out).toMatch(new RegExp(`${receiptAt(1)} .*its file is damaged`))
  expect(await dead(data, 'show', receiptAt(1))).toMatchObject({ code: 1, out: '' })
  expect(await dead(data, 'replay', receiptAt(1))).toMatchObject({
    code: 1,
    err: expect.stringContaining('is damaged'),
  })
})

test('a file of the first program, which has no checksum, is whole', async () => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  const path = join(data, 'lane-0/dead', `${receiptAt(1)}.dead`)
  writeFileSync(path, withoutChecksum(path))
  expect((await millrace(['verify', '--data', data])).code).toBe(0)
  expect(await dead(data, 'show', receiptAt(1))).toMatchObject({ code: 0 })
})

test('list says so when there are none', async () => {
  using scratch = new Scratch()
  writeSegment(scratch.at('data'), [])
  expect(await dead(scratch.at('data'), 'list')).toEqual({ code: 0, out: 'no dead records\n', err: '' })
})

test('show prints the line and the body, byte for byte', async () => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  const { code, out } = await dead(data, 'show', receiptAt(1))
  const [line = '', body] = out.split('\n')
  expect([code, body]).toEqual([0, '[{"a":1},2]'])
  expect(JSON.parse(line)).toMatchObject({ receipt: receiptAt(1), kind: 'array', payloads: 99, source: 'default' })
  expect(await dead(data, 'show', receiptAt(0))).toEqual({
    code: 1,
    out: '',
    err: `millrace: ${receiptAt(0)}: no dead record has this receipt\n`,
  })
})

test('drop removes what it is told to and nothing else, beside a running server; verify does not miss it', async () => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  await using server = await Millrace.start(['--data', data])
  const one = await dead(data, 'drop', receiptAt(2), receiptAt(7))
  expect(one).toMatchObject({ code: 1, out: `${receiptAt(2)} dropped\n`, err: expect.stringContaining(receiptAt(7)) })
  const left = () => deadNames(data).filter((name) => name.endsWith('.dead'))
  expect(left()).toEqual([1, 3].map((place) => `${receiptAt(place)}.dead`))
  expect((await millrace(['verify', '--deep', '--data', data])).code).toBe(0)
  expect((await millrace(['where', receiptAt(2), '--data', data])).out).toContain('dropped since')
  expect((await dead(data, 'drop', '--all')).code).toBe(0)
  expect(left()).toEqual([])
  await server.stop()
  expect((await millrace(['verify', '--data', data])).code).toBe(0)
})

test('replay puts back what passes intake’s checks and says why it leaves the rest; the next start stores it once', async () => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  const { code, out, err } = await dead(data, 'replay', '--all')
  expect([code, err]).toEqual([1, expect.stringMatching(/-3: not replayed: wrong_shape: "version" is missing/)])
  const replayed = [...out.matchAll(/^(\S+) replayed as (\S+)$/gm)].map(([, from, as]) => [from, as] as const)
  expect(replayed.map(([from]) => from)).toEqual([receiptAt(1), receiptAt(2)])
  for (const [from, as] of replayed) {
    const found = await millrace(['where', as ?? '', '--data', data, '--json'])
    expect(JSON.parse(found.out)).toEqual({ receipt: as, state: 'pending' })
    expect((await millrace(['where', from ?? '', '--data', data])).out).toContain(`replayed as ${as}`)
  }
  expect(deadNames(data)).toEqual([`${receiptAt(1)}.replayed`, `${receiptAt(2)}.replayed`, `${receiptAt(3)}.dead`])
  await deliver(data)
  const lines = readObjectsIn(join(data, 'objects'))
  const receivedAt = new Date(RECORDS[1]?.receivedAtMs ?? 0).toISOString()
  const [one, two] = replayed.map(([, as]) => as ?? '')
  expect(lines.filter(({ receipt }) => receipt === one || receipt === two)).toEqual([
    { receipt: one, index: 0, received_at: receivedAt, version: null, source: 'default', payload: '{"a":1}' } as never,
    { receipt: one, index: 1, received_at: receivedAt, version: null, source: 'default', payload: '2' } as never,
    { receipt: two, index: 0, received_at: receivedAt, version: '7', source: 'shop', payload: 'true' } as never,
  ])
  expect((await millrace(['verify', '--deep', '--data', data])).code).toBe(0)
  expect((await dead(data, 'replay', receiptAt(1))).err).toContain('no dead record has this receipt')
})

test('replay needs the directory for itself: while a server runs it refuses, and changes nothing', async () => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  await using server = await Millrace.start(['--data', data, '--linger', '1h'])
  // The empty segment of the process before goes a moment after the start.
  const segments = () => readdirSync(join(data, 'lane-0')).filter((name) => name.endsWith('.open'))
  while (segments().length > 1) await fetch(`${server.url}/healthz`)
  const before = everythingIn(data)
  const { code, err } = await dead(data, 'replay', receiptAt(1))
  expect([code, err]).toEqual([1, expect.stringMatching(/data_locked\):\n.* is in use by process \d+/)])
  expect(everythingIn(data)).toEqual(before)
  await server.stop()
})

/** The files of a replay that was cut off: the note of what it was about to append, and the dead record as it was. */
function cutOff(data: string, place: number, as: string, before: ReadonlyMap<string, string>): void {
  const path = join(data, 'lane-0/dead', receiptAt(place))
  rmSync(`${path}.replayed`, { force: true })
  writeFileSync(
    `${path}.replaying`,
    `${JSON.stringify({ receipt: receiptAt(place), as, at: '2026-11-21T01:30:00Z' })}\n`,
  )
  const dead = before.get(`lane-0/dead/${receiptAt(place)}.dead`)?.split(' ')[1] ?? ''
  writeFileSync(`${path}.dead`, Buffer.from(dead, 'base64'))
}

test.each([
  ['waits in the journal', async () => {}],
  ['is stored', deliver],
])(
  'a replay that was cut off after the append, when the record %s, is only finished by the next',
  async (_, between) => {
    using scratch = new Scratch()
    const data = await withDead(scratch)
    const before = everythingIn(data)
    const first = await dead(data, 'replay', receiptAt(1))
    const as = first.out.match(/replayed as (\S+)/)?.[1] ?? ''
    cutOff(data, 1, as, before)
    await between(data)
    const second = await dead(data, 'replay', receiptAt(1))
    expect(second).toEqual({ code: 0, out: first.out, err: '' })
    expect(deadNames(data).filter((name) => name.startsWith(receiptAt(1)))).toEqual([`${receiptAt(1)}.replayed`])
    await deliver(data)
    expect(payloadsIn(data).filter((payload) => payload === '{"a":1}')).toHaveLength(1)
  },
)

test('a replay that was cut off before the append is done by the next', async () => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  cutOff(data, 1, `${HEADER.node}-0-99-0badcafe-0`, everythingIn(data))
  expect((await dead(data, 'replay', receiptAt(1))).code).toBe(0)
  expect(existsSync(join(data, 'lane-0/dead', `${receiptAt(1)}.dead`))).toBe(false)
  await deliver(data)
  expect(payloadsIn(data).filter((payload) => payload === '{"a":1}')).toHaveLength(1)
})

test('many records are put back in as many segments as they need, each under the receipt it was told', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  const bodies = Array.from({ length: 60 }, (_, n) => JSON.stringify([`${n}`, 'x'.repeat(5000)]))
  writeSegment(
    data,
    bodies.map((body) => miscounted(body)),
  )
  await deliver(data)
  const { code, out } = await dead(data, 'replay', '--all', '--object-bytes-max', '64KiB')
  expect([code, out.trimEnd().split('\n').length]).toEqual([0, 60])
  const as = new Set(
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ').at(-1)),
  )
  expect([as.size, new Set([...as].map((receipt) => receipt?.split('-')[2])).size]).toEqual([60, 5])
  await deliver(data)
  const stored = readObjectsIn(join(data, 'objects')).filter(({ index, receipt }) => index === 0 && as.has(receipt))
  expect(stored.map(({ payload }) => payload).toSorted()).toEqual(
    bodies.map((body) => JSON.stringify(JSON.parse(body)[0])).toSorted(),
  )
  expect((await millrace(['verify', '--deep', '--data', data])).code).toBe(0)
})

test.each([
  [['dead'], /'dead' needs another word; commands are 'dead list', 'dead show', 'dead replay', 'dead drop'/],
  [['dead', 'bury'], /'dead bury' is not a command/],
  [['dead', 'drop'], /'dead drop' needs receipts, or --all instead of them/],
  [['dead', 'drop', 'x', '--all'], /'dead drop' needs receipts, or --all instead of them/],
  [['dead', 'replay', '--port', '1', 'x'], /--port is not an option/],
  [['dead', 'list', '--data', 'nowhere'], /no server has kept its journal there/],
])('%p is refused with exit code 2', async (args, message) => {
  expect(await millrace(args)).toEqual({ code: 2, out: '', err: expect.stringMatching(message) })
})

test.each([
  ['[{"a":1},2', /invalid_json: line 1, column/],
  ['{"a":1}', /wrong_shape: its line says array, and its body is value/],
])('a body that is not what it was, in a file without a checksum, is not put back: %s', async (body, reason) => {
  using scratch = new Scratch()
  const data = await withDead(scratch)
  const path = join(data, 'lane-0/dead', `${receiptAt(1)}.dead`)
  writeFileSync(path, withoutChecksum(path).replace('[{"a":1},2]', body))
  const { code, err } = await dead(data, 'replay', receiptAt(1))
  expect([code, err]).toEqual([1, expect.stringMatching(/not replayed: /)])
  expect(err).toMatch(reason)
  expect(existsSync(path)).toBe(true)
})
