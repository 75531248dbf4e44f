/** `npm run simulate -- --seed N --rounds M`: runs seeds N to N+M-1 on all cores, says what they covered and which failed. */

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type RunResult, simulate } from './run.ts'
import { Summary } from './summary.ts'

const PROGRESS_EVERY_MS = 5000
/** Seeds given to a thread at a time. */
const BATCH_SEEDS = 10
/** And in its life: what cut-off lives leave (compressors, mostly, that nobody ends) goes with the thread, 2 MB a seed. */
const THREAD_BATCHES_MAX = 30

const USAGE = 'npm run simulate -- [--seed N] [--rounds M] [--verbose]'

function readArguments(): { seed: number; rounds: number; isVerbose: boolean } {
  const { values } = parseArgs({
    options: { seed: { type: 'string' }, rounds: { type: 'string' }, verbose: { type: 'boolean' } },
  })
  const whole = (text: string | undefined, otherwise: number) => {
    if (text === undefined) return otherwise
    if (!/^\d{1,9}$/.test(text)) throw new Error(`'${text}' is not a whole number of at most 9 digits`)
    return Number(text)
  }
  const seed = whole(values.seed, Math.floor(Math.random() * 1e9))
  // A seed by itself is one to look at again.
  const rounds = whole(values.rounds, values.seed === undefined ? 1000 : 1)
  return { seed, rounds, isVerbose: values.verbose ?? false }
}

function report(result: RunResult, summary: Summary): void {
  summary.add(result)
  if (result.breach === undefined) return
  console.log(`✗ seed ${result.seed}: ${result.breach}`)
  console.log(`  npm run simulate -- --seed ${result.seed} --verbose`)
}

/** Runs the seeds in as many threads as there are cores. */
async function runAll(seed: number, rounds: number, summary: Summary): Promise<void> {
  const startMs = performance.now()
  let next = seed
  let done = 0
  const progress = setInterval(() => {
    const perSecond = (done / (performance.now() - startMs)) * 1000
    console.log(`${done} of ${rounds} seeds, ${summary.failed.length} failed, ${perSecond.toFixed(0)} a second`)
  }, PROGRESS_EVERY_MS)
  const threads = Math.min(availableParallelism(), Math.ceil(rounds / BATCH_SEEDS))
  const runThread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('./thread.ts', import.meta.url))
      let batches = 0
      const give = () => {
        const first = next
        if (first === seed + rounds || batches++ === THREAD_BATCHES_MAX)
          return void worker.terminate().then(() => resolve())
        next = Math.min(seed + rounds, next + BATCH_SEEDS)
        worker.postMessage({ first, end: next })
      }
      worker.on('error', reject)
      worker.on('message', (results: RunResult[]) => {
        for (const result of results) report(result, summary)
        done += results.length
        give()
      })
      give()
    })
  const runThreads = async () => {
    while (next < seed + rounds) await runThread()
  }
  await Promise.all(Array.from({ length: threads }, runThreads)).finally(() => clearInterval(progress))
}

async function main(): Promise<number> {
  const { seed, rounds, isVerbose } = readArguments()
  const summary = new Summary()
  console.log(rounds === 1 ? `seed ${seed}` : `seeds ${seed} to ${seed + rounds - 1}`)
  if (isVerbose || rounds === 1) {
    for (let s = seed; s < seed + rounds; s++) report(await simulate(s, isVerbose ? console.log : undefined), summary)
  } else await runAll(seed, rounds, summary)
  for (const line of summary.lines()) console.log(line)
  for (const failed of summary.failed) console.log(`failed: npm run simulate -- --seed ${failed} --verbose`)
  return summary.failed.length === 0 ? 0 : 1
}

try {
  process.exit(await main())
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`)
  process.exit(2)
}
