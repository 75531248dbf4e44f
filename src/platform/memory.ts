/** How much memory another process has resident, as the system tells it. */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** In bytes; undefined when the process is gone. */
export async function rssBytesOf(pid: number, system: string = process.platform): Promise<number | undefined> {
  try {
    if (system === 'linux')
      return kilobytes(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
    return kilobytes((await run('ps', ['-o', 'rss=', '-p', String(pid)])).stdout.trim())
  } catch {
    return undefined
  }
}

function kilobytes(text: string | undefined): number | undefined {
  return text === undefined || text === '' ? undefined : Number(text) * 1024
}
