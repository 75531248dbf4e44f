/**
 * The ledger: what became of each segment, a line each, durable before the segment is deleted. Files hold a thousand
 * segments of a lane (`0-0000000000017-0.ndjson`), so that a receipt's line is found without reading the others.
 */

import { join } from 'node:path'
import type { Clock } from '../platform/clock.ts'
import type { Files, OpenFile } from '../platform/files.ts'
import type { Amount, LedgerEntry, LedgerTotals, SegmentOutcome } from './ledger-entry.ts'
import { fileKey, lastEntry, lastSegmentOf, lineOf, parseFileName, readEntries } from './ledger-files.ts'

/**
 * Room for a few lines on a disk that others have filled: a file that is removed when a line finds no room. Without it
 * nothing could be deleted that was delivered, and a full disk would stay full.
 */
const RESERVE = 'reserve'
const RESERVE_BYTES = 256 * 1024
const DAY_MS = 86_400_000

interface LedgerFile {
  generation: number
  /** Up to the last whole line. */
  bytes: number
  newestMs: number
  /** The highest number of its entries. */
  entry: number
}

/** The ledger of one lane; those of all lanes share a directory. One process at a time appends to it. */
export class Ledger {
  /** What was counted: every line of earlier processes, and those of this one that `count` was told. */
  totals: LedgerTotals = { stored: { payloads: 0, bytes: 0 }, dead: { payloads: 0, bytes: 0 } }
  /** With the lines that are written and not yet counted. */
  #written = this.totals
  readonly #files: Files
  readonly #clock: Clock
  readonly #directory: string
  readonly #lane: number
  readonly #keepMs: number
  /** By lane and thousand: `0-0000000000017`. */
  readonly #known = new Map<string, LedgerFile>()
  #entry = 0
  #hasReserve = false
  /** Counted at the beginning and at the end of each append, so that a file read meanwhile is known to be old. */
  #appends = 0
  #read: { path: string; entries: Map<string, LedgerEntry> } | undefined
  #open: { path: string; file: OpenFile } | undefined
  /** One append at a time, in the order of the calls. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(files: Files, clock: Clock, directory: string, lane: number, keepDays: number) {
    this.#files = files
    this.#clock = clock
    this.#directory = directory
    this.#lane = lane
    this.#keepMs = keepDays * DAY_MS
  }

  /** Opens a lane's ledger in `directory`, which is made if there is none. Lines older than `keepDays` go with their files. */
  static async open(files: Files, clock: Clock, directory: string, keepDays: number, lane = 0): Promise<Ledger> {
    const ledger = new Ledger(files, clock, directory, lane, keepDays)
    await files.makeDirectory(directory)
    for (const name of await files.list(directory)) await ledger.#learn(name)
    await ledger.#prune()
    await ledger.#reserve()
    return ledger
  }

  /**
   * Writes a line and makes it durable. It counts only once `count` is told. After a rejection it is repeated, before any
   * other: what failed may be read again one day, and there must be one line of each number.
   */
  append(outcome: SegmentOutcome): Promise<void> {
    return this.#inTurn(() => this.#append(outcome))
  }

