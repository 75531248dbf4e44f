/** The metrics, one row each: `GET /metrics`, with its HELP and TYPE lines, and `docs/METRICS.md` come out of here. */

import type { Calls, State } from './inspect.ts'

/** A value; labels as they stand between the braces. */
type Sample = readonly [labels: string, value: number]

/** One metric. */
export interface MetricRow {
  name: string
  type: 'counter' | 'gauge'
  unit: string
  /** One sentence. */
  what: string
  /** What its label says. */
  label?: string
  /** It is there only with several lanes, and tells of each by itself; all others are sums. */
  isOfLanes?: true
  /** It is there only where a function takes payloads. */
  isOfCalls?: true
  samples(state: State): readonly Sample[]
}

const FORMATS = ['lines', 'payload'] as const
const FORMAT_LABEL = '`format`: `lines` or `payload`, as `--format` has it'
const LANE_LABEL = '`lane`: its number'

/** Every metric, in the order of a payload's way. */
export const METRICS: readonly MetricRow[] = [
  ...ofBalance('accepted', 'millrace_accepted', 'counter', 'that were acknowledged'),
  ...ofBalance('stored', 'millrace_stored', 'counter', 'that are at the destination'),
  ...ofBalance('dead', 'millrace_dead', 'counter', 'that can never be stored, and were set aside'),
  ...ofBalance('pending', 'millrace_pending', 'gauge', 'that are in the journal and not stored yet'),
  {
    name: 'millrace_puts_in_flight',
    type: 'gauge',
    unit: 'puts',
    what: 'Puts to the destination that are under way.',
    label: FORMAT_LABEL,
    samples: ({ puts }) => FORMATS.map((format) => [`format="${format}"`, puts[format].inFlight]),
  },
  {
    name: 'millrace_puts_limit',
    type: 'gauge',
    unit: 'puts',
    what: 'How many puts may be under way just now: fewer while the destination throttles or is slow.',
    label: FORMAT_LABEL,
    samples: ({ puts }) => FORMATS.map((format) => [`format="${format}"`, puts[format].limit]),
  },
  {
    name: 'millrace_puts_throttled_total',
    type: 'counter',
    unit: 'puts',
    what: 'Puts that the destination throttled or did not answer in time, since the start.',
    label: FORMAT_LABEL,
    samples: ({ puts }) => FORMATS.map((format) => [`format="${format}"`, puts[format].throttled]),
  },
  ...ofCalls('running', 'gauge', 'that are under way'),
  ...ofCalls('failing', 'gauge', 'under way whose last attempt failed'),
  ...ofCalls('retried', 'counter', 'that were made again after a failure, since the start'),
  {
    name: 'millrace_tcp_connections',
    type: 'gauge',
    unit: 'connections',
    what: 'TCP connections that are open; 0 without `--tcp`.',
    samples: ({ tcpConnections }) => [['', tcpConnections]],
  },
  {
    name: 'millrace_lane_up',
    type: 'gauge',
    unit: '1 or 0',
    what: 'Whether the lane answers.',
    label: LANE_LABEL,
    isOfLanes: true,
    samples: ({ lanes = [] }) => lanes.map(({ lane, state }) => [`lane="${lane}"`, state ? 1 : 0]),
  },
  {
    name: 'millrace_lane_pending_payloads',
    type: 'gauge',
    unit: 'payloads',
    what: 'Payloads that are in the lane’s journal and not stored yet; no sample while it does not answer.',
    label: LANE_LABEL,
    isOfLanes: true,
    samples: ({ lanes = [] }) =>
      lanes.flatMap(({ lane, state }) => (state ? [[`lane="${lane}"`, state.balance.pending.payloads]] : [])),
  },
]

/** Payloads, and the bytes of their records. */
function ofBalance(member: keyof State['balance'], name: string, type: MetricRow['type'], which: string): MetricRow[] {
  const ending = type === 'counter' ? '_total' : ''
  const of = (unit: 'payloads' | 'bytes', what: string): MetricRow => {
    return {
      name: `${name}_${unit}${ending}`,
      type,
      unit,
      what,
      samples: ({ balance }) => [['', balance[member][unit]]],
    }
  }
  return [of('payloads', `Payloads ${which}.`), of('bytes', `Bytes of records ${which}.`)]
}

/** Of the function that takes payloads, where there is one. */
function ofCalls(member: keyof Calls, type: MetricRow['type'], which: string): MetricRow[] {
  const name = `millrace_calls_${member}${type === 'counter' ? '_total' : ''}`
  const what = `Calls of your function ${which}; only where \`to\` is a function.`
  return [
    { name, type, unit: 'calls', what, isOfCalls: true, samples: ({ calls }) => (calls ? [['', calls[member]]] : []) },
  ]
}

/** `GET /metrics`, as Prometheus text. */
export function metricsResponse(state: State): Response {
  const { lanes = [] } = state
  // A sum without a lane that doesn't answer would look like counters that were reset: no sample is a gap.
  const isWhole = lanes.every(({ state }) => state !== undefined)
  const lines = METRICS.flatMap(({ name, type, what, isOfLanes, isOfCalls, samples }) => {
    if (isOfCalls && state.calls === undefined) return []
    if (isOfLanes ? lanes.length === 0 : !isWhole) return []
    const values = samples(state).map(([labels, value]) => `${name}${labels && `{${labels}}`} ${value}`)
    return [`# HELP ${name} ${what}`, `# TYPE ${name} ${type}`, ...values]
  })
  return new Response(`${lines.join('\n')}\n`, { headers: { 'content-type': 'text/plain; version=0.0.4' } })
}
