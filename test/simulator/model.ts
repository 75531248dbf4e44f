/** What has to be true: every record that was asked to be kept, what its sender was told, and what has been stored of it. */

import type { AppendRefusal } from '../../src/journal/journal.ts'
import { receiptPrefix } from '../../src/journal/name.ts'
import { readHeader, readPieces } from '../../src/journal/reader.ts'
import { readRecords } from '../../src/journal/record.ts'
import type { OpenFile } from '../../src/platform/files.ts'
import { type PayloadObject, readObject, readPayloadObject } from '../objects.ts'
import type { Disk } from './disk.ts'
import { flat, type SentRecord } from './records.ts'
import type { World } from './world.ts'

/** One record and its history. */
export interface Sent {
  record: SentRecord
  isAnswered: boolean
  isKept: boolean
  /** From its answer, or from the lines it is stored in. */
  receipt: string | undefined
  /** Which of its payloads are stored. */
  stored: Set<number>
}

/** The memory of a run. What it finds wrong it reports to the world. */
export class Model {
  acked = 0
  ackedPayloads = 0
  storedPayloads = 0
  readonly sent: Sent[] = []
  readonly #payloads = new Map<string, { sent: Sent; index: number }>()
  readonly #byReceipt = new Map<string, Sent>()
  /** Acknowledged, and not all of it stored. */
  readonly #owed = new Set<Sent>()
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  send(record: SentRecord): Sent {
    const sent: Sent = { record, isAnswered: false, isKept: false, receipt: undefined, stored: new Set() }
    this.sent.push(sent)
    for (const [index, text] of record.texts.entries()) this.#payloads.set(text, { sent, index })
    return sent
  }

  kept(sent: Sent, receipt: string): void {
    this.#answer(sent, receipt)
    sent.isKept = true
    this.#name(sent, receipt)
    this.acked += 1
    this.ackedPayloads += sent.record.payloads
    if (sent.stored.size < sent.record.payloads) this.#owed.add(sent)
  }

  refused(sent: Sent, refusal: AppendRefusal): void {
    this.#answer(sent, refusal)
  }

  /** An object is at the destination: each line is a payload that was sent, in every part of it, for the first time. */
  stored(name: string, body: Uint8Array): void {
    const one = readPayloadObject(name, body)
    if (one) return this.#storedAlone(name, one)
    for (const line of readObject(name, body)) {
      const { receipt, index, payload } = line
      const at = `${name}: ${receipt}, ${index}`
      const found = this.#payloads.get(payload)
      if (!found) return this.#world.breach(`${at}: nobody sent ${payload.slice(0, 100)}`)
      const { sent } = found
      const { source, version, receivedAtMs } = sent.record
      this.#expect(!sent.stored.has(index), `${at} is stored twice`)
      this.#expect(index === found.index, `${at} should have the index ${found.index}`)
      this.#expect(line.source === source, `${at} should be of ${source}`)
      this.#expect(line.received_at === new Date(receivedAtMs).toISOString(), `${at} should be of ${receivedAtMs}`)
      this.#expect(line.version === (version && JSON.parse(version)), `${at} should have the version ${version}`)
      this.#expect(name.startsWith(`${source}/date=${line.received_at.slice(0, 10)}/`), `${at} is in the wrong place`)
      this.#isStored(sent, receipt, index)
    }
  }

