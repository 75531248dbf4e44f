/**
 * Verify's look at objects of one payload each: all of a source, an hour and a segment at once, by listing them, which asks
 * a thousandth of the questions that looking for each would. The ledger holds their number, the sum of their lengths and
 * one checksum over theirs.
 */

import { createHash } from 'node:crypto'
import { payloadName } from '../delivery/object-name.ts'
import type { Found, Listed, ReadableDestination, Unanswered } from '../destination/destination.ts'
import { checkJson } from '../json/check.ts'
import type { LedgerEntry, LedgerObject } from '../observe/ledger-entry.ts'
import { PayloadNames } from './payload-names.ts'
import type { ProblemKind, Result } from './problems.ts'

/** How many objects of one set are read at once. */
const READ_AT_ONCE = 16
/** How many objects of one set are named. */
const OBJECTS_NAMED_MAX = 10
/** Up to here an object's bytes are kept to see whether they are JSON. */
const JSON_BYTES_MAX = 1024 * 1024

/** An object, as it was read. */
interface ReadOne {
  name: string
  found: Found
  digest: Buffer
  isJson: boolean
}

/** Asks again while a fault is passing. */
export type Patiently = <T extends { kind: string }>(ask: () => Promise<T | Unanswered>) => Promise<T | Unanswered>

/** Looks at a set of objects. */
export class PayloadSetCheck {
  readonly #destination: ReadableDestination
  readonly #set: LedgerObject
  readonly #names: PayloadNames
  readonly #patiently: Patiently
  readonly #signal: AbortSignal

  constructor(
    destination: ReadableDestination,
    entry: LedgerEntry,
    set: LedgerObject,
    patiently: Patiently,
    signal: AbortSignal,
  ) {
    this.#destination = destination
    this.#set = set
    this.#names = new PayloadNames(entry, set)
    this.#patiently = patiently
    this.#signal = signal
  }

  /** Whether all are there, with the length that they have together; deep, with the checksum that they have together. */
  async look(isDeep: boolean): Promise<Result> {
    let found = 0
    const failure = await this.#list('', (rest, bytes) => {
      if (this.#names.note(rest)) found += bytes
    })
    if (failure) return failure
    const { missing, excess } = this.#names
    if (excess > 0)
      return wrong('object_size', `there are ${excess} objects too many, and whose they are can’t be told`)
    if (missing > 0) return await this.#missing(missing)
    const { bytes } = this.#set
    const sizes = `its objects have ${found} bytes together, and the ledger says ${bytes}`
    if (isDeep) return await this.#read(found === bytes ? undefined : sizes)
    return found === bytes ? { kind: 'good' } : wrong('object_size', `${sizes}: with --deep more is known of them`)
  }

  /** Names the first of them: what is there of their records is asked again. */
  async #missing(count: number): Promise<Result> {
    const objects: string[] = []
    for (const { place, least } of this.#names.gaps()) {
      if (objects.length >= OBJECTS_NAMED_MAX) break
      const there = new Set<number>()
      const failure = await this.#list(`${place}-`, (rest) => void there.add(this.#names.parse(rest)?.index ?? least))
      if (failure) return failure
      for (let index = 0; index < least && objects.length < OBJECTS_NAMED_MAX; index++) {
        if (!there.has(index)) objects.push(payloadName(this.#set.name, place, index))
      }
    }
    const total = `${count} of its ${this.#set.lines} objects are not there`
    const [start, records] = this.#names.shortRun ?? [0, 0]
    const where = `: some of the records at ${start} to ${start + records - 1}, which can’t be told`
    return wrong('object_missing', objects.length > 0 ? total : total + where, objects)
  }

  /** Calls `each` with what follows the set's name, for all names that go on with `more`. */
  async #list(more: string, each: (rest: string, bytes: number) => void): Promise<Unanswered | undefined> {
    const prefix = `${this.#set.name}-`
    for (let next: string | undefined; ; ) {
      const from = next
      const ask = () => this.#destination.list(prefix + more, from, this.#signal)
      const page = await this.#patiently<Listed>(ask)
      if (page.kind === 'failed') return page
      for (const { name, bytes } of page.objects) each(name.slice(prefix.length), bytes)
      if (page.next === undefined) return undefined
      next = page.next
    }
  }

  /** Which objects were changed the ledger can't tell, with one checksum for all: those are named that are no JSON. */
  async #read(sizeFault: string | undefined): Promise<Result> {
    const all = createHash('sha256')
    const notJson: string[] = []
    const reading: Promise<ReadOne>[] = []
    const names = this.#names.all()
    for (;;) {
      while (reading.length < READ_AT_ONCE) {
        const { value, done } = names.next()
        if (done) break
        reading.push(this.#readOne(payloadName(this.#set.name, value.place, value.index)))
      }
      const next = await reading.shift()
      if (!next) break
      if (next.found.kind === 'failed') {
        await Promise.all(reading)
        return next.found
      }
      if (next.found.kind === 'missing') {
        await Promise.all(reading)
        return wrong('object_missing', 'it was there when it was listed, and is not now', [next.name])
      }
      if (!next.isJson && notJson.length < OBJECTS_NAMED_MAX) notJson.push(next.name)
      all.update(next.digest)
    }
    const sha256 = all.digest('hex')
    if (sha256 === this.#set.sha256 && sizeFault === undefined) return { kind: 'good' }
    const known = notJson.length > 0 ? 'some are no JSON' : 'each of them is JSON; which was changed can’t be told'
    if (sizeFault !== undefined) return wrong('object_size', `${sizeFault}; ${known}`, notJson)
    const sums = `the checksum of its objects' checksums is ${sha256}, and the ledger says ${this.#set.sha256}`
    return wrong('object_checksum', `${sums}; ${known}`, notJson)
  }

  async #readOne(name: string): Promise<ReadOne> {
    let hash = createHash('sha256')
    let pieces: Uint8Array[] = []
    let bytes = 0
    const found = await this.#patiently<Found>(() => {
      hash = createHash('sha256')
      pieces = []
      bytes = 0
      const take = (piece: Uint8Array) => {
        hash.update(piece)
        bytes += piece.length
        if (bytes <= JSON_BYTES_MAX) pieces.push(piece)
      }
      return this.#destination.read(name, take, this.#signal)
    })
    const isJson = bytes > JSON_BYTES_MAX || checkJson(Buffer.concat(pieces)) === undefined
    return { name, found, digest: hash.digest(), isJson }
  }
}

function wrong(kind: ProblemKind, detail: string, objects: readonly string[] = []): Result {
  return { kind: 'wrong', wrong: kind, detail, ...(objects.length > 0 && { objects }) }
}

/** How many objects a ledger's object stands for. */
export function objectsIn({ format }: LedgerEntry, object: LedgerObject): number {
  return format === 'payload' ? object.lines : 1
}