  /**
   * Writes an earlier process's line again, to a new file: it can be read, but a sync of it may have failed or never have
   * been. Before the first `append`, in the order of the entries; after a rejection it may be repeated.
   */
  renew(entry: LedgerEntry): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.#known.get(fileKey(entry.lane, entry.segment))
      if (known) Object.assign(known, { generation: known.generation + 1, bytes: 0 })
      await this.#write(entry)
    })
  }

  /** Counts what was appended. */
  count({ stored, dead }: SegmentOutcome): void {
    this.totals = { stored: sum(this.totals.stored, stored), dead: sum(this.totals.dead, dead) }
  }

  /** The line of a segment; undefined when there is none, or no longer. */
  async find(lane: number, segment: number, tag: string): Promise<LedgerEntry | undefined> {
    const key = fileKey(lane, segment)
    for (let generation = this.#known.get(key)?.generation ?? -1; generation >= 0; generation--) {
      for (;;) {
        const appends = this.#appends
        const entry = (await this.#entriesOf(this.#path(key, generation))).get(`${segment}-${tag}`)
        if (entry) return entry
        // What was appended while the file was read may be just what is looked for.
        if (appends === this.#appends) break
      }
    }
    return undefined
  }

  /** The highest number of the lane's segments with a line; 0 when there is none. */
  lastSegment(): Promise<number> {
    return lastSegmentOf(this.#files, this.#directory, this.#lane)
  }

  async close(): Promise<void> {
    await this.#last
    await this.#open?.file.close()
    this.#open = undefined
  }

  /** A file's entries by segment and tag; of the file that was read last they are kept until the next append. */
  async #entriesOf(path: string): Promise<Map<string, LedgerEntry>> {
    if (this.#read?.path === path) return this.#read.entries
    const appends = this.#appends
    const list = await readEntries(this.#files, path)
    const entries = new Map(list.map((entry) => [`${entry.segment}-${entry.tag}`, entry]))
    if (appends === this.#appends) this.#read = { path, entries }
    return entries
  }

  #forgetRead(): void {
    this.#appends += 1
    this.#read = undefined
  }

  #inTurn(write: () => Promise<void>): Promise<void> {
    const written = this.#last.then(write)
    this.#last = written.catch(() => {})
    return written
  }

  async #append(outcome: SegmentOutcome): Promise<void> {
    const nowMs = this.#clock.nowMs()
    const { stored, dead } = this.#written
    const totals = { stored: sum(stored, outcome.stored), dead: sum(dead, outcome.dead) }
    const entry: LedgerEntry = { entry: this.#entry + 1, at: new Date(nowMs).toISOString(), ...outcome, totals }
    const isNew = !this.#known.has(fileKey(outcome.lane, outcome.segment))
    const known = await this.#write(entry)
    known.newestMs = nowMs
    known.entry = this.#entry = entry.entry
    this.#written = totals
    if (isNew) await this.#prune()
    if (!this.#hasReserve) await this.#reserve()
  }

  async #write(entry: LedgerEntry): Promise<LedgerFile> {
    const key = fileKey(entry.lane, entry.segment)
    const known = this.#known.get(key) ?? { generation: 0, bytes: 0, newestMs: 0, entry: 0 }
    this.#known.set(key, known)
    const line = Buffer.from(lineOf(entry))
    this.#forgetRead()
    try {
      const file = await this.#fileFor(this.#path(key, known.generation), known)
      await file.write(line, known.bytes)
      await file.datasync()
    } catch (error) {
      // A file that failed is not written again: the line goes to a new one when the append is repeated.
      await this.#open?.file.close().catch(() => {})
      this.#open = undefined
      known.generation += 1
      known.bytes = 0
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') await this.#giveReserve()
      throw error
    }
    known.bytes += line.length
    this.#forgetRead()
    return known
  }

  async #fileFor(path: string, known: LedgerFile): Promise<OpenFile> {
    const size = await this.#files.sizeOf(path)
    // Somebody has removed or cut it, and perhaps others: the line must not go where nobody finds it.
    if ((size ?? 0) < known.bytes) {
      this.#hasReserve = false
      throw new Error(`${path} was removed or cut; 'millrace verify' tells which segments' lines are lost`)
    }
    if (this.#open?.path === path) return this.#open.file
    await this.#open?.file.close()
    this.#open = undefined
    if (size === undefined) await this.#files.makeDirectory(this.#directory)
    const file = await this.#files.open(path, size === undefined ? 'create' : 'update')
    this.#open = { path, file }
    // Also of one that was there: who made it may not have lived to do this.
    await this.#files.syncDirectory(this.#directory)
    // What a crash left half-written.
    if (size !== undefined) await file.truncate(known.bytes)
    return file
  }

  /** Takes a file that an earlier process left into account. */
  async #learn(name: string): Promise<void> {
    const parsed = parseFileName(name)
    if (parsed?.lane !== this.#lane) return
    const { key, generation } = parsed
    const { entry, bytes } = await lastEntry(this.#files, join(this.#directory, name))
    const before = this.#known.get(key)
    const newestMs = Math.max(before?.newestMs ?? 0, entry ? Date.parse(entry.at) : 0)
    const highest = Math.max(before?.entry ?? 0, entry?.entry ?? 0)
    if (before && before.generation > generation) Object.assign(before, { newestMs, entry: highest })
    else this.#known.set(key, { generation, bytes, newestMs, entry: highest })
    if (!entry || entry.entry <= this.#entry) return
    this.#entry = entry.entry
    this.totals = this.#written = entry.totals
  }

  /**
   * Removes files whose newest line is too old: the first ones, so that from some number on every segment's line is there;
   * never the one with the highest entry, since it has the totals, nor the last.
   */
  async #prune(): Promise<void> {
    const oldestMs = this.#clock.nowMs() - this.#keepMs
    // In the order of the segments.
    for (const key of [...this.#known.keys()].sort().slice(0, -1)) {
      const file = this.#known.get(key) as LedgerFile
      if (file.newestMs >= oldestMs || file.entry === this.#entry) break
      for (let generation = 0; generation <= file.generation; generation++) {
        await this.#files.remove(this.#path(key, generation))
      }
      this.#known.delete(key)
    }
  }

  /** Sets room aside, if there is any: what can't be done now is tried again after the next line. */
  async #reserve(): Promise<void> {
    const path = this.#reservePath
    this.#hasReserve = (await this.#files.sizeOf(path).catch(() => 0)) === RESERVE_BYTES
    if (this.#hasReserve) return
    try {
      await this.#files.remove(path)
      const file = await this.#files.open(path, 'create')
      try {
        // Not zeros: some file systems keep no room for those.
        await file.write(Buffer.alloc(RESERVE_BYTES, 'reserve '), 0)
        await file.datasync()
      } finally {
        await file.close()
      }
      this.#hasReserve = true
    } catch {
      await this.#giveReserve()
    }
  }

  async #giveReserve(): Promise<void> {
    this.#hasReserve = false
    await this.#files.remove(this.#reservePath).catch(() => {})
  }

  get #reservePath(): string {
    return join(this.#directory, this.#lane === 0 ? RESERVE : `${RESERVE}-${this.#lane}`)
  }

  #path(key: string, generation: number): string {
    return join(this.#directory, `${key}-${generation}.ndjson`)
  }
}

function sum(a: Amount, b: Amount): Amount {
  return { payloads: a.payloads + b.payloads, bytes: a.bytes + b.bytes }
}