  /** The same for an object of one payload: its bytes are those that were sent. */
  #storedAlone(name: string, { source, hour, receipt, index, payload }: PayloadObject): void {
    const found = this.#payloads.get(flat(payload))
    if (!found) return this.#world.breach(`${name}: nobody sent ${payload.slice(0, 100)}`)
    const { sent } = found
    const { record } = sent
    this.#expect(!sent.stored.has(index), `${name} is stored twice`)
    this.#expect(index === found.index, `${name} should have the index ${found.index}`)
    this.#expect(payload === record.raw[index], `${name} is not the bytes that were sent`)
    this.#expect(source === record.source, `${name} should be of ${record.source}`)
    const received = new Date(record.receivedAtMs).toISOString()
    this.#expect(received.startsWith(hour), `${name} should be of ${received}`)
    this.#isStored(sent, receipt, index)
  }

  #isStored(sent: Sent, receipt: string, index: number): void {
    this.#name(sent, receipt)
    sent.stored.add(index)
    this.storedPayloads += 1
    if (sent.stored.size === sent.record.payloads) this.#owed.delete(sent)
  }

  /**
   * A name that is taken was put with another body. One may only be longer than the other, by records that nobody was
   * promised: a frame whose sync failed may be there at one start and not at the next.
   */
  repeated(name: string, there: Uint8Array, body: Uint8Array): void {
    if (Buffer.from(there).equals(body)) return
    if (readPayloadObject(name, body)) return this.#world.breach(`${name} was put with two different bodies`)
    const [shorter, longer] = [readObject(name, there), readObject(name, body)].sort((a, b) => a.length - b.length)
    if (!shorter || !longer) return
    this.#world.count('put: already stored, with another tail')
    const isSame = shorter.every((line, i) => Bun.deepEquals(line, longer[i]))
    this.#expect(isSame && shorter.length < longer.length, `${name} was put with two different bodies`)
    for (const { receipt, payload } of longer.slice(shorter.length)) {
      const isPromised = this.#payloads.get(payload)?.sent.isKept
      this.#expect(!isPromised, `${name} was put with and without ${receipt}, which was acknowledged`)
    }
  }

  /** An object nobody has been told of yet: its lines are nowhere else. */
  checkUnconfirmed(name: string, body: Uint8Array): void {
    const one = readPayloadObject(name, body)
    const lines = one ? [{ ...one, payload: flat(one.payload) }] : readObject(name, body)
    for (const { payload, receipt, index } of lines) {
      const found = this.#payloads.get(payload)
      this.#expect(found !== undefined, `${name}: nobody sent ${payload.slice(0, 100)}`)
      this.#expect(!found?.sent.stored.has(index), `${name}: ${receipt}, ${index} is stored elsewhere, too`)
    }
  }

  /** All that was acknowledged is stored or can be read in the journal. */
  async checkKept(disk: Disk, lane: string): Promise<void> {
    if (this.#owed.size === 0) return
    const found = await receiptsOn(disk, lane)
    for (const { receipt } of this.#owed) {
      this.#expect(found.has(receipt ?? ''), `${receipt} was acknowledged, and is neither stored nor in the journal`)
    }
  }

  /** All that was acknowledged is stored. */
  checkStored(): void {
    for (const { receipt, stored, record } of this.#owed) {
      this.#world.breach(`${stored.size} of ${record.payloads} payloads of ${receipt} were stored in the end`)
    }
  }

  #answer(sent: Sent, answer: string): void {
    this.#expect(!sent.isAnswered, `${answer} is a second answer to one record`)
    sent.isAnswered = true
  }

  #name(sent: Sent, receipt: string): void {
    if (sent.receipt === receipt) return
    this.#expect(sent.receipt === undefined, `${receipt} was called ${sent.receipt} before`)
    this.#expect(!this.#byReceipt.has(receipt), `${receipt} names two records`)
    this.#byReceipt.set(receipt, sent)
    sent.receipt = receipt
  }

  #expect(isTrue: boolean, otherwise: string): void {
    if (!isTrue) this.#world.breach(otherwise)
  }
}

/** The receipts of all records that can be read in a lane's segments. */
async function receiptsOn(disk: Disk, lane: string): Promise<Set<string>> {
  const receipts = new Set<string>()
  for (const name of disk.list(lane)) {
    const content = disk.file(`${lane}/${name}`)?.content.view()
    if (!content || !/\.(open|sealed)$/.test(name)) continue
    const file = readOnly(content)
    const header = await readHeader(file, `${lane}/${name}`)
    if (header.kind !== 'header') continue
    const prefix = receiptPrefix(header.header)
    for await (const piece of readPieces(file, 'open')) {
      if (piece.kind !== 'frame' || piece.header.kind !== 'records') continue
      let place = piece.header.firstRecord
      for (const _ of readRecords(piece.body)) receipts.add(prefix + place++)
    }
  }
  return receipts
}

/** Bytes as an open file, without faults and without time. */
function readOnly(content: Uint8Array): OpenFile {
  const refuse = () => Promise.reject(new Error('this file can only be read'))
  return {
    async read(into, position) {
      const piece = content.subarray(position, position + into.length)
      into.set(piece)
      return piece.length
    },
    size: async () => content.length,
    write: refuse,
    datasync: refuse,
    truncate: refuse,
    close: async () => {},
  }
}
