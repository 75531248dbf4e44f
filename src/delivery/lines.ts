/**
 * Makes the lines of objects from frames of records, one payload a line:
 * `{"receipt":…,"index":…,"received_at":…,"version":…,"source":…,"payload":<the bytes as they were received>}`.
 * The work is done by `assembly/lines.ts`, in memory of its own; here is what it has to be told, and what it says.
 */

import type { NewRecord } from '../journal/journal.ts'
import { kindNumber, type StoredRecord } from '../journal/record.ts'
import { LINES_WASM } from './lines-wasm.ts'

/** About how much longer than its payload a line is; a version of a few characters included. */
export const LINE_EXTRA_BYTES_USUAL = 160
/** The most payloads of one record; intake takes no more. */
export const RECORD_PAYLOADS_MAX = 1_000_000

/** How much is written before it is handed on: little, so that it is still in the processor's cache. */
const OUTPUT_BYTES = 64 * 1024
/** The longest frame that the usual memory holds; one that is longer gets memory of its own, for as long as a segment. */
const FRAME_BYTES_USUAL = (1 << 20) + 64 * 1024
/** How many payloads of one record the usual memory has room for; the same goes for a record that has more. */
const SPANS_USUAL = 1 << 16
/** How many records are told apart in one output. */
const TALLIES_MAX = 1024
/** What may be read or written behind the end of a text. */
const PADDING_BYTES = 64
const PAGE_BYTES = 64 * 1024

/** Where things are, behind the module's own variables. Pages that nobody touches take no memory. */
const OUTPUT_AT = PAGE_BYTES
const TALLIES_AT = OUTPUT_AT + OUTPUT_BYTES + PADDING_BYTES
/** A record's place, and how many lines, u32 each. */
const TALLY_BYTES = 8
const FRAME_AT = TALLIES_AT + TALLIES_MAX * TALLY_BYTES
/** Behind the frame: a start and an end, u32 each. */
const SPAN_BYTES = 8

/** The places of what is told in `state`. */
const FIELDS = {
  position: 0,
  frameEnd: 1,
  place: 2,
  index: 3,
  objectBytes: 4,
  objectBytesMax: 5,
  outputBytes: 6,
  tallies: 7,
  recordBytes: 8,
  longStart: 9,
  longEnd: 10,
  ended: 11,
  holdPlaces: 12,
} as const

/** Why a run ended, in the order of its numbers. */
const STATUSES = ['frame_done', 'output_full', 'object_full', 'new_group', 'misfit', 'long_payload'] as const

/**
 * - `frame_done`: every record has its lines.
 * - `output_full`: take the output, and go on.
 * - `object_full`: the object has reached its size.
 * - `new_group`: the record at `position` came in another hour or from another source, or its lines are made already and
 *   those before were not: call `group`.
 * - `misfit`: that record has more payloads than there is room for: `widen`; or it doesn't hold what intake counted, which
 *   only damage or a bug can do: go on behind it.
 * - `long_payload`: the output holds the beginning of a line whose payload, `longPayload`, is longer than it: `closeLong`.
 */
export type Status = (typeof STATUSES)[number]

interface Exports {
  state: WebAssembly.Global
  prefix: WebAssembly.Global
  received: WebAssembly.Global
  sourceText: WebAssembly.Global
  place(spans: number, spansMax: number, tallies: number, talliesMax: number, output: number, outputMax: number): void
  forget(): void
  group(): void
  countPayloads(kind: number, from: number, to: number): number
  run(): number
}

const module = new WebAssembly.Module(Buffer.from(LINES_WASM, 'base64'))

/** One memory, for whoever's turn it is; a frame is loaded again when others had theirs meanwhile. */
export class Lines {
  #frameBytesMax = 0
  #spansMax = 0
  #bytes: Buffer = Buffer.alloc(0)
  #state = new Uint32Array()
  #spans = new Uint32Array()
  #loads = 0
  #exports!: Exports

  constructor() {
    this.#reach(FRAME_BYTES_USUAL, SPANS_USUAL)
  }

  /** A segment begins: its receipts begin with `receiptPrefix`. */
  begin(receiptPrefix: string): void {
    const isUsual = this.#frameBytesMax === FRAME_BYTES_USUAL && this.#spansMax === SPANS_USUAL
    if (!isUsual) this.#reach(FRAME_BYTES_USUAL, SPANS_USUAL)
    this.resume(receiptPrefix)
  }

  /** A segment goes on behind others' turns, in whatever memory they left. */
  resume(receiptPrefix: string): void {
    this.#loads += 1
    this.#text(this.#exports.prefix, `{"receipt":"${receiptPrefix}`)
  }

