/** One view over all lanes: sums, and no lane left out silently. */

import { expect, test } from 'bun:test'
import { jsonAnswer } from '../../src/intake/answer.ts'
import { type Inspection, type LaneState, readyResponse, type State, statusResponse } from '../../src/intake/inspect.ts'
import { metricsResponse } from '../../src/intake/metrics.ts'
import { keeperOf, Overview } from '../../src/lanes/overview.ts'

const amount = (payloads: number) => ({ payloads, bytes: payloads * 10 })

function stateOf(n: number, refusal?: State['refusal']): State {
  const balance = { accepted: amount(6 * n), stored: amount(3 * n), pending: amount(2 * n), dead: amount(n) }
  const puts = { inFlight: n, limit: 2 * n, throttled: 3 * n }
  return {
    balance,
    puts: { lines: puts, payload: puts },
    tcpConnections: n,
    refusal,
    destination: 's3://b',
    segments: n,
  }
}

function overview(own: State, others: LaneState[]) {
  const inspection: Inspection = {
    receipt: async (receipt) => jsonAnswer(200, `own ${receipt}`),
    state: async () => own,
  }
  const sisters = {
    states: async () => others,
    receipt: async (lane: number, receipt: string) => jsonAnswer(200, `lane ${lane} ${receipt}`),
  }
  return new Overview({ lane: 1, lanes: 3 }, inspection, sisters)
}

const whole = overview(stateOf(1), [
  { lane: 0, state: stateOf(10) },
  { lane: 2, state: stateOf(100) },
])
const refused = { code: 'queue_full' as const, detail: 'no room', retryAfterSeconds: 4 }
const down = { lane: 2, state: undefined, reason: 'lane 2 does not answer (it is not running)' }

test('what all lanes have is the sum; each of them is there, in order', async () => {
  const status = await statusResponse(await whole.state()).json()
  expect(status).toMatchObject({ accepted: amount(666), stored: amount(333), pending: amount(222), dead: amount(111) })
  expect(status).toMatchObject({ complete: true, ready: true, destination: 's3://b', segments: 111 })
  expect(status).not.toHaveProperty('missing_lanes')
  expect(status).toMatchObject({ lanes: [{ lane: 0, segments: 10 }, { lane: 1 }, { lane: 2, accepted: amount(600) }] })
  const metrics = await metricsResponse(await whole.state()).text()
  expect(metrics).toContain('\nmillrace_accepted_payloads_total 666\n')
  expect(metrics).toContain('\nmillrace_puts_limit{format="payload"} 222\n')
  expect(metrics).toContain('\nmillrace_lane_pending_payloads{lane="2"} 200\n')
})

test('one lane that is not ready: all of them are not, and it is named', async () => {
  const one = overview(stateOf(1), [
    { lane: 0, state: stateOf(1, refused) },
    { lane: 2, state: stateOf(1) },
  ])
  const response = readyResponse(await one.state())
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '4'])
  expect(await response.json()).toMatchObject({ code: 'queue_full', detail: 'lane 0: no room' })
})

test('one lane that does not answer is named, and counters have a gap rather than a sum without it', async () => {
  const one = overview(stateOf(1), [{ lane: 0, state: stateOf(1) }, down])
  expect(await readyResponse(await one.state()).json()).toMatchObject({ code: 'lane_down', detail: down.reason })
  const status = await statusResponse(await one.state()).json()
  expect(status).toMatchObject({
    ready: false,
    accepted: amount(12),
    lanes: [{}, {}, { lane: 2, reason: down.reason }],
  })
  // Before any sum, what it is without.
  expect(Object.entries(status as object).slice(0, 3)).toEqual([
    ['complete', false],
    ['missing_lanes', [2]],
    ['sums', expect.stringMatching(/^without lane 2: /)],
  ])
  const metrics = await metricsResponse(await one.state()).text()
  expect(metrics).not.toContain('millrace_accepted_payloads_total')
  expect(metrics).toContain('millrace_lane_up{lane="2"} 0')
})

test('several lanes that do not answer are all named', async () => {
  const status = await statusResponse(await overview(stateOf(1), [{ ...down, lane: 0 }, down]).state()).json()
  expect(status).toMatchObject({ complete: false, missing_lanes: [0, 2], accepted: amount(6) })
  expect(status).toHaveProperty('sums', expect.stringMatching(/^without lanes 0, 2: /))
})

test('a server of one lane is complete', async () => {
  expect(await statusResponse(stateOf(1)).json()).toMatchObject({ complete: true, accepted: amount(6) })
})

test('a receipt goes to the lane that keeps its journal, also when there are fewer lanes than there were', async () => {
  const of = async (receipt: string) => (await whole.receipt(receipt)).body
  expect(await of('n-1-5-00000000-0')).toBe('own n-1-5-00000000-0')
  expect(await of('n-2-5-00000000-0')).toBe('lane 2 n-2-5-00000000-0')
  expect(await of('n-3-5-00000000-0')).toBe('lane 0 n-3-5-00000000-0')
  expect(await of('none')).toBe('own none')
  expect([0, 1, 2, 3, 4, 5].map((journal) => keeperOf(journal, 3))).toEqual([0, 1, 2, 0, 1, 2])
})
