/** Where a thread begins: it loads the module that was named, and answers each job with what its `run` returns or throws. */

import { type ThreadContext, type ThreadQuestion, threadsModule } from './worker-threads.ts'

const { parentPort, workerData } = threadsModule()
const { run } = (await import(workerData.module)) as {
  run?: (job: unknown, context: ThreadContext) => unknown
}
if (typeof run !== 'function') throw new TypeError(`${workerData.module} exports no function named run`)

parentPort?.on('message', async (question) => {
  const { job, attempt } = question as ThreadQuestion
  const moved: object[] = []
  try {
    const result = await run(job, { attempt, transfer: (...objects) => void moved.push(...objects) })
    parentPort.postMessage({ kind: 'done', result }, moved)
  } catch (error) {
    fail(error)
  }
})

/** What can't be copied to the other side (a function in an error, say) goes there as text. */
function fail(error: unknown): void {
  try {
    parentPort?.postMessage({ kind: 'failed', error })
  } catch {
    parentPort?.postMessage({ kind: 'failed', error: new Error(String(error)) })
  }
}
