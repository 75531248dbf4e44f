/** The S3 stand-in (`bench/stand-in.ts`) as a process: where it is, what it counted, what it is told to answer. */

import { join } from 'node:path'
import { startListening } from './subject.ts'

/** What it counted since it began. */
export interface StandInCounts {
  objects: number
  bytes: number
  signed: number
  refused: number
  notUnderstood: number
}

/** A running stand-in. */
export interface StandIn extends AsyncDisposable {
  endpoint: string
  counts(): Promise<StandInCounts>
  /** Answers every PUT with this status from now on. */
  answer(status: 200 | 503): Promise<void>
}

/** Starts one. */
export async function startStandIn(): Promise<StandIn> {
  const script = join(import.meta.dir, '../stand-in.ts')
  const { child, base } = await startListening({ command: process.execPath, args: [script] })
  return {
    endpoint: base,
    counts: async () => (await (await fetch(`${base}/-/counts`)).json()) as StandInCounts,
    async answer(status) {
      await fetch(`${base}/-/answer/${status}`, { method: 'PUT' })
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
