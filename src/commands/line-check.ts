/** Whether an object's bytes are the lines that the ledger says: their number, and whose each of them is. */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { findLines, linesOf } from '../delivery/line-runs.ts'
import type { LedgerEntry, LedgerObject } from '../observe/ledger-entry.ts'

/** Enough of a line for its receipt and its index. */
const HEAD_BYTES = 160
const HEAD = /^\{"receipt":"([^"]{1,80})-(\d{1,10})","index":(\d{1,10}),/

/** Takes an object's bytes and says at the end what is wrong with them. */
export class ObjectCheck {
  bytes = 0
  readonly #hash = createHash('sha256')
  readonly #lines: LineCheck
  readonly #decoder: ReturnType<typeof decoderFor>
  readonly #ended: Promise<string | undefined>
  #broken: string | undefined

  constructor(entry: LedgerEntry, object: LedgerObject) {
    this.#lines = new LineCheck(entry, object)
    const decoder = decoderFor(object.name)
    this.#decoder = decoder
    decoder?.on('data', (plain: Buffer) => this.#lines.add(plain))
    this.#ended = new Promise((resolve) => {
      decoder?.once('end', () => resolve(undefined))
      decoder?.once('error', (error: Error) => {
        this.#broken = `it does not decompress: ${error.message}`
        resolve(this.#broken)
      })
      if (!decoder) resolve(undefined)
    })
  }

  /** The next piece; resolves when there is room for another. */
  async take(piece: Uint8Array): Promise<void> {
    this.#hash.update(piece)
    this.bytes += piece.length
    if (!this.#decoder) return this.#lines.add(Buffer.from(piece.buffer, piece.byteOffset, piece.length))
    if (this.#broken !== undefined || this.#decoder.write(piece)) return
    await Promise.race([once(this.#decoder, 'drain').catch(() => {}), this.#ended])
  }

  /** All pieces were taken. */
  async end(): Promise<{ sha256: string; fault: string | undefined }> {
    const sha256 = this.#hash.digest('hex')
    this.#decoder?.end()
    const broken = this.#broken ?? (await this.#ended)
    return { sha256, fault: broken ?? this.#lines.end() }
  }

  /** Lets go of what a try that failed half-way has begun. */
  abandon(): void {
    this.#decoder?.destroy()
  }
}

function decoderFor(name: string) {
  return name.endsWith('.zst') ? createZstdDecompress() : name.endsWith('.gz') ? createGunzip() : undefined
}

/** Checks lines as they come. The first fault is kept. */
class LineCheck {
  #fault: string | undefined
  #lines = 0
  /** The beginning of a line that the last piece ended in. */
  #head: Buffer = Buffer.alloc(0)
  #isWithin = false
  #run = 0
  #runLines = 0
  #place = -1
  #index = -1
  readonly #entry: LedgerEntry
  readonly #object: LedgerObject
  readonly #prefix: string

  constructor(entry: LedgerEntry, object: LedgerObject) {
    this.#entry = entry
    this.#object = object
    this.#prefix = receiptPrefixOf(entry, object)
  }

  add(plain: Buffer): void {
    for (let from = 0; from < plain.length; ) {
      const feed = plain.indexOf(0x0a, from)
      const end = feed < 0 ? plain.length : feed
      const rest = plain.subarray(from, Math.min(end, from + HEAD_BYTES - this.#head.length))
      if (feed < 0) {
        // Copied: the piece's memory may be used again.
        this.#head = Buffer.concat([this.#head, rest])
        this.#isWithin = true
        return
      }
      this.#line(this.#head.length === 0 ? rest : Buffer.concat([this.#head, rest]))
      this.#head = Buffer.alloc(0)
      this.#isWithin = false
      from = feed + 1
    }
  }

  end(): string | undefined {
    const { linesBeyond = 0 } = this.#object
    const lines = this.#object.lines + linesBeyond
    if (this.#fault === undefined && this.#isWithin) return 'its last line has no end'
    if (this.#lines !== lines) return `it has ${this.#lines} lines, and the ledger says ${lines}`
    return this.#fault
  }

  #line(head: Buffer): void {
    this.#lines += 1
    if (this.#fault !== undefined || this.#lines > this.#object.lines) return
    const wrong = this.#lineFault(head.toString('latin1'))
    if (wrong !== undefined) this.#fault = `line ${this.#lines} ${wrong}`
  }

  #lineFault(head: string): string | undefined {
    const [, prefix, placeDigits, indexDigits] = HEAD.exec(head) ?? []
    if (prefix === undefined) return 'does not begin as lines do'
    const place = Number(placeDigits)
    const index = Number(indexDigits)
    const expected = this.#expectedPlaces()
    // Of another Millrace's receipts nothing is known here.
    if (this.#object.hasMade && prefix !== this.#prefix) return undefined
    if (prefix !== this.#prefix || place < expected.first || place > expected.last) {
      const one = `${this.#prefix}-${expected.first}`
      const range = expected.first === expected.last ? one : `${one} to ${expected.last}`
      return `belongs to ${prefix}-${place}, and the ledger says ${range}`
    }
    const isSame = place === this.#place
    const before = isSame ? this.#index : this.#place < 0 ? this.#linesBefore(place) : -1
    this.#place = place
    this.#index = index
    if (before === undefined || index === before + 1) return undefined
    return `has index ${index} of ${prefix}-${place}, where ${before + 1} follows`
  }

  /** The records that the next line may belong to. */
  #expectedPlaces(): { first: number; last: number } {
    const { runs } = this.#object
    while (this.#runLines === linesOf(runs[this.#run] ?? [0, 1, 1])) {
      this.#run += 1
      this.#runLines = 0
    }
    const [start, records, each] = runs[this.#run] ?? [0, 0, 0]
    const within = this.#runLines++
    if (each > 0) return { first: start + Math.floor(within / each), last: start + Math.floor(within / each) }
    return { first: Math.max(start, this.#place), last: start + records - 1 }
  }

  /** The index that a record's lines in earlier objects end with; undefined where the ledger is too coarse to tell. */
  #linesBefore(place: number): number | undefined {
    let index = -1
    for (const object of this.#entry.objects) {
      if (object === this.#object) return index
      const lines = findLines(object.runs, place)
      if (lines && !lines.exact) return undefined
      if (lines) index += lines.last - lines.first + 1
    }
    return index
  }
}

/** `node-lane-segment-tag`, with the node that the object's own name has: a data directory can get a new one. */
export function receiptPrefixOf({ lane, segment, tag }: LedgerEntry, { name }: LedgerObject): string {
  const node = name.slice(name.lastIndexOf('/') + 1).split('-')[0]
  return `${node}-${lane}-${segment}-${tag}`
}
