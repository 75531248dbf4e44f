/** The bare server of `bench/echo.ts` as a process. */

import { join } from 'node:path'
import { type Subject, startListening } from './subject.ts'

/** Starts one. */
export async function startEcho(): Promise<Subject> {
  const script = join(import.meta.dir, '../echo.ts')
  const { child, base } = await startListening({ command: process.execPath, args: [script] })
  return {
    url: `${base}/payload`,
    pid: child.pid,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
