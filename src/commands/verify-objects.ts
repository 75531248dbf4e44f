/** Verify's look at the objects: each where the ledger says it went, with its size; on demand with all that is in it. */

import { basename, isAbsolute, join, resolve } from 'node:path'
import type { Variables } from '../config/load.ts'
import type { Found, ReadableDestination, Unanswered } from '../destination/destination.ts'
import { openPlace, parsePlace, type ReadablePlace, withoutSecrets } from '../destination/place.ts'
import { Fault } from '../observe/errors.ts'
import type { LedgerEntry, LedgerObject } from '../observe/ledger-entry.ts'
import type { Platform } from '../platform/platform.ts'
import { ObjectCheck, receiptPrefixOf } from './line-check.ts'
import type { Problem, Result } from './problems.ts'
import { objectsIn, type Patiently, PayloadSetCheck } from './verify-payloads.ts'

/** The pauses between tries when a fault is passing. */
const PAUSES_MS = [200, 1000, 3000]
/** After so many objects in a row without an answer a place is asked no more. */
const FAILURES_MAX = 16

/** Objects that other servers got are lines of those servers' objects. */
const FORWARDED = 'what was forwarded can not be looked at here: run verify on those servers'

interface OpenedPlace {
  destination: ReadableDestination | undefined
  name: string
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
  readonly #data: string
  readonly #current: string
  readonly #instead: ReadablePlace | undefined
  readonly #insteadName: string
  readonly #isDeep: boolean
  readonly #signal = new AbortController().signal

  /** Where objects go now (`to`) may be empty, where any other place has to be there. `instead` is where to look for all. */
  constructor(
    platform: Platform,
    env: Variables,
    { data, to }: { data: string; to: string | undefined },
    instead: string | undefined,
    isDeep: boolean,
  ) {
    this.#platform = platform
    this.#env = env
    this.#data = data
    this.#current = to ?? `${data}/objects`
    this.#isDeep = isDeep
    this.#insteadName = instead ?? ''
    const place = instead === undefined ? undefined : parsePlace(instead, env)
    if (typeof place === 'string')
      throw new Fault('config_invalid', `--to is '${withoutSecrets(instead ?? '')}': ${place}`)
    if (place?.kind === 'forward') throw new Fault('config_invalid', `--to is '${instead}': ${FORWARDED}`)
    this.#instead = place
  }

  /** What is wrong with an object; undefined when nothing is. */
  async check(entry: LedgerEntry, object: LedgerObject): Promise<Problem | undefined> {
    const place = await this.#placeOf(entry.destination)
    const problem = (kind: Problem['kind'], detail: string): Problem => {
      const what = `${place.name}/${object.name}${entry.format === 'payload' ? '-*' : ''}`
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
    if (result.kind === 'good') return undefined
    const { wrong, detail, objects } = result
    return { ...problem(wrong, detail), ...(objects && { objects: objects.map((name) => `${place.name}/${name}`) }) }
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
    const closed = (reason: string) => ({ destination: undefined, name: destination, reason, failuresInARow: 0 })
    const opened = (place: ReadablePlace, name: string) => {
      return { destination: openPlace(place, this.#platform, this.#env), name, reason: '', failuresInARow: 0 }
    }
    const place = parsePlace(destination, this.#env)
    if (typeof place !== 'string' && place.kind === 'forward') return closed(FORWARDED)
    const instead = this.#instead
    if (instead && (typeof place === 'string' || place.kind === instead.kind)) {
      const isThere = instead.kind !== 'directory' || (await this.#isThere(instead.root))
      return isThere ? opened(instead, this.#insteadName) : closed(`there is no directory ${this.#insteadName}`)
    }
    if (typeof place === 'string') return closed(place)
    if (place.kind !== 'directory') return opened(place, destination)
    for (const root of this.#rootsOf(place.root)) {
      const isCurrent = root === place.root && resolve(root) === resolve(this.#current)
      if (isCurrent || (await this.#isThere(root))) return opened({ kind: 'directory', root }, root)
    }
    return closed(`there is no directory ${resolve(place.root)}, and --to is ${this.#current}`)
  }

  async #isThere(root: string): Promise<boolean> {
    return (await this.#platform.files.sizeOf(root)) !== undefined
  }

  /**
   * Where a directory may be. The first program's lines have it as it stood on the command line: relative to where that was
   * started, and not to the data directory where it was inside of that and has moved with it.
   */
  #rootsOf(root: string): string[] {
    const roots = [root]
    if (!isAbsolute(root)) roots.push(join(this.#data, '..', root))
    if (basename(root) === 'objects') roots.push(join(this.#data, 'objects'))
    return roots
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
