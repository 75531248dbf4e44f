/** Objects of format `payload`: one for each payload, its bytes as they were posted, many being put at once. */

import { createHash, type Hash, hash } from 'node:crypto'
import { Body } from '../destination/body.ts'
import type { SegmentHeader } from '../journal/layout.ts'
import type { StoredRecord } from '../journal/record.ts'
import type { LedgerObject } from '../observe/ledger-entry.ts'
import { LineRuns } from './line-runs.ts'
import type { Lines } from './lines.ts'
import { ManyPuts } from './many-puts.ts'
import { partitionKey, payloadName, payloadSetName } from './object-name.ts'
import type { PatienceContext } from './patience.ts'
import type { PutProgress } from './put-progress.ts'
import type { Budget } from './turn.ts'

/** What putting them needs; `signal` ends all puts of this segment. */
export interface PayloadPuts extends PatienceContext {
  /** The bytes of payloads that are being put or wait for another try. */
  bodies: Budget
  /** How many such payloads there may be. */
  puts: Budget
  /** What an earlier delivery of this segment has stored, and what this one has. */
  progress: PutProgress
  /** After how many stored payloads it is noted how far all are: after a crash so many more are put again. */
  notePayloads: number
}

/** All objects of one source and hour, as the ledger knows them. */
interface PayloadSet {
  name: string
  bytes: number
  payloads: number
  runs: LineRuns
  digests: Hash
}

/** The objects of one segment. */
export class PayloadObjects {
  payloads = 0
  readonly #header: SegmentHeader
  readonly #context: PayloadPuts
  readonly #many: ManyPuts
  readonly #sets = new Map<string, PayloadSet>()
  /** By place, in their order: how many payloads of a record are not stored. */
  readonly #unstored = new Map<number, number>()
  /** The place behind the records that were added, all of them from the first on. */
  #next = 0
  #storedUnnoted = 0

  constructor(header: SegmentHeader, context: PayloadPuts) {
    this.#header = header
    this.#context = context
    this.#many = new ManyPuts(context)
  }

  /** Begins to put the payloads of a record, which `lines` has found in it, as room is made for each. False when told to stop. */
  async add(place: number, record: StoredRecord, lines: Lines): Promise<boolean> {
    const { payloads } = record
    // Behind a record that is damaged or dead nothing is noted: what it was found to be once need not be so again.
    if (place === this.#next) this.#next += 1
    if (payloads === 0) return true
    const set = this.#setFor(record)
    const { bodies, puts, progress } = this.#context
    const isStored = place < progress.place
    if (!isStored) this.#unstored.set(place, payloads)
    for (let index = 0; index < payloads; index++) {
      const bytes = record.body.subarray(lines.payloadStart(index), lines.payloadEnd(index))
      const sha256 = hash('sha256', bytes, 'buffer')
      set.digests.update(sha256)
      set.bytes += bytes.length
      if (isStored) continue
      // Copied: the frame's memory is used again while this is put.
      const body = new Body([new Uint8Array(bytes)])
      await puts.take(1)
      await bodies.take(body.length)
      if (this.#many.isOver) {
        this.#giveBack(body)
        return (await this.#many.fewerThan(1)) === 'fewer'
      }
      this.#put(place, payloadName(set.name, place, index), body, sha256)
    }
    set.payloads += payloads
    set.runs.add(place, payloads)
    this.payloads += payloads
    return true
  }

  /** Waits until all of them are stored. False when told to stop. */
  async end(): Promise<boolean> {
    if ((await this.#many.fewerThan(1)) !== 'fewer') return false
    await this.#context.progress.remove()
    return true
  }

  /** Nobody waits for them any longer: puts under way are given up, to be repeated with the segment. */
  abandon(): void {
    this.#many.abandon()
    void this.#context.progress.close()
  }

  /** For the ledger. */
  list(): LedgerObject[] {
    return [...this.#sets.values()].map(({ name, bytes, payloads, runs, digests }) => {
      return { name, bytes, sha256: digests.digest('hex'), lines: payloads, runs: runs.list() }
    })
  }

  #put(place: number, name: string, body: Body, sha256: Uint8Array): void {
    const object = { name, body, sha256, contentType: 'application/octet-stream', contentEncoding: undefined }
    this.#many.start(object, (there) => {
      if (there) this.#isStored(place)
      this.#giveBack(body)
    })
  }

  #isStored(place: number): void {
    const left = (this.#unstored.get(place) as number) - 1
    if (left > 0) this.#unstored.set(place, left)
    else this.#unstored.delete(place)
    this.#storedUnnoted += 1
    if (this.#storedUnnoted < this.#context.notePayloads) return
    this.#storedUnnoted = 0
    const [first = this.#next] = this.#unstored.keys()
    this.#context.progress.note(Math.min(first, this.#next))
  }

  #giveBack(body: Body): void {
    this.#context.bodies.give(body.length)
    this.#context.puts.give(1)
  }

  #setFor(record: StoredRecord): PayloadSet {
    const key = partitionKey(record)
    let set = this.#sets.get(key)
    if (!set) {
      const name = payloadSetName(this.#header, record)
      set = { name, bytes: 0, payloads: 0, runs: new LineRuns(), digests: createHash('sha256') }
      this.#sets.set(key, set)
    }
    return set
  }
}
