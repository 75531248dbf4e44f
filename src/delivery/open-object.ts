/** An object in the making, with what its name and its line in the ledger need. */

import type { LedgerObject } from '../observe/ledger-entry.ts'
import type { ChunkPool } from './chunk-pool.ts'
import type { Compressor } from './compressor.ts'
import { ObjectEncoder } from './encode.ts'
import { LineRuns } from './line-runs.ts'
import type { Lines } from './lines.ts'
import type { There } from './taken.ts'

const CLOSE = Buffer.from('}\n')
const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20

/** An object of one source and hour. */
export class OpenObject {
  readonly partition: { source: string; receivedAtMs: number }
  readonly encoder: ObjectEncoder
  /** Some of its lines were made by another Millrace. */
  hasMade = false
  readonly #runs = new LineRuns()
  /** Lines of the record at `#place`, which is not at its end. */
  #begun = 0
  #place = 0

  constructor(partition: { source: string; receivedAtMs: number }, compressor: Compressor, chunks: ChunkPool) {
    this.partition = partition
    this.encoder = new ObjectEncoder(compressor, chunks)
  }

  /** Adds what the last run made. */
  async add(lines: Lines): Promise<void> {
    const { tallies, ended } = lines
    let sum = 0
    for (let nth = 0; nth < tallies; nth++) {
      const tally = lines.tally(nth)
      sum += tally
      this.#begun += tally
      this.#place = lines.tallyPlace(nth)
      if (nth < ended) this.#endRecord()
    }
    await this.encoder.add(lines.output, sum)
  }

  /** Adds the payload that the last run only began a line for, and ends the line. */
  async addLong(lines: Lines, frame: Buffer): Promise<void> {
    const { start, end } = lines.longPayload
    const payload = Buffer.from(frame.subarray(start, end))
    // In valid JSON they are never in a string.
    for (let i = 0; i < payload.length; i++) if (payload[i] === LF || payload[i] === CR) payload[i] = SPACE
    await this.encoder.add(payload, 0)
    await this.encoder.add(CLOSE, 1)
    this.#begun += 1
    lines.closeLong()
  }

  /** What the ledger says of it, once it is done and stored. */
  inLedger(name: string, { linesBeyond, sha256, ...rest }: There): LedgerObject {
    this.#endRecord()
    const hex = Buffer.from(sha256).toString('hex')
    const stored = { name, ...rest, sha256: hex, lines: this.encoder.payloads, runs: this.#runs.list() }
    return { ...stored, ...(linesBeyond > 0 && { linesBeyond }), ...(this.hasMade && { hasMade: true as const }) }
  }

  /** Nobody wants it any more. */
  abandon(): void {
    this.encoder.abandon()
  }

  #endRecord(): void {
    if (this.#begun > 0) this.#runs.add(this.#place, this.#begun)
    this.#begun = 0
  }
}
