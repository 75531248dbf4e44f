/** Verify's look at the objects: each where the ledger says it went, with its size; on demand with all that is in it. */

import { resolve } from 'node:path'
import type { Variables } from '../config/load.ts'
import type { Found, ReadableDestination, Unanswered } from '../destination/destination.ts'
import { openPlace, parsePlace } from '../destination/place.ts'
import type { LedgerEntry, LedgerObject } from '../observe/ledger-entry.ts'
import type { Platform } from '../platform/platform.ts'
import { ObjectCheck, receiptPrefixOf } from './line-check.ts'
import type { Problem, Result } from './problems.ts'
import { objectsIn, type Patiently, PayloadSetCheck } from './verify-payloads.ts'

/** The pauses between tries when a fault is passing. */
const PAUSES_MS = [200, 1000, 3000]
/** After so many objects in a row without an answer a place is asked no more. */
const FAILURES_MAX = 16

interface OpenedPlace {
  destination: ReadableDestination | undefined
  /** Why it isn't asked, or not any longer. */
  reason: string
  failuresInARow: number
}

/** Looks for objects. */
export class ObjectSearch {
  checked = 0
  readonly #places = new Map<string, Promise<OpenedPlace>>()
  readonly #platform: Platform
  readonly #env: Variables
  readonly #current: string
  readonly #isDeep: boolean
  readonly #signal = new AbortController().signal

  /** `current` is where objects go now: it may be empty, where any other place has to be there. */
  constructor(platform: Platform, env: Variables, current: string, isDeep: boolean) {
    this.#platform = platform
    this.#env = env
    this.#current = current
    this.#isDeep = isDeep
  }

  /** What is wrong with an object; undefined when nothing is. */
  async check(entry: LedgerEntry, object: LedgerObject): Promise<Problem | undefined> {
    const place = await this.#placeOf(entry.destination)
    const problem = (kind: Problem['kind'], detail: string): Problem => {
      const what = `${entry.destination}/${object.name}${entry.format === 'payload' ? '-*' : ''}`
      return { kind, what, detail, receipts: receiptsOf(entry, object) }
    }
    const { destination } = place
    if (!destination) return problem('not_checked', place.reason)
    const payloads = entry.format === 'payload'
    const look = payloads
      ? this.#setLook(destination, entry, object)
      : this.#isDeep
        ? this.#deepLook(destination, entry, object)
        : this.#look(destination, object)
    const result = await look
    if (result.kind === 'failed') {
      place.failuresInARow += 1
      place.reason = result.reason
      if (place.failuresInARow >= FAILURES_MAX) place.destination = undefined
      return problem('not_checked', result.reason)
    }
    place.failuresInARow = 0
    this.checked += objectsIn(entry, object)
    return result.kind === 'good' ? undefined : problem(result.wrong, result.detail)
  }

  async #look(destination: ReadableDestination, object: LedgerObject): Promise<Result> {
    return compare(await this.#patiently<Found>(() => destination.sizeOf(object.name, this.#signal)), object)
  }

  async #deepLook(destination: ReadableDestination, entry: LedgerEntry, object: LedgerObject): Promise<Result> {
    let check: ObjectCheck | undefined
    const found = await this.#patiently<Found>(() => {
      check?.abandon()
      const begun = new ObjectCheck(entry, object)
      check = begun
      return destination.read(object.name, (piece) => begun.take(piece), this.#signal)
    })
    const result = compare(found, object)
    if (!check || result.kind !== 'good') {
      check?.abandon()
      return result
    }
    const { sha256, fault } = await check.end()
    if (sha256 !== object.sha256) {
      const detail = `its checksum is ${sha256}, and the ledger says ${object.sha256}`
      return { kind: 'wrong', wrong: 'object_checksum', detail }
    }
    return fault === undefined ? result : { kind: 'wrong', wrong: 'object_lines', detail: fault }
  }

  #setLook(destination: ReadableDestination, entry: LedgerEntry, set: LedgerObject): Promise<Result> {
    const patiently: Patiently = (ask) => this.#patiently(ask)
    return new PayloadSetCheck(destination, entry, set, patiently, this.#signal).look(this.#isDeep)
  }

  async #patiently<T extends { kind: string }>(ask: () => Promise<T | Unanswered>): Promise<T | Unanswered> {
    for (const pauseMs of PAUSES_MS) {
      const found = await ask()
      if (!('passing' in found) || !found.passing) return found
      await this.#platform.clock.sleep(pauseMs)
    }
    return await ask()
  }

  #placeOf(destination: string): Promise<OpenedPlace> {
    const known = this.#places.get(destination) ?? this.#open(destination)
    this.#places.set(destination, known)
    return known
  }

  async #open(destination: string): Promise<OpenedPlace> {
    const closed = (reason: string) => ({ destination: undefined, reason, failuresInARow: 0 })
    const place = parsePlace(destination, this.#env)
    if (typeof place === 'string') return closed(place)
    if (place.kind === 'directory' && resolve(place.root) !== resolve(this.#current)) {
      const isThere = (await this.#platform.files.sizeOf(place.root)) !== undefined
      if (!isThere) return closed(`there is no directory ${resolve(place.root)}, and --to is ${this.#current}`)
    }
    return { destination: openPlace(place, this.#platform, this.#env), reason: '', failuresInARow: 0 }
  }
}

function compare(found: Found, { bytes }: LedgerObject): Result {
  if (found.kind === 'failed') return found
  if (found.kind === 'missing') return { kind: 'wrong', wrong: 'object_missing', detail: 'it is not there' }
  if (found.bytes === bytes) return { kind: 'good' }
  const detail = `it has ${found.bytes} bytes, and the ledger says ${bytes}`
  return { kind: 'wrong', wrong: 'object_size', detail }
}

/** The first and the last record with lines in an object. */
function receiptsOf(entry: LedgerEntry, object: LedgerObject): readonly [string, string] {
  const prefix = receiptPrefixOf(entry, object)
  const [first] = object.runs[0] ?? [0]
  const [start, records] = object.runs.at(-1) ?? [0, 1]
  return [`${prefix}-${first}`, `${prefix}-${start + records - 1}`]
}
