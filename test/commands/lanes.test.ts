/** Commands over the data of several lanes, beside a server that runs and without one. */

import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { millrace as run } from './run-command.ts'

interface Report {
  accepted: { payloads: number }
  stored: { payloads: number }
  pending: { payloads: number }
  last_entries: Record<string, number>
  problems: { kind: string; what: string }[]
}

async function verify(scratch: Scratch, ...args: string[]): Promise<{ code: number | null; report: Report }> {
  const { code, out } = await run(['verify', '--json', '--data', scratch.at('data'), ...args])
  return { code, report: JSON.parse(out) as Report }
}

test('verify and where see all lanes, under load, after a stop, and when later starts have fewer', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '20ms']
  const load = new Load()
  await using first = await Millrace.start([...args, '--lanes', '3'])
  const looks: { code: number | null; problems: unknown }[] = []
  const running = load.run(first.url, 24, () => looks.length === 5 && load.acked.size > 1000)
  while (looks.length < 5) {
    const { code, report } = await verify(scratch, '--deep')
    looks.push({ code, problems: report.problems })
  }
  await running
  // No false alarm.
  expect(looks).toEqual(Array.from({ length: 5 }, () => ({ code: 0, problems: [] })))
  await first.stop()
  const { code, report } = await verify(scratch, '--deep')
  expect([code, report.problems]).toEqual([0, []])
  const amounts = {
    accepted: { payloads: load.acked.size },
    stored: { payloads: load.acked.size },
    pending: { payloads: 0 },
  }
  expect(report).toMatchObject(amounts)
  expect(Object.keys(report.last_entries)).toEqual(['0', '1', '2'])
  const lines = readObjectsIn(scratch.at('data/objects'))
  for (const lane of [0, 1, 2]) {
    const { receipt } = lines.find(({ receipt }) => receipt.split('-')[1] === String(lane)) ?? { receipt: '' }
    const found = await run(['where', receipt, '--data', scratch.at('data')])
    expect([found.code, found.out]).toEqual([0, expect.stringContaining(`${receipt} is stored`)])
  }
  for (const lanes of ['2', '1']) {
    await using next = await Millrace.start([...args, '--lanes', lanes])
    expect((await next.stop()).code).toBe(0)
    const { code, report } = await verify(scratch, '--deep')
    expect([code, report.problems]).toEqual([0, []])
    expect(report).toMatchObject(amounts)
  }
  load.expectKept(lines)

  // A line that is missing is its own lane's.
  const path = scratch.at('data/ledger/2-0000000000000-0.ndjson')
  const entries = readFileSync(path, 'utf8').trimEnd().split('\n')
  writeFileSync(path, `${entries.toSpliced(1, 1).join('\n')}\n`)
  const damaged = await verify(scratch)
  expect(damaged.code).toBe(1)
  expect(damaged.report.problems).toMatchObject([
    { kind: 'ledger_gap', what: 'entry 2 of lane 2' },
    { kind: 'segment_unknown' },
  ])
})
