/**
 * The ledger: what became of each segment, a line each, durable before the segment is deleted. Files hold a thousand
 * segments of a lane (`0-0000000000017-0.ndjson`), so that a receipt's line is found without reading the others.
 */

import { join } from 'node:path'
import type { Clock } from '../platform/clock.ts'
import { type Files, isMissing, type OpenFile } from '../platform/files.ts'

/** So much of what was accepted. Bytes are the records', as the journal holds them. */
export interface Amount {
  payloads: number
  bytes: number
}

/**
 * Records that follow one another in a segment, whose lines follow one another in an object: the first one's place, how
 * many, and the lines of each. Where records of differing lengths were drawn together, 0 and the lines of all of them.
 */
export type Run = [place: number, records: number, linesEach: number] | [number, number, 0, lines: number]

/** An object as the ledger knows it. */
export interface LedgerObject {
  name: string
  bytes: number
  /** Hexadecimal, of the object's bytes. */
  sha256: string
  lines: number
  /** Whose lines these are, in the order of the lines. */
  runs: Run[]
}

/** A record or a stretch of a segment that never becomes lines, and why. */
export interface DeadLetter {
  /** The record's place in its segment; undefined for damage that could not be read as records. */
  place: number | undefined
  payloads: number
  bytes: number
  reason: string
}

/** What became of one segment. */
export interface SegmentOutcome {
  lane: number
  segment: number
  tag: string
  destination: string
  records: number
  stored: Amount
  dead: Amount
  letters: DeadLetter[]
  objects: LedgerObject[]
}

/** A line of the ledger. */
export interface LedgerEntry extends SegmentOutcome {
  /** From 1, over all files: the highest has the totals that hold. */
  entry: number
  /** ISO 8601, when it was written. */
  at: string
  totals: LedgerTotals
}

/** Everything that ever left the journal. */
export interface LedgerTotals {
  stored: Amount
  dead: Amount
}

const SEGMENTS_PER_FILE = 1000
const READ_BYTES = 1 << 16
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

/** The ledger of a data directory. One process at a time appends to it. */
export class Ledger {
  /** What was counted: every line of earlier processes, and those of this one that `count` was told. */
  totals: LedgerTotals = { stored: { payloads: 0, bytes: 0 }, dead: { payloads: 0, bytes: 0 } }
  /** With the lines that are written and not yet counted. */
  #written = this.totals
  readonly #files: Files
  readonly #clock: Clock
  readonly #directory: string
  readonly #keepMs: number
  /** By lane and thousand: `0-0000000000017`. */
  readonly #known = new Map<string, LedgerFile>()
  #entry = 0
  #hasReserve = false
  #open: { path: string; file: OpenFile } | undefined
  /** One append at a time, in the order of the calls. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(files: Files, clock: Clock, directory: string, keepDays: number) {
    this.#files = files
    this.#clock = clock
    this.#directory = directory
    this.#keepMs = keepDays * DAY_MS
  }

  /** Opens the ledger in `directory`, which is made if there is none. Lines older than `keepDays` go with their files. */
  static async open(files: Files, clock: Clock, directory: string, keepDays: number): Promise<Ledger> {
    const ledger = new Ledger(files, clock, directory, keepDays)
    await files.makeDirectory(directory)
    for (const name of await files.list(directory)) await ledger.#learn(name)
    await ledger.#prune()
    await ledger.#reserve()
    return ledger
  }

  /** Writes a line and makes it durable. It counts only once `count` is told; after a rejection it may be repeated. */
  append(outcome: SegmentOutcome): Promise<void> {
    const written = this.#last.then(() => this.#write(outcome))
    this.#last = written.catch(() => {})
    return written
  }

  /** Counts what was appended. */
  count({ stored, dead }: SegmentOutcome): void {
    this.totals = { stored: sum(this.totals.stored, stored), dead: sum(this.totals.dead, dead) }
  }

