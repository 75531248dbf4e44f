/** A load in every shape of body, and a ledger of it: each receipt with its payloads' bytes, and each post without one. */

import { expect } from 'bun:test'
import type { Line } from './objects.ts'
import type { Seeded } from './seeded.ts'

/** How a post that got no 202 ended. */
interface Unkept {
  payloads: readonly string[]
  /** The refusal's status and code; undefined when there was no answer. */
  refusal?: { status: number; code: string; retryAfter: string | null }
}

interface Post {
  path: string
  type: string
  body: string
  payloads: readonly string[]
}

/** How many wrongs of one kind are shown. */
const SHOWN_MAX = 5

/** Posts unlike payloads, never two alike, and knows what has to be in the objects. Runs may follow one another. */
export class Ledger {
  /** Receipt → its payloads, in order. */
  readonly kept = new Map<string, readonly string[]>()
  readonly unkept: Unkept[] = []
  keptPayloads = 0
  readonly #random: Seeded
  #next = 0

  constructor(random: Seeded) {
    this.#random = random
  }

  /** How many posts ended without an answer. */
  get unanswered(): number {
    return this.unkept.filter(({ refusal }) => refusal === undefined).length
  }

  /** The refusals, each once: `503 disk_full`. */
  get refusals(): string[] {
    return [...new Set(this.unkept.flatMap(({ refusal }) => (refusal ? [`${refusal.status} ${refusal.code}`] : [])))]
  }

  /** Posts from `clients` clients at once until the server is gone or `enough`, which is waited for before every post. */
  async run(url: string, clients: number, enough: () => boolean | Promise<boolean>): Promise<void> {
    let isGone = false
    const client = async () => {
      while (!isGone && !(await enough())) isGone = !(await this.post(url))
    }
    await Promise.all(Array.from({ length: clients }, client))
  }

  /** Posts once; false when there was no answer. */
  async post(url: string): Promise<boolean> {
    const { path, type, body, payloads } = this.#make()
    let response: Response
    let text: string
    try {
      response = await fetch(url + path, { method: 'POST', body, headers: { 'content-type': type } })
      text = await response.text()
    } catch {
      this.unkept.push({ payloads })
      return false
    }
    const { status, headers } = response
    const answer = JSON.parse(text) as { receipt: string; accepted: number; code: string }
    if (status !== 202) {
      this.unkept.push({ payloads, refusal: { status, code: answer.code, retryAfter: headers.get('retry-after') } })
      return true
    }
    expect(answer.accepted).toBe(payloads.length)
    // Two posts with one receipt would hide the loss of one of them.
    expect(this.kept.has(answer.receipt)).toBe(false)
    this.kept.set(answer.receipt, payloads)
    this.keptPayloads += payloads.length
    return true
  }

  /**
   * The objects hold every payload of a receipt exactly once, byte for byte, under its receipt and index. Posts without a
   * receipt are there as a whole and once, or not at all; those that were refused are not there. Nothing else is.
   * `damaged` are receipts whose records a test has spoiled: they are not there either.
   */
  expectKept(lines: readonly Line[], damaged: readonly string[] = []): void {
    const stored = new Map<string, Line[]>()
    for (const line of lines) {
      const same = stored.get(line.receipt)
      if (same) same.push(line)
      else stored.set(line.receipt, [line])
    }
    const wrongs = {
      lost: [] as string[],
      different: [] as string[],
      refused: [] as string[],
      extra: [] as string[],
    }
    for (const [receipt, payloads] of this.kept) {
      const found = stored.get(receipt)
      stored.delete(receipt)
      if (damaged.includes(receipt) && found) wrongs.extra.push(receipt)
      else if (damaged.includes(receipt)) continue
      else if (!found) wrongs.lost.push(receipt)
      else if (!isSame(found, payloads)) wrongs.different.push(receipt)
    }
    const known = new Map([...this.kept.values()].map((payloads) => [payloads[0], 'kept' as Unkept | 'kept']))
    for (const post of this.unkept) known.set(post.payloads[0], post)
    for (const [receipt, found] of stored) {
      const first = found.find(({ index }) => index === 0)?.payload
      const post = known.get(first)
      known.delete(first)
      if (post === undefined || post === 'kept') wrongs.extra.push(receipt)
      else if (!isSame(found, post.payloads)) wrongs.different.push(receipt)
      // After a failed sync nobody knows; every other refusal means that nothing was kept.
      else if (post.refusal && post.refusal.code !== 'journal_failed') wrongs.refused.push(receipt)
    }
    const shown = Object.entries(wrongs).map(([what, receipts]) => [what, receipts.slice(0, SHOWN_MAX)])
    expect(Object.fromEntries(shown)).toEqual({ lost: [], different: [], refused: [], extra: [] })
  }

  #make(): Post {
    const random = this.#random
    const json = 'application/json'
    const payloads = Array.from({ length: 1 + random.below(5) }, () => this.#payload())
    switch (random.below(4)) {
      case 0: {
        const body = `{"version":"1.0","token":"t","data":[${payloads.join(', ')}]}`
        return { path: '/payload', type: json, body, payloads }
      }
      case 1:
        return { path: '/payloads', type: json, body: `[${payloads.join(',')}]`, payloads }
      case 2: {
        // A last line without its end, lines of Windows, and lines with nothing in them are all fine.
        const body = payloads.join(random.pick(['\n', '\r\n', '\n\n'])) + random.pick(['', '\n'])
        return { path: '/payloads', type: 'application/x-ndjson', body, payloads }
      }
      default: {
        const [value = ''] = payloads
        return { path: '/payloads', type: json, body: value, payloads: [value] }
      }
    }
  }

  /** A value that no other is like, that a parser and a printer would change, and that is no array. */
  #payload(): string {
    const random = this.#random
    const id = this.#next++
    const length = random.chance(0.02) ? random.below(20_000) : random.below(200)
    switch (random.below(4)) {
      case 0:
        return `{ "id" : ${id}.0, "text": "${'mühle \\u00fc\\/ 😀 '.repeat(length / 12)}" }`
      case 1:
        return `{"id":${id},"id":123456789012345678901234567890,"values":[${'-0,1E400,'.repeat(length / 9)}null]}`
      case 2:
        return `"${id} \\ud800 ${'x'.repeat(length)}"`
      default:
        return `${id}.${'0'.repeat(1 + (length % 50))}`
    }
  }
}

function isSame(found: readonly Line[], payloads: readonly string[]): boolean {
  const sorted = found.toSorted((a, b) => a.index - b.index)
  return (
    sorted.length === payloads.length &&
    sorted.every(({ index, payload }, place) => index === place && payload === payloads[place])
  )
}
