/**
 * Notes: small texts that senders' records carry, remembered for a while after the record, also when its segment is gone.
 * A segment with notes gets a file of them (`….notes`, a line each) before it is sealed; those of made lines, which are
 * few and needed for longer, have one of their own (`….made-notes`).
 */

import { join } from 'node:path'
import type { Clock } from '../platform/clock.ts'
import { type Files, isMissing, readStretch } from '../platform/files.ts'
import { MADE_NOTES_WINDOW_MS, type RememberedNote } from './journal.ts'
import { segmentDigits } from './name.ts'

const ENDING = '.notes'
const MADE_ENDING = '.made-notes'

/** Keeps a lane's notes. */
export class NoteKeeper {
  readonly #files: Files
  readonly #clock: Clock
  readonly #directory: string
  readonly #windowMs: number
  /** By file: until when it is needed, by the monotonic clock. */
  readonly #neededUntilMs = new Map<string, number>()

  /** Notes are needed for `windowMs` after their records were received, those of made lines for at least a day. */
  constructor(files: Files, clock: Clock, directory: string, windowMs: number) {
    this.#files = files
    this.#clock = clock
    this.#directory = directory
    this.#windowMs = windowMs
  }

  /** What earlier processes left that is still needed; the rest is removed. */
  async load(): Promise<RememberedNote[]> {
    const remembered: RememberedNote[] = []
    for (const name of await this.#files.list(this.#directory)) {
      if (!isNotesName(name)) continue
      const path = join(this.#directory, name)
      const notes = await readNotes(this.#files, path)
      const newestMs = notes.reduce((latest, { receivedAtMs }) => Math.max(latest, receivedAtMs), 0)
      // Received while the clock was wrong, if that is in the future.
      const ageMs = Math.max(0, this.#clock.nowMs() - newestMs)
      this.#neededUntilMs.set(path, this.#untilMs(path) - ageMs)
      const windowMs = this.#windowOf(path)
      for (const note of notes) if (note.receivedAtMs + windowMs > this.#clock.nowMs()) remembered.push(note)
    }
    await this.prune()
    return remembered
  }

  /** Makes a segment's notes durable, before the segment is sealed. May be repeated. */
  async write(segment: number, notes: readonly RememberedNote[]): Promise<void> {
    if (notes.length === 0) return
    const paths = await writeNotes(this.#files, this.#directory, segment, notes)
    for (const path of paths) this.#neededUntilMs.set(path, this.#untilMs(path))
    await this.prune()
  }

  /** Removes files whose notes are all too old. */
  async prune(): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    for (const [path, untilMs] of this.#neededUntilMs) {
      if (untilMs > nowMs) continue
      this.#neededUntilMs.delete(path)
      await this.#files.remove(path)
    }
  }

  /** Until when notes of now are needed that go into this file. */
  #untilMs(path: string): number {
    return this.#clock.monotonicMs() + this.#windowOf(path)
  }

  #windowOf(path: string): number {
    return path.endsWith(MADE_ENDING) ? Math.max(this.#windowMs, MADE_NOTES_WINDOW_MS) : this.#windowMs
  }
}

/** The notes in another lane's directory, of made lines all, of others those newer than `oldestMs`; also while that lane removes what is too old. */
export async function notesIn(files: Files, directory: string, oldestMs: number): Promise<RememberedNote[]> {
  const found: RememberedNote[] = []
  for (const name of (await files.list(directory)).filter(isNotesName)) {
    const notes = await readNotes(files, join(directory, name)).catch((error) => {
      if (isMissing(error)) return []
      throw error
    })
    for (const note of notes) if (note.isMade || note.receivedAtMs > oldestMs) found.push(note)
  }
  return found
}

/** Whether a file's name is that of notes. */
export function isNotesName(name: string): boolean {
  return /^\d{16}\.(made-)?notes$/.test(name)
}

/** Writes a segment's notes and makes them durable; returns the files' paths. */
export async function writeNotes(
  files: Files,
  directory: string,
  segment: number,
  notes: readonly RememberedNote[],
): Promise<string[]> {
  const paths: string[] = []
  for (const ending of [ENDING, MADE_ENDING]) {
    const own = notes.filter(({ isMade }) => (ending === MADE_ENDING) === (isMade === true))
    if (own.length === 0) continue
    const path = join(directory, segmentDigits(segment) + ending)
    await writeLines(files, path, own)
    paths.push(path)
  }
  if (paths.length > 0) await files.syncDirectory(directory)
  return paths
}

async function writeLines(files: Files, path: string, notes: readonly RememberedNote[]): Promise<void> {
  const file = await files.open(path, 'replace')
  try {
    await file.write(Buffer.from(notes.map((note) => `${JSON.stringify(note)}\n`).join('')), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function readNotes(files: Files, path: string): Promise<RememberedNote[]> {
  const bytes = await readStretch(files, path, 0, (await files.sizeOf(path)) ?? 0)
  return bytes.toString().split('\n').flatMap(parseLine)
}

/** A line that a crash cut belongs to a file that recovery writes anew. */
function parseLine(line: string): RememberedNote[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as RememberedNote]
  } catch {
    return []
  }
}
