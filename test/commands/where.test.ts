/** `millrace where`: a receipt leads to its payloads, beside a running server and without one; nothing is changed. */

import { expect, test } from 'bun:test'
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { HEADER, valueRecord } from '../journal/segment-files.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObject } from '../objects.ts'
import { everythingIn, miscounted, writeSegment } from './damage.ts'
import { millrace } from './run-command.ts'

interface Found {
  state: string
  destination: string
  objects: { name: string; bytes: number; sha256: string; lines: { first: number; last: number; exact: boolean } }[]
}

async function receiptOf(response: Promise<Response>): Promise<string> {
  return ((await (await response).json()) as { receipt: string }).receipt
}

test('says the same as the server beside it, while the record is pending, when it is stored, and when the server is gone', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  await using server = await Millrace.start(['--data', data, '--linger', '1h'])
  const receipt = await receiptOf(server.post('/payloads', 'application/json', '[1,2,3]'))
  const look = async () => {
    const { code, out } = await millrace(['where', receipt, '--data', data, '--json'])
    return { code, found: JSON.parse(out) as Found }
  }
  const asked = async () => (await (await fetch(`${server.url}/receipts/${receipt}`)).json()) as Found
  expect(await look()).toEqual({ code: 0, found: await asked() })
  expect((await look()).found.state).toBe('pending')
  expect((await millrace(['where', receipt, '--data', data])).out).toContain(`${receipt} is pending`)

  await server.post('/payloads?ack=stored', 'application/json', '"last"')
  const stored = await look()
  expect(stored).toEqual({ code: 0, found: await asked() })
  await server.stop()
  expect(await look()).toEqual(stored)
  const [object] = stored.found.objects
  const lines = readObject(object?.name ?? '', readFileSync(scratch.at('data/objects', object?.name ?? '')))
  const own = lines.slice((object?.lines.first ?? 0) - 1, object?.lines.last)
  expect(own.map((line) => [line.receipt, line.payload])).toEqual(['1', '2', '3'].map((each) => [receipt, each]))

  const { out } = await millrace(['where', receipt], { MILLRACE_DATA: data })
  expect(out).toContain(`${receipt} is stored\n`)
  for (const part of [
    object?.name,
    object?.sha256,
    'lines 1 to 3',
    `${object?.bytes} bytes`,
    scratch.at('data/objects'),
  ]) {
    expect(out).toContain(String(part))
  }
})

test('takes no lock and changes nothing', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  await using server = await Millrace.start(['--data', data, '--linger', '1h'])
  const receipt = await receiptOf(server.post('/payloads', 'application/json', '1'))
  const before = everythingIn(data)
  expect((await millrace(['where', receipt, '--data', data])).code).toBe(0)
  expect(everythingIn(data)).toEqual(before)
  await server.kill()
  expect((await millrace(['where', receipt, '--data', data])).code).toBe(0)
  expect(everythingIn(data)).toEqual(before)
})

test('a record behind a torn frame is found, one in it is not; a segment that the ledger knows is not pending', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  writeSegment(data, [valueRecord('1'), valueRecord('2')])
  const sealed = scratch.at('data/lane-0/0000000000000001.sealed')
  const open = sealed.replace('.sealed', '.open')
  renameSync(sealed, open)
  const seal = readFileSync(open)
  // What a reader sees while the server writes: the seal is gone, and half a frame has come.
  writeFileSync(open, seal.subarray(0, -64))
  appendFileSync(open, seal.subarray(64, 110))
  const at = (place: number) => `${HEADER.node}-0-1-${HEADER.tag}-${place}`
  for (const [place, code] of [
    [0, 0],
    [1, 0],
    [2, 1],
  ] as const) {
    expect([place, (await millrace(['where', at(place), '--data', data])).code]).toEqual([place, code])
  }
  const bytes = readFileSync(open)
  await using server = await Millrace.start(['--data', data])
  await server.stop()
  writeFileSync(sealed, bytes)
  const { out } = await millrace(['where', at(1), '--data', data, '--json'])
  expect(JSON.parse(out)).toMatchObject({ state: 'stored', objects: [{ lines: { first: 2, last: 2, exact: true } }] })
})

test('a dead record has its reason', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  writeSegment(data, [valueRecord('1'), miscounted('[1,2]')])
  await using server = await Millrace.start(['--data', data])
  await server.stop()
  const receipt = `${HEADER.node}-0-1-${HEADER.tag}-1`
  const { code, out } = await millrace(['where', receipt, '--data', data])
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/ is dead: the array holds 2 payloads where intake counted 99\n/),
  ])
})

test('what is unknown ends with exit code 1 and says what that can mean', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  writeSegment(data, [valueRecord('1')])
  const cases = [
    [`${HEADER.node}-0-1-${HEADER.tag}-1`, /is unknown: it was never given here, or longer ago/],
    [`${HEADER.node}-0-1-00000000-0`, /is unknown: /],
    [`${HEADER.node}-7-1-${HEADER.tag}-0`, /is unknown: /],
    [`other-0-1-${HEADER.tag}-0`, /given by node other, and .* belongs to node k3v9x2ab/],
    ['../../node', /is not a receipt; one looks like k3v9x2ab-0-/],
  ] as const
  for (const [receipt, message] of cases) {
    expect(await millrace(['where', receipt, '--data', data])).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(message),
    })
    const { code, out } = await millrace(['where', receipt, '--data', data, '--json'])
    expect([code, JSON.parse(out)]).toEqual([1, { receipt, state: 'unknown' }])
  }
})

test.each([
  [['wher', 'x'], /'wher' is not a command; commands are 'where', 'verify', 'dead list'/],
  [['where'], /'where' needs one receipt; it is written millrace where RECEIPT \[--json\] \[--data DIR\]/],
  [['where', 'a', 'b'], /'where' needs one receipt/],
  [['where', 'a', '--jsn'], /--jsn is not an option; see --help/],
  [['where', 'a', '--port', '1'], /--port is not an option/],
  [['where', 'a', '--json=yes'], /--json takes no value/],
  [['where', 'a', '--data'], /--data needs a value/],
  [['where', 'a', '--data', 'nowhere'], /--data is 'nowhere': no server has kept its journal there/],
])('%p is refused with exit code 2', async (args, message) => {
  expect(await millrace(args)).toEqual({ code: 2, out: '', err: expect.stringMatching(message) })
})

test('a command has a help of its own, and stands in the help of the program', async () => {
  const own = await millrace(['where', '--help'])
  expect([own.code, own.out]).toEqual([
    0,
    expect.stringContaining('Usage: millrace where RECEIPT [--json] [--data DIR]'),
  ])
  expect((await millrace(['--help'])).out).toMatch(/ {2}where RECEIPT +Says where the payloads of a receipt are\./)
  expect((await millrace(['where', 'x', '--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/)
})
