/** Writes a file so that its name holds all of it or what it held before, whatever happens meanwhile. */

import type { Files } from './files.ts'

/** The ending of a file that isn't whole yet. Left by a crash, it is written anew by the repeat. */
export const PARTIAL_ENDING = '.partial'

/** Writes and syncs the pieces, one behind the other, beside the name, then takes the name, which is durable once the directory is synced. */
export async function writeWhole(files: Files, path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const partial = path + PARTIAL_ENDING
  // What an earlier try left: if its sync failed, that file is not synced again, not even with new bytes in it.
  await files.remove(partial)
  const file = await files.open(partial, 'replace')
  try {
    try {
      const wholeBytes = pieces.reduce((sum, { length }) => sum + length, 0)
      let at = 0
      for (const piece of pieces) {
        await file.write(piece, at, wholeBytes)
        at += piece.length
      }
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