  /**
   * Loads the body of a frame, to go on with the payload `index` of the record at `position`, which is at `place` in its
   * segment, and those behind it follow; or each record holds its place (`setPlace`). `group` has to be called after that.
   */
  load(frame: Uint8Array, position: number, place: number | 'held', index: number): void {
    if (frame.length > this.#frameBytesMax) this.#reach(frame.length, this.#spansMax)
    // What comes before it is not looked at again.
    this.#bytes.set(frame.subarray(position), FRAME_AT + position)
    this.#bytes.fill(0, FRAME_AT + frame.length, FRAME_AT + frame.length + PADDING_BYTES)
    this.#exports.forget()
    this.#loads += 1
    this.#state[FIELDS.frameEnd] = FRAME_AT + frame.length
    this.#goTo(position, place, index)
  }

  /** Another number than before: what was loaded is not there any more, since others had their turn. */
  get loads(): number {
    return this.#loads
  }

  /** The next records are those of the hour, the source and the manner of `record`, which is the one at `position`. */
  group({ receivedAtMs, source }: StoredRecord): void {
    const { received, sourceText } = this.#exports
    this.#exports.group()
    this.#text(received, `,"received_at":"${new Date(receivedAtMs).toISOString()}","version":`)
    this.#text(sourceText, `,"source":${JSON.stringify(source)},"payload":`)
  }

  /** Goes on, in an object that has `objectBytes` of at the most `objectBytesMax`. */
  run(objectBytes: number, objectBytesMax: number): Status {
    this.#state[FIELDS.objectBytes] = objectBytes
    this.#state[FIELDS.objectBytesMax] = objectBytesMax
    return STATUSES[this.#exports.run()] as Status
  }

  /** The lines of the last run; valid until the next. */
  get output(): Uint8Array {
    return this.#bytes.subarray(OUTPUT_AT, OUTPUT_AT + this.#told('outputBytes'))
  }

  /** How many records the last run had to do with. */
  get tallies(): number {
    return this.#told('tallies')
  }

  /** How many of them it ended: all of them, or all but the last. */
  get ended(): number {
    return this.#told('ended')
  }

  /** The place in the segment of the `nth` of them. */
  tallyPlace(nth: number): number {
    return this.#bytes.readUInt32LE(TALLIES_AT + nth * TALLY_BYTES)
  }

  /** How many lines the last run made of the `nth` of them. */
  tally(nth: number): number {
    return this.#bytes.readUInt32LE(TALLIES_AT + nth * TALLY_BYTES + 4)
  }

  /** The bytes of the records that the last run ended. */
  get recordBytes(): number {
    return this.#told('recordBytes')
  }

  /** Where the next record begins in the frame. */
  get position(): number {
    return this.#told('position') - FRAME_AT
  }

  /** Its place in the segment. */
  get place(): number {
    return this.#told('place')
  }

  /** Its next payload. */
  get index(): number {
    return this.#told('index')
  }

  /** Where the long payload is in the frame. */
  get longPayload(): { start: number; end: number } {
    return { start: this.#told('longStart') - FRAME_AT, end: this.#told('longEnd') - FRAME_AT }
  }

  /** The long payload's line is closed. */
  closeLong(): void {
    this.#state[FIELDS.index] = this.index + 1
  }

  /** Makes room for all payloads of a record; false when there is room for so many. The frame has to be loaded again. */
  widen({ payloads }: NewRecord): boolean {
    if (payloads <= this.#spansMax || payloads > RECORD_PAYLOADS_MAX) return false
    this.#reach(this.#frameBytesMax, RECORD_PAYLOADS_MAX)
    return true
  }

  /** Why the record can't be encoded; undefined when it can, and then `payloadStart` and `payloadEnd` know where its payloads are. Takes the place of a frame. */
  misfit(record: NewRecord): string | undefined {
    const { kind, body, payloads } = record
    this.widen(record)
    this.load(body, 0, 0, 0)
    const count = this.#exports.countPayloads(kindNumber(kind), FRAME_AT, FRAME_AT + body.length)
    if (count === payloads) return undefined
    if (count < 0) return `the body is not the ${kind} that intake saw`
    return `the ${kind} holds ${count} payloads where intake counted ${payloads}`
  }

  /** Where a payload of the record that `misfit` was asked about begins in its body. */
  payloadStart(index: number): number {
    return (this.#spans[2 * index] as number) - FRAME_AT
  }

  /** Where it ends. */
  payloadEnd(index: number): number {
    return (this.#spans[2 * index + 1] as number) - FRAME_AT
  }

  #goTo(position: number, place: number | 'held', index: number): void {
    this.#state[FIELDS.position] = FRAME_AT + position
    this.#state[FIELDS.place] = place === 'held' ? 0 : place
    this.#state[FIELDS.holdPlaces] = place === 'held' ? 1 : 0
    this.#state[FIELDS.index] = index
  }

  #told(field: keyof typeof FIELDS): number {
    return this.#state[FIELDS[field]] as number
  }

  #text({ value: at }: WebAssembly.Global, text: string): void {
    this.#bytes.writeUInt32LE(this.#bytes.write(text, at + 4), at)
  }

  #textOf({ value: at }: WebAssembly.Global): string {
    return this.#bytes.toString('utf8', at + 4, at + 4 + this.#bytes.readUInt32LE(at))
  }

  /** Gets memory for frames of up to `frameBytesMax`; of what was in the old one only the prefix is kept. */
  #reach(frameBytesMax: number, spansMax: number): void {
    const prefix = this.#spansMax === 0 ? '' : this.#textOf(this.#exports.prefix)
    const spansAt = Math.ceil((FRAME_AT + frameBytesMax + PADDING_BYTES) / SPAN_BYTES) * SPAN_BYTES
    const pages = Math.ceil((spansAt + spansMax * SPAN_BYTES) / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    this.#exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports
    this.#bytes = Buffer.from(memory.buffer)
    this.#state = new Uint32Array(memory.buffer, this.#exports.state.value, Object.keys(FIELDS).length)
    this.#spans = new Uint32Array(memory.buffer, spansAt, spansMax * 2)
    this.#frameBytesMax = frameBytesMax
    this.#spansMax = spansMax
    this.#exports.place(spansAt, spansMax, TALLIES_AT, TALLIES_MAX, OUTPUT_AT, OUTPUT_BYTES)
    this.#text(this.#exports.prefix, prefix)
  }
}
