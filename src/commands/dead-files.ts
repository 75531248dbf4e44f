/**
 * The files of dead records: found, read, and taken away for good. `<receipt>.dead` is the record; once that is removed,
 * `<receipt>.dropped` or `<receipt>.replayed` says why it is gone, so that `verify` doesn't miss it.
 */

import { basename, join } from 'node:path'
import { DEAD_DIRECTORY, DEAD_ENDING, type DeadLine, isItsBody } from '../delivery/dead-letter.ts'
import { parseReceipt } from '../journal/name.ts'
import { type Files, isMissing, readStretch } from '../platform/files.ts'
import type { FoundData } from './data.ts'

/** A dead record's file. */
export interface DeadFile {
  receipt: string
  path: string
}

/** What a record that was put back is, or is about to become. */
export interface Replay {
  /** The new receipt. */
  as: string
  at: string
}

/** The ending of what is written before a record is put back: under which receipt it would be. */
export const REPLAYING_ENDING = '.replaying'
/** The ending of what stays of a record that was put back. */
export const REPLAYED_ENDING = '.replayed'
/** The ending of what stays of a record that was dropped. */
export const DROPPED_ENDING = '.dropped'

/** How much of a file is read to find the end of its line. */
const LINE_BYTES_MAX = 64 * 1024

/** Every dead record, in the order of lanes and names. */
export async function deadFiles(files: Files, data: FoundData): Promise<DeadFile[]> {
  const found: DeadFile[] = []
  for (const lane of await data.lanes()) {
    const directory = join(lane.directory, DEAD_DIRECTORY)
    for (const name of await files.list(directory)) {
      const receipt = name.slice(0, -DEAD_ENDING.length)
      if (name.endsWith(DEAD_ENDING) && parseReceipt(receipt)) found.push({ receipt, path: join(directory, name) })
    }
  }
  return found
}

/** Where files of a receipt are, whatever their ending; undefined when it is no receipt. */
export function deadPath(data: FoundData, receipt: string, ending: string): string | undefined {
  const parts = parseReceipt(receipt)
  return parts && join(data.laneDirectory(parts.lane), DEAD_DIRECTORY, receipt + ending)
}

/** A file beside a dead record's, of another ending. */
export function siblingOf({ path }: DeadFile, ending: string): string {
  return path.slice(0, -DEAD_ENDING.length) + ending
}

/** A dead record as it was kept: the line about it and its body; undefined when its file is gone or not what was written. */
export async function readDead(files: Files, path: string): Promise<{ line: DeadLine; body: Buffer } | undefined> {
  const size = await files.sizeOf(path)
  const bytes = size === undefined ? undefined : await readStart(files, path, size)
  const parsed = bytes && parseLine<DeadLine>(bytes)
  if (!parsed || !bytes) return undefined
  const dead = { line: parsed.value, body: bytes.subarray(parsed.end) }
  return `${dead.line.receipt}${DEAD_ENDING}` === basename(path) && isItsBody(dead.line, dead.body) ? dead : undefined
}

/** What is written about a replay of this receipt. */
export async function readReplay(files: Files, path: string): Promise<Replay | undefined> {
  const bytes = await readStart(files, path, LINE_BYTES_MAX)
  return bytes && parseLine<Replay>(bytes)?.value
}

/** Writes a short file beside the dead record, durably. */
export async function leaveNote(files: Files, path: string, note: object): Promise<void> {
  const file = await files.open(path, 'replace')
  try {
    await file.write(Buffer.from(`${JSON.stringify(note)}\n`), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await files.syncDirectory(join(path, '..'))
}

/** Removes a dead record's file, durably. What says why is on the disk before it. */
export async function removeDead(files: Files, { path }: DeadFile): Promise<void> {
  await files.remove(path)
  await files.syncDirectory(join(path, '..'))
}

async function readStart(files: Files, path: string, bytesMax: number): Promise<Buffer | undefined> {
  return await readStretch(files, path, 0, bytesMax).catch((error) => {
    if (isMissing(error)) return undefined
    throw error
  })
}

function parseLine<T>(bytes: Buffer): { value: T; end: number } | undefined {
  const end = bytes.indexOf(0x0a) + 1
  try {
    return end === 0 ? undefined : { value: JSON.parse(bytes.toString('utf8', 0, end)) as T, end }
  } catch {
    return undefined
  }
}
