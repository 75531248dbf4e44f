/** What people and monitors ask a running server: where a receipt's payloads are, and what became of everything. */

import type { LedgerTotals } from '../observe/ledger-entry.ts'
import { problemResponse } from './problem.ts'

/** The balance: accepted = stored + pending + dead, in payloads and in bytes, over the whole life of the data directory. */
export interface Balance extends LedgerTotals {
  accepted: LedgerTotals['stored']
  pending: LedgerTotals['stored']
}

/** Puts to the destination: under way, how many may be just now, and how many answers were throttling. */
export interface Puts {
  inFlight: number
  limit: number
  throttled: number
}

/** Who knows. */
export interface Inspection {
  /** What is known of a receipt, as it goes into the answer; undefined when nothing is. */
  whereIs(receipt: string): Promise<object | undefined>
  balance(): Balance
  /** By what an object holds. */
  puts(): Readonly<Record<'lines' | 'payload', Puts>>
  /** What else the status page shows. */
  status(): object
}

/** `GET /receipts/{receipt}`. */
export async function receiptResponse(receipt: string, inspection: Inspection): Promise<Response> {
  const found = await inspection.whereIs(receipt)
  if (found) return Response.json({ receipt, ...found })
  const detail = `'${receipt.slice(0, 100)}' was not given here, or longer ago than the ledger goes back (--ledger-days)`
  return problemResponse({ code: 'receipt_unknown', detail })
}

/** `GET /status`. */
export function statusResponse(inspection: Inspection): Response {
  return Response.json({ ...inspection.balance(), ...inspection.status() })
}

const PUT_METRICS = [
  ['millrace_puts_in_flight', 'gauge', 'inFlight'],
  ['millrace_puts_limit', 'gauge', 'limit'],
  ['millrace_puts_throttled_total', 'counter', 'throttled'],
] as const satisfies readonly [string, string, keyof Puts][]

/** `GET /metrics`: the balance, and how puts fare, as Prometheus text. */
export function metricsResponse(inspection: Inspection): Response {
  const balance = inspection.balance()
  const lines = (['accepted', 'stored', 'dead', 'pending'] as const).flatMap((state) =>
    (['payloads', 'bytes'] as const).flatMap((unit) => {
      const isGauge = state === 'pending'
      const name = `millrace_${state}_${unit}${isGauge ? '' : '_total'}`
      return [`# TYPE ${name} ${isGauge ? 'gauge' : 'counter'}`, `${name} ${balance[state][unit]}`]
    }),
  )
  const puts = inspection.puts()
  for (const [name, type, field] of PUT_METRICS) {
    lines.push(`# TYPE ${name} ${type}`)
    for (const format of ['lines', 'payload'] as const) lines.push(`${name}{format="${format}"} ${puts[format][field]}`)
  }
  return new Response(`${lines.join('\n')}\n`, { headers: { 'content-type': 'text/plain; version=0.0.4' } })
}
