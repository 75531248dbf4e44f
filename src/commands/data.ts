/** A data directory as commands find it: read and not changed, whether or not a server runs on it. */

import { join } from 'node:path'
import { laneDirectory, lanesIn, readNode } from '../journal/data-directory.ts'
import { isInJournal } from '../journal/look.ts'
import type { ReceiptParts } from '../journal/name.ts'
import { Fault } from '../observe/errors.ts'
import type { LedgerEntry } from '../observe/ledger-entry.ts'
import { fileKey, readLedger } from '../observe/ledger-files.ts'
import { placeFromLedger } from '../observe/ledger-place.ts'
import type { Files } from '../platform/files.ts'

/** One lane's directory. */
export interface FoundLane {
  lane: number
  directory: string
}

/** A data directory. */
export class FoundData {
  readonly directory: string
  readonly node: string
  readonly ledger: string
  readonly #files: Files

  private constructor(files: Files, directory: string, node: string) {
    this.#files = files
    this.directory = directory
    this.node = node
    this.ledger = join(directory, 'ledger')
  }

  /** Finds the data directory, or throws a `Fault` that says what is wrong with `--data`. */
  static async at(files: Files, directory: string): Promise<FoundData> {
    const node = await readNode(files, directory).catch((error: Error) => {
      throw new Fault('data_unusable', error.message, { cause: error })
    })
    if (node !== undefined) return new FoundData(files, directory, node)
    throw new Fault('config_invalid', `--data is '${directory}': no server has kept its journal there (no file 'node')`)
  }

  async lanes(): Promise<FoundLane[]> {
    const lanes = await lanesIn(this.#files, this.directory)
    return lanes.map((lane) => ({ lane, directory: this.laneDirectory(lane) }))
  }

  laneDirectory(lane: number): string {
    return laneDirectory(this.directory, lane)
  }

  /** The ledger's line of a segment. */
  async entryOf(lane: number, segment: number, tag: string): Promise<LedgerEntry | undefined> {
    for await (const entry of readLedger(this.#files, this.ledger, `${fileKey(lane, segment)}-`)) {
      if (entry.segment === segment && entry.tag === tag) return placeFromLedger(entry, this.directory)
    }
    return undefined
  }

  /**
   * Whether a record is in the journal and waits. A segment that the ledger knows is over, though a crash may have left its
   * file. When its file goes between two looks, its line was there before that.
   */
  async holds(receipt: ReceiptParts): Promise<boolean> {
    if (await this.entryOf(receipt.lane, receipt.segment, receipt.tag)) return false
    return await isInJournal(this.#files, this.laneDirectory(receipt.lane), receipt)
  }
}
