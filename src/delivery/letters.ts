/** What of a segment will never be stored: damage is set aside, records that nothing can be made of are buried, and each is told of. */

import { dirname } from 'node:path'
import { parseSegmentPath } from '../journal/name.ts'
import { recordBytes, type StoredRecord } from '../journal/record.ts'
import { setAside } from '../journal/recovery.ts'
import type { Observer } from '../observe/events.ts'
import type { DeadLetter } from '../observe/ledger-entry.ts'
import type { OpenFile } from '../platform/files.ts'
import type { Platform } from '../platform/platform.ts'
import { bury, type Death } from './dead-letter.ts'

/** The dead of one segment. */
export class Letters {
  readonly list: DeadLetter[] = []
  /** What is told of already: a segment may be read more than once. */
  readonly #told = new Set<string>()
  readonly #path: string
  readonly #platform: Platform
  readonly #observe: Observer

  constructor(path: string, platform: Platform, observe: Observer) {
    this.#path = path
    this.#platform = platform
    this.#observe = observe
  }

  /** Nothing can be set aside of frames that are gone; the ledger finds what they held missing as well. */
  lost(reason: string): void {
    if (this.#told.has(reason)) return
    this.#told.add(reason)
    this.list.push({ place: undefined, payloads: 0, bytes: 0, reason })
    this.#observe({ kind: 'journal-lost', path: this.#path, reason })
  }

  /** Keeps damaged bytes of the segment's file. */
  async setAside(file: OpenFile, offset: number, bytes: number): Promise<void> {
    const reason = `${bytes} damaged bytes at ${offset}`
    if (this.#told.has(reason)) return
    const stretch = { path: this.#path, number: parseSegmentPath(this.#path)?.number ?? 0, offset, bytes }
    await setAside(this.#platform.files, dirname(this.#path), file, stretch, this.#observe)
    this.#told.add(reason)
    // What it held can't be told; the ledger finds it missing from what the segment was sealed with.
    this.list.push({ place: undefined, payloads: 0, bytes, reason })
  }

  /** Sets a record aside that can't be stored now or ever. `bytes` are those that count as dead. */
  async bury(
    receipt: string,
    place: number,
    record: StoredRecord,
    death: Death,
    bytes = recordBytes(record),
  ): Promise<void> {
    if (this.#told.has(receipt)) return
    const { files, clock } = this.#platform
    await bury(files, this.#path, receipt, record, death, clock.nowMs())
    this.#told.add(receipt)
    this.add(place, record.payloads, bytes, death)
    this.#observe({ kind: 'dead-letter', receipt, payloads: record.payloads, reason: death.reason })
  }

  /** For the ledger: what is buried already. */
  add(place: number, payloads: number, bytes: number, { reason, indexes }: Death): void {
    this.list.push({ place, payloads, bytes, reason, ...(indexes && { indexes }) })
  }
}
