/** What people and monitors ask a running server: where a receipt's payloads are, and what became of everything. */

import type { Amount, LedgerTotals } from '../observe/ledger-entry.ts'
import { type Answer, jsonAnswer } from './answer.ts'
import { problemAnswer, problemResponse, type Refusal } from './problem.ts'

/** The balance: accepted = stored + pending + dead, in payloads and in bytes, over the whole life of the data directory. */
export interface Balance extends LedgerTotals {
  accepted: Amount
  pending: Amount
}

/** How things stand: in one lane, or in all of them together. */
export interface State {
  balance: Balance
  /** By what an object holds. */
  puts: Readonly<Record<'lines' | 'payload', Puts>>
  /** Of a function that takes payloads, where there is one. */
  calls?: Calls
  tcpConnections: number
  /** Why a load balancer should send nothing here; undefined when ready. */
  refusal: Refusal | undefined
  destination: string
  /** Undelivered ones. */
  segments: number
  /** One for each lane, where there are several. */
  lanes?: readonly LaneState[]
}

/** A lane, as the others see it: without a state when it doesn't answer. */
export interface LaneState {
  lane: number
  state: State | undefined
  /** Why it has none. */
  reason?: string
}

/** Puts to the destination: under way, how many may be just now, and how many answers were throttling. */
export interface Puts {
  inFlight: number
  limit: number
  throttled: number
}

/** Calls of a function: under way, how many of those have failed before, and how many attempts followed a failure. */
export interface Calls {
  running: number
  failing: number
  retried: number
}

/** Who knows. */
export interface Inspection {
  /** What is known of a receipt, as an answer. */
  receipt(receipt: string): Promise<Answer>
  state(): Promise<State>
}

/** The answer to a question after a receipt; `found` is undefined when nobody knows it. */
export function receiptAnswer(receipt: string, found: object | undefined): Answer {
  if (found) return jsonAnswer(200, JSON.stringify({ receipt, ...found }))
  const detail = `'${receipt.slice(0, 100)}' was not given here, or longer ago than the ledger goes back (--ledger-days)`
  return problemAnswer({ code: 'receipt_unknown', detail })
}

/** The objects of a record that is stored, as whoever knows names them; undefined when it isn't, or nobody knows. */
export async function storedIn(receipt: string, inspection: Inspection): Promise<string[] | undefined> {
  const { body } = await inspection.receipt(receipt)
  const { state, objects } = JSON.parse(body) as { state?: string; objects?: { name: string }[] }
  return state === 'stored' ? objects?.map(({ name }) => name) : undefined
}

/** `GET /readyz`. */
export function readyResponse({ refusal }: State): Response {
  return refusal ? problemResponse(refusal) : Response.json({ status: 'ready' })
}

/** Whether a load balancer should send anything here, and why not. */
interface Readiness {
  ready: boolean
  code?: string
  detail?: string
}

/** How things stand, for whoever asks. */
export interface Status extends Balance, Readiness {
  destination: string
  segments: number
  calls?: Calls
  lanes?: object[]
}

/** `GET /status`. */
export function statusResponse(state: State): Response {
  return Response.json(statusOf(state))
}

/** What that says. */
export function statusOf(state: State): Status {
  const { destination, segments, lanes, calls } = state
  const each = lanes?.map(({ lane, state, reason }) =>
    state ? { lane, ...state.balance, ...readiness(state), segments: state.segments } : { lane, ready: false, reason },
  )
  const own = { ...state.balance, ...readiness(state), destination, segments }
  // First of all: whoever reads on is not to take sums of some lanes for those of all.
  return { ...completeness(lanes), ...own, ...(calls && { calls }), ...(each && { lanes: each }) }
}

function completeness(lanes: readonly LaneState[] = []): object {
  const missing = lanes.filter(({ state }) => !state).map(({ lane }) => lane)
  if (missing.length === 0) return { complete: true }
  const which = `lane${missing.length === 1 ? '' : 's'} ${missing.join(', ')}`
  const sums = `without ${which}: what was accepted there is in none of these figures`
  return { complete: false, missing_lanes: missing, sums }
}

function readiness({ refusal }: State): Readiness {
  return refusal ? { ready: false, code: refusal.code, detail: refusal.detail } : { ready: true }
}
