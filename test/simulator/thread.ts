/** A thread of the command: takes a few seeds by message, and answers with what came of them. */

import { parentPort } from 'node:worker_threads'
import { type RunResult, simulate } from './run.ts'

parentPort?.on('message', async ({ first, end }: { first: number; end: number }) => {
  const results: RunResult[] = []
  for (let seed = first; seed < end; seed++) results.push(await simulate(seed))
  parentPort?.postMessage(results)
})
