/**
 * Measures what one library adds to a job that does nothing, on the runtime it is started with, and prints medians as JSON:
 * `measure.mjs CONTENDER jobs|threads SECONDS LIBRARY`, where LIBRARY is the URL of `millrace/dispatch`.
 */

const [contender, kind, seconds, library] = process.argv.slice(2)
const WORKERS = 100
const PRODUCERS = 200
const JOBS = 100_000
const QUEUED = 1_000_000
const THREADS = 2
const THREAD_JOBS = 5000

const run = async (job) => job
const major = Number.parseInt(process.versions.node, 10)

/** Each gives a job and gets the promise of its result. */
const CONTENDERS = {
  async Millrace() {
    const { Dispatcher } = await import(library)
    return () => {
      const dispatcher = new Dispatcher({ workers: WORKERS, queue: QUEUED, run })
      return (job) => dispatcher.submit(job)
    }
  },
  async fastq() {
    const { default: fastq } = await import('fastq')
    return () => {
      const queue = fastq.promise(run, WORKERS)
      return (job) => queue.push(job)
    }
  },
  async 'p-queue'() {
    const { default: PQueue } = await import('p-queue')
    return () => {
      const queue = new PQueue({ concurrency: WORKERS })
      return (job) => queue.add(() => run(job))
    }
  },
}

const THREAD_CONTENDERS = {
  async Millrace() {
    const { Dispatcher } = await import(library)
    const dispatcher = new Dispatcher({
      workers: THREADS,
      queue: THREAD_JOBS,
      run: new URL('./square.mjs', import.meta.url),
    })
    return (job) => dispatcher.submit(job)
  },
  async piscina() {
    const { default: Piscina } = await import('piscina')
    const filename = new URL('./square.mjs', import.meta.url).href
    const pool = new Piscina({ filename, name: 'run', minThreads: THREADS, maxThreads: THREADS })
    return (job) => pool.run(job)
  },
}

/** Two jobs in the making for each worker, each given when the one before is done. */
async function flow(give) {
  let left = JOBS
  const produce = async () => {
    while (left > 0) {
      left -= 1
      await give(left)
    }
  }
  await Promise.all(Array.from({ length: PRODUCERS }, produce))
  return JOBS
}

/** So many at once, until the last is done. */
async function burst(give, jobs) {
  let last
  for (let job = 0; job < jobs; job++) last = give(job)
  await last
  return jobs
}

/** The median of nanoseconds a job, for so many seconds, and at least once. */
async function median(work) {
  const values = []
  const until = performance.now() + seconds * 1000
  do {
    globalThis.Bun?.gc(true)
    const start = performance.now()
    const jobs = await work()
    values.push(((performance.now() - start) * 1e6) / jobs)
  } while (performance.now() < until)
  return values.sort((a, b) => a - b)[values.length >> 1]
}

if (kind === 'threads') {
  const give = await THREAD_CONTENDERS[contender]()
  await burst(give, THREAD_JOBS)
  console.log(JSON.stringify({ threadMicros: (await median(() => burst(give, THREAD_JOBS))) / 1000, major }))
} else {
  const make = await CONTENDERS[contender]()
  await flow(make())
  const ns = await median(() => flow(make()))
  const queuedNs = await median(() => burst(make(), QUEUED))
  console.log(JSON.stringify({ ns, queuedNs, major }))
}
process.exit(0)
