/** A load whose every answer is remembered: what was acked has to be stored once, what wasn't may be stored once. */

import { expect } from 'bun:test'
import type { Line } from './objects.ts'

/** Many clients posting numbered payloads. Runs may follow one another; numbers are never used twice. */
export class Load {
  /** Payloads that got a 202. */
  readonly acked = new Set<string>()
  /** Payloads whose request ended without an answer: nobody knows. */
  readonly unanswered = new Set<string>()
  /** Answers other than 202. */
  readonly refusals: { status: number; body: string }[] = []
  #next = 0

  /**
   * Posts from `clients` clients at once until `enough` says so or the server is gone; where only a part of it goes,
   * `survives`, also after requests that were cut off.
   */
  async run(url: string, clients: number, enough: () => boolean, pauseMs = 0, survives = false): Promise<void> {
    let gone = false
    const client = async () => {
      while (!gone && !enough()) {
        const payloads = Array.from({ length: 1 + (this.#next % 3) }, () => `{"n":${this.#next++},"text":"mühle"}`)
        try {
          const body = `[${payloads.join(',')}]`
          const headers = { 'content-type': 'application/json' }
          const response = await fetch(`${url}/payloads`, { method: 'POST', body, headers })
          const text = await response.text()
          if (response.status === 202) for (const payload of payloads) this.acked.add(payload)
          else this.refusals.push({ status: response.status, body: text })
          // What a proxy says is no answer of ours.
          if (response.status !== 202 && !text.includes('"code"'))
            for (const payload of payloads) this.unanswered.add(payload)
        } catch {
          for (const payload of payloads) this.unanswered.add(payload)
          gone = !survives
        }
        // Paces the load; nothing is waited for.
        if (pauseMs > 0) await Bun.sleep(pauseMs)
      }
    }
    await Promise.all(Array.from({ length: clients }, client))
  }

  /** Every acked payload is stored, none is stored twice, and none was made up. */
  expectKept(lines: readonly Line[]): void {
    const stored = new Set<string>()
    const twice: string[] = []
    const unknown: string[] = []
    for (const { payload } of lines) {
      if (stored.has(payload)) twice.push(payload)
      if (!this.acked.has(payload) && !this.unanswered.has(payload)) unknown.push(payload)
      stored.add(payload)
    }
    const lost = [...this.acked].filter((payload) => !stored.has(payload))
    expect({ lost, twice, unknown }).toEqual({ lost: [], twice: [], unknown: [] })
  }
}
