/** The ledger's files as they are read: by its writer at the start, by whoever looks a segment up, and by those who verify. */

import { join } from 'node:path'
import { type Files, isMissing, readStretch } from '../platform/files.ts'
import type { LedgerEntry } from './ledger-entry.ts'

const SEGMENTS_PER_FILE = 1000
const READ_BYTES = 1 << 16

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

/** The whole lines of a file. A last line that a crash cut, or one that is being written, is none. */
export async function readEntries(files: Files, path: string): Promise<LedgerEntry[]> {
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
export async function lastEntry(
  files: Files,
  path: string,
): Promise<{ entry: LedgerEntry | undefined; bytes: number }> {
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
