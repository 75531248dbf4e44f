/** Metrics: what is exposed is what the rows and the page say, no more and no less. */

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { State } from '../../src/intake/inspect.ts'
import { METRICS, metricsResponse } from '../../src/intake/metrics.ts'
import { Millrace, Scratch } from '../millrace.ts'

/** The names that comments of a kind, or samples, are about, in their order. */
const namesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name as string)

const all = METRICS.map(({ name }) => name)
const exposed = METRICS.filter(({ isOfCalls }) => !isOfCalls)
const alone = exposed.flatMap(({ name, isOfLanes }) => (isOfLanes ? [] : [name]))

test('every metric that a server exposes is in the rows, and every row is exposed', async () => {
  for (const [lanes, expected] of [
    ['1', alone],
    ['2', exposed.map(({ name }) => name)],
  ] as const) {
    using scratch = new Scratch()
    await using millrace = await Millrace.start(['--data', scratch.at('data'), '--lanes', lanes])
    const response = await fetch(`${millrace.url}/metrics`)
    expect(response.headers.get('content-type')).toStartWith('text/plain; version=0.0.4')
    const text = await response.text()
    expect(namesIn(text, /^# HELP (\w+) ./gm)).toEqual(expected)
    expect(namesIn(text, /^# TYPE (\w+) (?:counter|gauge)$/gm)).toEqual(expected)
    const samples = namesIn(text, /^(\w+)(?:\{\w+="\w+"\})? \d+$/gm)
    expect([...new Set(samples)]).toEqual(expected)
    expect(text.trimEnd().split('\n')).toHaveLength(2 * expected.length + samples.length)
  }
})

test('help and type are the row’s, and its samples follow them', async () => {
  const amount = { payloads: 1, bytes: 2 }
  const puts = { inFlight: 3, limit: 4, throttled: 5 }
  const state: State = {
    balance: { accepted: amount, stored: amount, pending: amount, dead: amount },
    puts: { lines: puts, payload: puts },
    calls: { running: 6, failing: 7, retried: 8 },
    tcpConnections: 9,
    refusal: undefined,
    destination: 'd',
    segments: 0,
  }
  const text = await metricsResponse(state).text()
  for (const { name, type, what, isOfLanes } of METRICS) {
    const begin = `# HELP ${name} ${what}\n# TYPE ${name} ${type}\n${name}`
    expect([name, text.includes(begin)]).toEqual([name, isOfLanes !== true])
  }
})

test('a counter ends with _total and no gauge does, a unit is in the name, and the page has every row', () => {
  const page = readFileSync(join(import.meta.dir, '../../docs/METRICS.md'), 'utf8')
  expect(new Set(all).size).toBe(all.length)
  for (const { name, type, unit, what, label = '' } of METRICS) {
    expect(name).toMatch(/^millrace_[a-z_]+$/)
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
    if (/^\w+$/.test(unit)) expect(name).toContain(`_${unit}`)
    expect(what).toMatch(/^[A-Z].*\.$/)
    expect(page).toContain(`| \`${name}\` | ${type} | ${unit} | ${what} | ${label} |`)
  }
  expect(namesIn(page, /^\| `(\w+)` \|/gm)).toEqual(all)
})
