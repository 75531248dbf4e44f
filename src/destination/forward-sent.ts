/**
 * What must not be forgotten of objects that are forwarded: which server each was sent to, before it is. While that has not
 * said that it keeps the object, no other may get it. A small file beside the segment, a line for each of its objects;
 * written whole and anew, because there is one for megabytes of payloads.
 */

import { dirname } from 'node:path'
import { type Files, isMissing, readStretch } from '../platform/files.ts'
import { writeWhole } from '../platform/whole-file.ts'

/** An object that was sent, or was about to be. */
export interface Sent {
  /** `http://host:port`. */
  server: string
  /** When it was sent first, by the wall clock. */
  sinceMs: number
  /** The server has said that it keeps it. */
  isKept: boolean
}

/** By the objects' names. */
export type SentObjects = Map<string, Sent>

/** What a line says; people read it, and may have to mend it. */
interface SentLine {
  object: string
  server: string
  since: string
  kept: boolean
}

/** Far longer than it ever is: a segment becomes a few objects. */
const FILE_BYTES_MAX = 16 << 20

/** Reads the file; empty when there is none. Rejects with a `SyntaxError` when it isn't what was written. */
export async function readSent(files: Files, path: string): Promise<SentObjects> {
  let text: string
  try {
    const bytes = (await files.sizeOf(path)) ?? 0
    if (bytes > FILE_BYTES_MAX) throw new SyntaxError(`it has ${bytes} bytes`)
    text = bytes === 0 ? '' : (await readStretch(files, path, 0, bytes)).toString()
  } catch (error) {
    if (isMissing(error)) return new Map()
    throw error
  }
  return new Map(text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [parseLine(line)])))
}

function parseLine(line: string): [string, Sent] {
  const { object, server, since, kept } = JSON.parse(line) as Partial<SentLine>
  const sinceMs = Date.parse(since ?? '')
  const isWhole = typeof object === 'string' && typeof server === 'string' && typeof kept === 'boolean'
  if (!isWhole || Number.isNaN(sinceMs)) throw new SyntaxError('a line of it is not as it was written')
  return [object, { server, sinceMs, isKept: kept }]
}

/** Makes it durable; a file of nothing is removed. What a crash leaves is the file as it was, or as it is now. */
export async function writeSent(files: Files, path: string, objects: SentObjects): Promise<void> {
  if (objects.size === 0) return await files.remove(path)
  const lines = [...objects].map(([object, { server, sinceMs, isKept }]) => {
    const line: SentLine = { object, server, since: new Date(sinceMs).toISOString(), kept: isKept }
    return `${JSON.stringify(line)}\n`
  })
  await writeWhole(files, path, [Buffer.from(lines.join(''))])
  await files.syncDirectory(dirname(path))
}