  /** The line of a segment; undefined when there is none, or no longer. */
  async find(lane: number, segment: number, tag: string): Promise<LedgerEntry | undefined> {
    const key = fileKey(lane, segment)
    for (let generation = this.#known.get(key)?.generation ?? -1; generation >= 0; generation--) {
      for (const entry of await readEntries(this.#files, this.#path(key, generation))) {
        if (entry.segment === segment && entry.tag === tag) return entry
      }
    }
    return undefined
  }

  async close(): Promise<void> {
    await this.#last
    await this.#open?.file.close()
    this.#open = undefined
  }

  async #write(outcome: SegmentOutcome): Promise<void> {
    const key = fileKey(outcome.lane, outcome.segment)
    const isNew = !this.#known.has(key)
    const known = this.#known.get(key) ?? { generation: 0, bytes: 0, newestMs: 0, entry: 0 }
    this.#known.set(key, known)
    const nowMs = this.#clock.nowMs()
    const { stored, dead } = this.#written
    const totals = { stored: sum(stored, outcome.stored), dead: sum(dead, outcome.dead) }
    const entry: LedgerEntry = { entry: this.#entry + 1, at: new Date(nowMs).toISOString(), ...outcome, totals }
    const line = Buffer.from(`${JSON.stringify(entry)}\n`)
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
    known.newestMs = nowMs
    known.entry = this.#entry = entry.entry
    this.#written = totals
    if (isNew) await this.#prune()
    if (!this.#hasReserve) await this.#reserve()
  }

  async #fileFor(path: string, known: LedgerFile): Promise<OpenFile> {
    if (this.#open?.path === path) return this.#open.file
    await this.#open?.file.close()
    this.#open = undefined
    if ((await this.#files.sizeOf(path)) === undefined) {
      const file = await this.#files.open(path, 'create')
      this.#open = { path, file }
      await this.#files.syncDirectory(this.#directory)
      return file
    }
    const file = await this.#files.open(path, 'update')
    this.#open = { path, file }
    // What a crash left half-written.
    await file.truncate(known.bytes)
    return file
  }

  /** Takes a file that an earlier process left into account. */
  async #learn(name: string): Promise<void> {
    const match = /^(\d+-\d{13})-(\d+)\.ndjson$/.exec(name)
    if (!match) return
    const key = match[1] as string
    const generation = Number(match[2])
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

  /** Removes files whose newest line is too old; never the one with the highest entry: it has the totals. */
  async #prune(): Promise<void> {
    const oldestMs = this.#clock.nowMs() - this.#keepMs
    for (const [key, file] of this.#known) {
      if (file.newestMs >= oldestMs || file.entry === this.#entry) continue
      for (let generation = 0; generation <= file.generation; generation++) {
        await this.#files.remove(this.#path(key, generation))
      }
      this.#known.delete(key)
    }
  }

  /** Sets room aside, if there is any: what can't be done now is tried again after the next line. */
  async #reserve(): Promise<void> {
    const path = join(this.#directory, RESERVE)
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
    await this.#files.remove(join(this.#directory, RESERVE)).catch(() => {})
  }

  #path(key: string, generation: number): string {
    return join(this.#directory, `${key}-${generation}.ndjson`)
  }
}

/** Every line of the ledger in `directory`, file by file; also while a process appends to it, or removes what is old. */
export async function* readLedger(files: Files, directory: string, keys = ''): AsyncGenerator<LedgerEntry> {
  for (const name of await files.list(directory)) {
    if (name.startsWith(keys) && name.endsWith('.ndjson')) yield* await readEntries(files, join(directory, name))
  }
}

/** How the names of the files begin that a segment's line can be in. */
export function fileKey(lane: number, segment: number): string {
  return `${lane}-${String(Math.floor(segment / SEGMENTS_PER_FILE)).padStart(13, '0')}`
}

function sum(a: Amount, b: Amount): Amount {
  return { payloads: a.payloads + b.payloads, bytes: a.bytes + b.bytes }
}

/** The whole lines of a file. A last line that a crash cut, or one that is being written, is none. */
async function readEntries(files: Files, path: string): Promise<LedgerEntry[]> {
  const size = (await files.sizeOf(path)) ?? 0
  const bytes = await readStretch(files, path, 0, size).catch((error) => {
    // Too old a file may be removed meanwhile.
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  })
  const text = bytes.toString()
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .flatMap(parseLine)
}

/** The last entry of a file, and where its last whole line ends. */
async function lastEntry(files: Files, path: string): Promise<{ entry: LedgerEntry | undefined; bytes: number }> {
  const size = (await files.sizeOf(path)) ?? 0
  for (let bytes = READ_BYTES; ; bytes *= 4) {
    const from = Math.max(0, size - bytes)
    const stretch = await readStretch(files, path, from, size - from)
    const end = stretch.lastIndexOf(0x0a) + 1
    const lines = stretch.toString('utf8', 0, end).split('\n')
    // The first of them may be the end of a line.
    const entry = lines
      .slice(from === 0 ? 0 : 1)
      .flatMap(parseLine)
      .at(-1)
    if (entry || from === 0) return { entry, bytes: from + end }
  }
}

function parseLine(line: string): LedgerEntry[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as LedgerEntry]
  } catch {
    // Damage of the disk's: what the other lines say stands.
    return []
  }
}

async function readStretch(files: Files, path: string, from: number, length: number): Promise<Buffer> {
  const file = await files.open(path, 'read')
  try {
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const count = await file.read(bytes.subarray(done), from + done)
      if (count === 0) break
      done += count
    }
    return bytes.subarray(0, done)
  } finally {
    await file.close()
  }
}
