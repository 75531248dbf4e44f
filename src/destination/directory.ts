/** The directory destination: a temporary file, fsync, rename, directory fsync. What has its final name is whole. */

import { basename, dirname, join } from 'node:path'
import { type Files, isMissing, type OpenFile } from '../platform/files.ts'
import { PARTIAL_ENDING, writeWhole } from '../platform/whole-file.ts'
import {
  type Found,
  isPlainName,
  type Listed,
  type ListedObject,
  type OutgoingObject,
  type PutOutcome,
  type ReadableDestination,
} from './destination.ts'

/** Faults that somebody has to mend; all others are tried again soon. */
const PARKED_CODES = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'EISDIR', 'ELOOP'])

/** How much of an object is read at once. */
const PIECE_BYTES = 256 * 1024

/** Puts objects as files under `root`, which is made if there is none. */
export function directoryDestination(root: string, files: Files): ReadableDestination {
  return {
    url: root,
    async put(object: OutgoingObject): Promise<PutOutcome> {
      const path = join(root, object.name)
      try {
        const already = (await files.sizeOf(path)) !== undefined
        if (!already) {
          await files.makeDirectory(dirname(path))
          await writeWhole(files, path, object.body.pieces)
        }
        // Also when it was there: whoever renamed it may not have lived to sync the directory.
        await files.syncDirectory(dirname(path))
        return { kind: 'stored', already }
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        return { kind: PARKED_CODES.has(code ?? '') ? 'park' : 'retry', reason: message }
      }
    },
    async sizeOf(name): Promise<Found> {
      if (!isPlainName(name)) return { kind: 'missing' }
      try {
        const bytes = await files.sizeOf(join(root, name))
        return bytes === undefined ? { kind: 'missing' } : { kind: 'found', bytes }
      } catch (error) {
        return unanswered(error)
      }
    },
    async read(name, take, signal): Promise<Found> {
      if (!isPlainName(name)) return { kind: 'missing' }
      let file: OpenFile
      try {
        file = await files.open(join(root, name), 'read')
      } catch (error) {
        return isMissing(error) ? { kind: 'missing' } : unanswered(error)
      }
      try {
        return await readThrough(file, take, signal)
      } finally {
        await file.close().catch(() => {})
      }
    },
    async list(prefix, _next, signal): Promise<Listed> {
      try {
        const objects = isPlainName(prefix) ? await listBelow(files, root, prefix, signal) : []
        return { kind: 'page', objects, next: undefined }
      } catch (error) {
        const found = unanswered(error)
        return found.kind === 'failed' ? found : { kind: 'page', objects: [], next: undefined }
      }
    },
  }
}

/** A name's last part is a file's, so that all that begin alike are in one directory. */
async function listBelow(files: Files, root: string, prefix: string, signal: AbortSignal): Promise<ListedObject[]> {
  const objects: ListedObject[] = []
  const start = basename(prefix)
  for (const file of await files.list(join(root, dirname(prefix)))) {
    signal.throwIfAborted()
    if (!file.startsWith(start) || file.endsWith(PARTIAL_ENDING)) continue
    const name = join(dirname(prefix), file)
    const bytes = await files.sizeOf(join(root, name))
    if (bytes !== undefined) objects.push({ name, bytes })
  }
  return objects
}

async function readThrough(file: OpenFile, take: (piece: Uint8Array) => void | Promise<void>, signal: AbortSignal) {
  for (let bytes = 0; ; ) {
    if (signal.aborted)
      return { kind: 'failed', passing: true, reason: 'given up, since the program is stopping' } as const
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    let count: number
    try {
      count = await file.read(piece, bytes)
    } catch (error) {
      return unanswered(error)
    }
    if (count === 0) return { kind: 'found', bytes } as const
    bytes += count
    await take(piece.subarray(0, count))
  }
}

function unanswered(error: unknown): Found {
  const { code, message } = error as NodeJS.ErrnoException
  // Something that is no directory stands where one would have to be, or a directory or a pipe where the object would.
  if (code === 'ENOTDIR' || code === 'EISDIR' || code === 'ESPIPE') return { kind: 'missing' }
  return { kind: 'failed', passing: !PARKED_CODES.has(code ?? ''), reason: message }
}
