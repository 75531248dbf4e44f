/** A load of lines over TCP whose every answer is remembered: what was acked has to be stored once, under its receipt. */

import { expect } from 'bun:test'
import type { Line } from './objects.ts'
import type { Seeded } from './seeded.ts'
import { type TcpAnswer, TcpClient } from './tcp-client.ts'

/** How many of a client's lines may be without an answer. */
const UNANSWERED_MAX = 3000
/** How many wrongs of one kind are shown. */
const SHOWN_MAX = 5

/** Many clients that don't wait for answers. Runs may follow one another; no two payloads are alike. */
export class TcpLoad {
  /** Receipt → its payloads, in order. */
  readonly kept = new Map<string, readonly string[]>()
  /** Good lines that got no answer: nobody knows. */
  readonly unanswered = new Set<string>()
  keptPayloads = 0
  readonly #random: Seeded
  #next = 0

  constructor(random: Seeded) {
    this.#random = random
  }

  /** Sends from `clients` connections until the server closes them, or `enough` and all answers are there. */
  async run(port: number, clients: number, enough: () => boolean): Promise<void> {
    await Promise.all(Array.from({ length: clients }, () => this.#client(port, enough)))
  }

  /** The objects hold what was acked exactly once, byte for byte, under its receipt and index; the rest as a whole line and once, or not at all. */
  expectKept(lines: readonly Line[]): void {
    const byReceipt = Map.groupBy(lines, ({ receipt }) => receipt)
    const wrongs = { lost: [] as string[], different: [] as string[], madeUp: [] as string[], twice: [] as string[] }
    for (const [receipt, payloads] of this.kept) {
      const found = byReceipt.get(receipt)?.toSorted((a, b) => a.index - b.index)
      byReceipt.delete(receipt)
      if (!found) wrongs.lost.push(receipt)
      else if (
        !Bun.deepEquals(
          found.map(({ payload }) => payload),
          [...payloads],
        )
      )
        wrongs.different.push(receipt)
    }
    const seen = new Set<string>()
    for (const { payload } of lines) {
      if (seen.has(payload)) wrongs.twice.push(payload)
      seen.add(payload)
    }
    for (const found of byReceipt.values()) {
      for (const { payload } of found) if (!this.unanswered.has(payload)) wrongs.madeUp.push(payload)
    }
    const shown = Object.entries(wrongs).map(([what, some]) => [what, some.slice(0, SHOWN_MAX)])
    expect(Object.fromEntries(shown)).toEqual({ lost: [], different: [], madeUp: [], twice: [] })
  }

  async #client(port: number, enough: () => boolean): Promise<void> {
    using client = await TcpClient.open(port)
    /** What was sent: line `i + 1`; undefined for those that are no payloads. */
    const sent: (string | undefined)[] = []
    let settled = 0
    let answered = 0
    const take = () => {
      for (; answered < client.lines.length; answered++) {
        settled = this.#answer(JSON.parse(client.lines[answered] as string) as TcpAnswer, sent, settled)
      }
    }
    while (!client.isEnded && !enough()) {
      const text = Array.from({ length: 1 + this.#random.below(200) }, () => this.#line(sent)).join('')
      const bytes = Buffer.from(text)
      const cut = this.#random.below(bytes.length)
      client.send(bytes.subarray(0, cut))
      // Half a line may be all that has come when it strikes.
      if (this.#random.chance(0.3)) await new Promise(setImmediate)
      client.send(bytes.subarray(cut))
      await new Promise(setImmediate)
      for (take(); !client.isEnded && sent.length - settled > UNANSWERED_MAX; take()) await client.more()
    }
    client.finish()
    await client.ended()
    take()
    for (const payload of sent.slice(settled)) if (payload !== undefined) this.unanswered.add(payload)
  }

  /** Takes an answer in; returns up to which line the client knows. */
  #answer(answer: TcpAnswer, sent: readonly (string | undefined)[], settled: number): number {
    // Where the server ended the connection, nothing more is settled.
    if (answer.lines === undefined) return settled
    const [from, to] = answer.lines
    expect(from).toBe(settled + 1)
    const payloads = sent.slice(from - 1, to)
    const good = payloads.filter((payload) => payload !== undefined)
    expect(answer.accepted ?? 0).toBe(good.length)
    if (answer.receipt === undefined) return to
    // Two answers with one receipt would hide the loss of one of them.
    expect(this.kept.has(answer.receipt)).toBe(false)
    this.kept.set(answer.receipt, good)
    this.keptPayloads += good.length
    return to
  }

  /** A line that no other is like; some are blank, some are no JSON. */
  #line(sent: (string | undefined)[]): string {
    const random = this.#random
    if (random.chance(0.01)) {
      sent.push(undefined)
      return random.pick(['\n', '{"no":\n', ' \r\n'])
    }
    const id = this.#next++
    const text = 'mühle \\u00fc '.repeat(random.chance(0.02) ? random.below(1000) : random.below(10))
    const payload = random.pick([`{ "id" : ${id}.0, "text": "${text}" }`, `"${id} ${text}"`, `${id}.00`])
    sent.push(payload)
    return payload + random.pick(['\n', '\r\n'])
  }
}
