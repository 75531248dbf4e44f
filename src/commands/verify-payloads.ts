/**
 * Verify's look at objects of one payload each: all of a source, an hour and a segment at once, by listing them, which asks
 * a thousandth of the questions that looking for each would. The ledger holds their number, the sum of their lengths and
 * one checksum over theirs.
 */

import { createHash } from 'node:crypto'
import { payloadName } from '../delivery/object-name.ts'
import type { Found, Listed, ReadableDestination, Unanswered } from '../destination/destination.ts'
import type { LedgerEntry, LedgerObject } from '../observe/ledger-entry.ts'
import type { Result } from './problems.ts'

/** How many objects of one set are read at once. */
const READ_AT_ONCE = 16

/** Asks again while a fault is passing. */
export type Patiently = <T extends { kind: string }>(ask: () => Promise<T | Unanswered>) => Promise<T | Unanswered>

/** Looks at a set of objects. */
export class PayloadSetCheck {
  readonly #destination: ReadableDestination
  readonly #set: LedgerObject
  readonly #patiently: Patiently
  readonly #signal: AbortSignal
  /** By place: how many objects the record has, and the highest index among them. */
  readonly #counts: Uint32Array
  readonly #highest: Uint32Array

  constructor(
    destination: ReadableDestination,
    { records }: LedgerEntry,
    set: LedgerObject,
    patiently: Patiently,
    signal: AbortSignal,
  ) {
    this.#destination = destination
    this.#set = set
    this.#patiently = patiently
    this.#signal = signal
    this.#counts = new Uint32Array(records)
    this.#highest = new Uint32Array(records)
  }

  /** Whether all are there, with the length that they have together; deep, with the checksum that they have together. */
  async look(isDeep: boolean): Promise<Result> {
    const listed = await this.#list()
    if (listed.kind === 'failed') return listed
    const { lines, bytes } = this.#set
    if (listed.objects !== lines) return this.#missing(lines - listed.objects)
    if (listed.bytes !== bytes) {
      const detail = `its objects have ${listed.bytes} bytes together, and the ledger says ${bytes}`
      return { kind: 'wrong', wrong: 'object_size', detail }
    }
    return isDeep ? await this.#read() : { kind: 'good' }
  }

  async #list(): Promise<{ kind: 'listed'; objects: number; bytes: number } | Unanswered> {
    const total = { kind: 'listed' as const, objects: 0, bytes: 0 }
    const prefix = `${this.#set.name}-`
    for (let next: string | undefined; ; ) {
      const from = next
      const ask = () => this.#destination.list(prefix, from, this.#signal)
      const page = await this.#patiently<Listed>(ask)
      if (page.kind === 'failed') return page
      for (const { name, bytes } of page.objects) {
        if (!this.#note(name.slice(prefix.length))) continue
        total.objects += 1
        total.bytes += bytes
      }
      if (page.next === undefined) return total
      next = page.next
    }
  }

  /** False for what is none of the entry's: a frame nobody was promised may have been delivered once, and be gone since. */
  #note(rest: string): boolean {
    const [, placeDigits, indexDigits] = /^(\d{1,10})-(\d{1,10})$/.exec(rest) ?? []
    const place = Number(placeDigits)
    const index = Number(indexDigits)
    if (!(place < this.#counts.length)) return false
    this.#counts[place] = (this.#counts[place] as number) + 1
    if (index > (this.#highest[place] as number)) this.#highest[place] = index
    return true
  }

  #missing(count: number): Result {
    const [first] = this.#incomplete()
    const total = `${count} of its ${this.#set.lines} objects are not there`
    if (count < 0) return { kind: 'wrong', wrong: 'object_missing', detail: `there are ${-count} objects too many` }
    if (first === undefined) return { kind: 'wrong', wrong: 'object_missing', detail: total }
    const detail = `${total}; the first that lacks any is the record at ${first}`
    return { kind: 'wrong', wrong: 'object_missing', detail }
  }

  /** Places of which something is known to be missing. */
  *#incomplete(): Generator<number> {
    for (const [start, records, each] of this.#set.runs) {
      for (let place = start; place < start + records; place++) {
        const count = this.#counts[place] ?? 0
        const isShort = each > 0 ? count < each : count > 0 && count <= (this.#highest[place] as number)
        if (isShort) yield place
      }
    }
  }

  async #read(): Promise<Result> {
    const all = createHash('sha256')
    const reading: Promise<{ found: Found; digest: Buffer; name: string }>[] = []
    const names = this.#names()
    for (;;) {
      while (reading.length < READ_AT_ONCE) {
        const { value: name, done } = names.next()
        if (done) break
        reading.push(this.#digestOf(name))
      }
      const next = await reading.shift()
      if (!next) break
      if (next.found.kind === 'failed') {
        await Promise.all(reading)
        return next.found
      }
      if (next.found.kind === 'missing') {
        await Promise.all(reading)
        return { kind: 'wrong', wrong: 'object_missing', detail: `${next.name} is not there` }
      }
      all.update(next.digest)
    }
    const sha256 = all.digest('hex')
    if (sha256 === this.#set.sha256) return { kind: 'good' }
    const detail = `the checksum of its objects' checksums is ${sha256}, and the ledger says ${this.#set.sha256}`
    return { kind: 'wrong', wrong: 'object_checksum', detail }
  }

  /** In the order in which they were made. */
  *#names(): Generator<string> {
    for (const [place, count] of this.#counts.entries()) {
      for (let index = 0; index < count; index++) yield payloadName(this.#set.name, place, index)
    }
  }

  async #digestOf(name: string) {
    let hash = createHash('sha256')
    const found = await this.#patiently<Found>(() => {
      hash = createHash('sha256')
      return this.#destination.read(name, (piece) => void hash.update(piece), this.#signal)
    })
    return { found, digest: hash.digest(), name }
  }
}

/** How many objects a ledger's object stands for. */
export function objectsIn({ format }: LedgerEntry, object: LedgerObject): number {
  return format === 'payload' ? object.lines : 1
}
