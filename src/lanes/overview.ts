/** One view over all lanes, whichever of them is asked: sums, readiness of each, and receipts from the lane that knows. */

import type { Answer } from '../intake/answer.ts'
import type { Balance, Inspection, LaneState, Puts, State } from '../intake/inspect.ts'
import type { Refusal } from '../intake/problem.ts'
import { parseReceipt } from '../journal/name.ts'
import type { Amount } from '../observe/ledger-entry.ts'
import type { Sisters } from './sisters.ts'

/** Which lane this is, and of how many. */
export interface LanePlace {
  lane: number
  lanes: number
}

/** The lane that has the journal of lane `journal`: its own, or the one that drains it, where there are fewer lanes now. */
export function keeperOf(journal: number, lanes: number): number {
  return journal % lanes
}

/** Puts this lane's view and its sisters' together. */
export class Overview implements Inspection {
  readonly #place: LanePlace
  readonly #own: Inspection
  readonly #sisters: Pick<Sisters, 'states' | 'receipt'>

  constructor(place: LanePlace, own: Inspection, sisters: Pick<Sisters, 'states' | 'receipt'>) {
    this.#place = place
    this.#own = own
    this.#sisters = sisters
  }

  async receipt(receipt: string): Promise<Answer> {
    const { lane, lanes } = this.#place
    const parts = parseReceipt(receipt)
    const keeper = parts ? keeperOf(parts.lane, lanes) : lane
    return keeper === lane ? await this.#own.receipt(receipt) : await this.#sisters.receipt(keeper, receipt)
  }

  async state(): Promise<State> {
    const [own, others] = await Promise.all([this.#own.state(), this.#sisters.states()])
    const lanes = [{ lane: this.#place.lane, state: own }, ...others].toSorted((a, b) => a.lane - b.lane)
    const states = lanes.flatMap(({ state }) => state ?? [])
    return {
      balance: states.map(({ balance }) => balance).reduce(sumOfBalances),
      puts: {
        lines: states.map(({ puts }) => puts.lines).reduce(sumOfPuts),
        payload: states.map(({ puts }) => puts.payload).reduce(sumOfPuts),
      },
      tcpConnections: states.reduce((sum, { tcpConnections }) => sum + tcpConnections, 0),
      refusal: firstRefusal(lanes),
      destination: own.destination,
      segments: states.reduce((sum, { segments }) => sum + segments, 0),
      lanes,
    }
  }
}

/** The server is ready when every lane is: a load balancer can't choose the lane that it reaches. */
function firstRefusal(lanes: readonly LaneState[]): Refusal | undefined {
  for (const { lane, state, reason } of lanes) {
    if (!state) return { code: 'lane_down', detail: reason ?? `lane ${lane} does not answer` }
    if (state.refusal) return { ...state.refusal, detail: `lane ${lane}: ${state.refusal.detail}` }
  }
  return undefined
}

function sumOfBalances(a: Balance, b: Balance): Balance {
  return {
    accepted: sum(a.accepted, b.accepted),
    stored: sum(a.stored, b.stored),
    pending: sum(a.pending, b.pending),
    dead: sum(a.dead, b.dead),
  }
}

function sumOfPuts(a: Puts, b: Puts): Puts {
  return { inFlight: a.inFlight + b.inFlight, limit: a.limit + b.limit, throttled: a.throttled + b.throttled }
}

/** Both together. */
export function sum(a: Amount, b: Amount): Amount {
  return { payloads: a.payloads + b.payloads, bytes: a.bytes + b.bytes }
}
