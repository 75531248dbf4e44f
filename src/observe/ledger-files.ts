/** The ledger's files as they are read: by its writer at the start, by whoever looks a segment up, and by those who verify. */

import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Files, isMissing, readStretch } from '../platform/files.ts'
import type { LedgerEntry } from './ledger-entry.ts'

/** How many segments of a lane have their lines in one file. */
export const SEGMENTS_PER_FILE = 1000
const READ_BYTES = 1 << 16

/** Hears of a line, by its number from 1, that is no entry although one stands behind it, or that somebody has changed. */
export type OnBadLine = (path: string, line: number, what: string) => void

const DAMAGED = 'damaged: what it said of its segment cannot be read'

/** Every line of the ledger in `directory`, file by file; also while a process appends to it, or removes what is old. */
export async function* readLedger(
  files: Files,
  directory: string,
  keys = '',
  onBadLine?: OnBadLine,
): AsyncGenerator<LedgerEntry> {
  for (const name of await files.list(directory)) {
    if (name.startsWith(keys) && parseFileName(name)) yield* await readEntries(files, join(directory, name), onBadLine)
  }
}

/** How the names of the files begin that a segment's line can be in. */
export function fileKey(lane: number, segment: number): string {
  return `${lane}-${String(Math.floor(segment / SEGMENTS_PER_FILE)).padStart(13, '0')}`
}

/** Takes the name of one of the ledger's files apart; undefined when it isn't one. */
export function parseFileName(name: string) {
  const match = /^((\d+)-(\d{13}))-(\d+)\.ndjson$/.exec(name)
  if (!match) return undefined
  const [, key = '', lane, thousand, generation] = match
  return { key, lane: Number(lane), firstSegment: Number(thousand) * SEGMENTS_PER_FILE, generation: Number(generation) }
}

/**
 * The entries of a file. A last line that a crash cut, or one that is being written, is none; and a power loss may leave
 * of it whatever it likes, so that only what has an entry behind it is known to be damage.
 */
export async function readEntries(files: Files, path: string, onBadLine?: OnBadLine): Promise<LedgerEntry[]> {
  const size = (await files.sizeOf(path)) ?? 0
  const bytes = await readStretch(files, path, 0, size).catch((error) => {
    // Too old a file may be removed meanwhile.
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  })
  const text = bytes.toString()
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  const key = parseFileName(basename(path))?.key
  const entries: LedgerEntry[] = []
  let isMisplaced = false
  let bad: number[] = []
  for (const [i, line] of lines.entries()) {
    const entry = parseLine(line)
    if (!entry) {
      // No crash leaves an entry that can be read and has a wrong checksum.
      if (onBadLine && readsAsEntry(line)) onBadLine(path, i + 1, DAMAGED)
      else bad.push(i + 1)
      continue
    }
    for (const number of bad) onBadLine?.(path, number, DAMAGED)
    bad = []
    const own = fileKey(entry.lane, entry.segment)
    // Said once of a file: as a rule it has another's name.
    if (key !== own && !isMisplaced) onBadLine?.(path, i + 1, `belongs into another file, ${own}-0.ndjson`)
    isMisplaced ||= key !== own
    entries.push(entry)
  }
  return entries
}

/** The last entry of a file, and where its line ends: what stands behind that was never whole. */
export async function lastEntry(
  files: Files,
  path: string,
): Promise<{ entry: LedgerEntry | undefined; bytes: number }> {
  const size = (await files.sizeOf(path)) ?? 0
  for (let bytes = READ_BYTES; ; bytes *= 4) {
    const from = Math.max(0, size - bytes)
    const stretch = await readStretch(files, path, from, size - from)
    // The first of the lines may be the end of one.
    const start = from === 0 ? 0 : stretch.indexOf(0x0a) + 1
    for (let end = stretch.lastIndexOf(0x0a) + 1; end > start; ) {
      const lineStart = end > 1 ? stretch.lastIndexOf(0x0a, end - 2) + 1 : 0
      const entry = parseLine(stretch.toString('utf8', lineStart, end - 1))
      if (entry) return { entry, bytes: from + end }
      end = lineStart
    }
    if (from === 0) return { entry: undefined, bytes: 0 }
  }
}

/** The highest number of a lane's segments with a line; 0 when there is none. */
export async function lastSegmentOf(files: Files, directory: string, lane: number): Promise<number> {
  const names = (await files.list(directory)).map(parseFileName).filter((name) => name?.lane === lane)
  const firsts = names.map((name) => name?.firstSegment ?? 0)
  let last = 0
  for await (const entry of readLedger(files, directory, `${fileKey(lane, Math.max(0, ...firsts))}-`)) {
    last = Math.max(last, entry.segment)
  }
  return last
}

/** An entry as a line: its last member is the CRC-32 of all bytes before it. */
export function lineOf(entry: LedgerEntry): string {
  const json = JSON.stringify(entry).slice(0, -1)
  return `${json}${crcMember(json)}\n`
}

function crcMember(json: string): string {
  return `,"crc":"${crc32(json).toString(16).padStart(8, '0')}"}`
}

/** How long that member is, with the brace behind it. */
const CRC_MEMBER_LENGTH = crcMember('').length

/** A line without its CRC; undefined when that is wrong. The first program's lines have none. */
function withoutCrc(line: string): string | undefined {
  const end = line.slice(-CRC_MEMBER_LENGTH)
  if (!/^,"crc":"[0-9a-f]{8}"\}$/.test(end)) return line
  const json = line.slice(0, -CRC_MEMBER_LENGTH)
  return crcMember(json) === end ? `${json}}` : undefined
}

/** A line as an entry; undefined when it has not what an entry has. What the other lines say stands all the same. */
function parseLine(line: string): LedgerEntry | undefined {
  return parseJson(withoutCrc(line) ?? '')
}

/** Whether a line is an entry but for its checksum. */
function readsAsEntry(line: string): boolean {
  return parseJson(line) !== undefined
}

function parseJson(json: string): LedgerEntry | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isEntry(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isEntry(value: unknown): value is LedgerEntry {
  if (typeof value !== 'object' || value === null) return false
  const { entry, at, lane, segment, tag, objects, letters, stored, dead, totals } = value as Partial<LedgerEntry>
  const numbers = [entry, lane, segment, stored?.payloads, stored?.bytes, dead?.payloads, totals?.stored?.payloads]
  if (!numbers.every(Number.isSafeInteger) || typeof tag !== 'string') return false
  return !Number.isNaN(Date.parse(at ?? '')) && Array.isArray(objects) && Array.isArray(letters)
}
