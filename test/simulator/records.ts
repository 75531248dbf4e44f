/** Records as clients send them: every kind and size, each payload a text that occurs once in a run. */

import type { NewRecord } from '../../src/journal/journal.ts'
import { nameText, space, spaced, stringText, valueText } from '../json/random-json.ts'
import type { Seeded } from '../seeded.ts'

/** A record, and what has to become of it. */
export interface SentRecord extends NewRecord {
  body: Uint8Array<ArrayBuffer>
  /** Its payloads as they were sent, and as their lines hold them. */
  raw: string[]
  texts: string[]
  version: string | null
}

/** Longer than the journal's stage and an encoder's chunk. */
const LARGE_BYTES = 1_200_000
const FEW_SOURCES = ['default', 'default', 'shop-7', 'Büro 2', 'x'.repeat(255)]
/** Enough for most segments to be mixed, and some of them alike in their beginnings. */
const MANY_SOURCES = Array.from({ length: 24 }, (_, i) => `s${i}`)

/** Makes one client's records after another. */
export class Records {
  readonly #random: Seeded
  /** How many of a thousand records are large, or of very many payloads. */
  readonly #largePermille: number
  readonly #sources: readonly string[]
  #payloads = 0

  constructor(random: Seeded, largePermille: number) {
    this.#random = random
    this.#largePermille = largePermille
    this.#sources = random.chance(0.3) ? MANY_SOURCES : FEW_SOURCES
  }

  next(receivedAtMs: number): SentRecord {
    const random = this.#random
    const source = random.pick(this.#sources)
    const isLarge = random.below(1000) < this.#largePermille
    const kind = random.pick(['collection', 'value', 'array', 'lines'] as const)
    const count = kind === 'value' ? 1 : isLarge ? 1 + random.below(3000) : random.below(random.chance(0.1) ? 60 : 5)
    const longPayload = isLarge && count < 50 ? random.below(count) : -1
    const payloads = Array.from({ length: count }, (_, i) => this.#payload(i === longPayload, kind))
    const version = kind === 'collection' ? stringText(random) : null
    const text = bodyText(random, kind, payloads, version)
    const texts = payloads.map(flat)
    return { kind, source, receivedAtMs, body: Buffer.from(text), payloads: count, raw: payloads, texts, version }
  }

  /** One payload's text, with its number in it. */
  #payload(isLong: boolean, kind: NewRecord['kind']): string {
    const random = this.#random
    const number = ++this.#payloads
    if (isLong) return `"${number} ${'long '.repeat(random.below(LARGE_BYTES / 5))}"`
    const how = random.below(5)
    if (how === 0) return `${number}`
    if (how === 1) return `"${number}${random.pick(['', ' é', ' \\"', ' 漢字', ' \\\\'])}"`
    // A top-level array would be a record of many.
    const isArray = how === 2 && kind !== 'value'
    const value = spaced(random, valueText(random))
    const text = isArray ? `[${number},${value}]` : `{"n":${number},${spaced(random, '"v"')}:${value}}`
    return kind === 'lines' ? flat(text) : text
  }
}

function bodyText(random: Seeded, kind: NewRecord['kind'], payloads: string[], version: string | null): string {
  if (kind === 'value') return spaced(random, payloads[0] ?? '')
  if (kind === 'lines') return payloads.map((text) => text + random.pick(['\n', '\r\n', '\n\n'])).join('')
  const array = `[${payloads.map((text) => spaced(random, text)).join(',') || space(random)}]`
  if (kind === 'array') return spaced(random, array)
  const members = [
    `${nameText(random, 'version')}:${spaced(random, version ?? '')}`,
    `"token":${stringText(random)}`,
    `${spaced(random, nameText(random, 'data'))}:${spaced(random, array)}`,
  ]
  if (random.chance(0.2)) members.push(`"more":${valueText(random)}`)
  if (random.chance(0.5)) members.reverse()
  return spaced(random, `{${members.join(',')}}`)
}

/** Line breaks between tokens become spaces. */
export function flat(text: string): string {
  return text.replace(/[\r\n]/g, ' ')
}
