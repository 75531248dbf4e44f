/** The directory destination: a temporary file, fsync, rename, directory fsync. What has its final name is whole. */

import { dirname, join } from 'node:path'
import type { Files } from '../platform/files.ts'
import type { Destination, OutgoingObject, PutOutcome } from './destination.ts'

/** Faults that somebody has to mend; all others are tried again soon. */
const PARKED_CODES = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'EISDIR', 'ELOOP'])

/** The ending of a file that isn't whole yet. Left by a crash, it is written anew by the repeat. */
export const PARTIAL_ENDING = '.partial'

/** Puts objects as files under `root`, which is made if there is none. */
export function directoryDestination(root: string, files: Files): Destination {
  return {
    url: root,
    async put(object: OutgoingObject): Promise<PutOutcome> {
      const path = join(root, object.name)
      try {
        const already = (await files.sizeOf(path)) !== undefined
        if (!already) await writeWhole(files, path, object.body)
        // Also when it was there: whoever renamed it may not have lived to sync the directory.
        await files.syncDirectory(dirname(path))
        return { kind: 'stored', already }
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        return { kind: PARKED_CODES.has(code ?? '') ? 'park' : 'retry', reason: message }
      }
    },
  }
}

async function writeWhole(files: Files, path: string, body: Uint8Array): Promise<void> {
  const partial = path + PARTIAL_ENDING
  await files.makeDirectory(dirname(path))
  // What an earlier try left: if its sync failed, that file is not synced again, not even with new bytes in it.
  await files.remove(partial)
  const file = await files.open(partial, 'replace')
  try {
    try {
      await file.write(body, 0)
      await file.datasync()
    } finally {
      await file.close()
    }
    await files.rename(partial, path)
  } catch (error) {
    // It takes no room while nobody completes it.
    await files.remove(partial).catch(() => {})
    throw error
  }
}
