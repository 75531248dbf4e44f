/** Measures one design: rising load, then `kill -9` under it, then what is left of what it had said yes to. */

import { Fault } from '../observe/errors.ts'
import type { Clock } from '../platform/clock.ts'
import { rssBytesOf } from '../platform/memory.ts'
import { type ContenderOptions, startContender } from './contender.ts'
import { DESIGNS, type DesignName } from './designs.ts'
import { Load } from './load.ts'
import { KILL_AFTER_MS, WARMUP_MS } from './plan.ts'
import type { Child } from './processes.ts'
import type { CrashFigures, DesignFigures, Settings, StepFigures } from './result.ts'
import { Store } from './store.ts'

const MEMORY_MS = 100
/** How long the answers of a design that was killed may take to be read. */
const LAST_ANSWERS_MS_MAX = 5000
/** How long a design has, once it is started again, to bring what it kept to the store. */
const RECOVERY_MS_MAX = 60_000

/** What is heard while it runs. */
export interface Watcher {
  /** A step begins, at this rate; 0 is the crash. */
  begun(design: DesignName, perSecond: number): void
  measured(design: DesignName, step: StepFigures): void
}

/** What measuring a design takes. */
export interface Measuring {
  name: DesignName
  settings: Settings
  /** Empty, and this design's own. */
  directory: string
  clock: Clock
  watcher: Watcher
}

/** Measures a design. */
export async function measureDesign(measuring: Measuring): Promise<DesignFigures> {
  const { name, settings, directory, clock, watcher } = measuring
  await using store = new Store(settings, clock)
  const options = { settings, store: store.url, directory }
  const contender = await startContender(name, options)
  await using child = contender.child
  using load = await Load.open(contender.url, clock)
  const died = child.exited.then((code) => {
    throw new Fault('bench_failed', `'${DESIGNS[name].title}' ended by itself with ${code}:\n${child.output}`)
  })
  // It is no surprise any more once it was killed.
  died.catch(() => undefined)
  const steps = await Promise.race([died, rise(measuring, child, load, store)])
  watcher.begun(name, 0)
  await killUnderLoad(child, load, settings, clock)
  return { steps, crash: await countCrash(name, options, store, load.acked) }
}

async function rise(
  { name, settings, clock, watcher }: Measuring,
  child: Child,
  load: Load,
  store: Store,
): Promise<StepFigures[]> {
  const { rates, stepTimeMs } = settings
  await load.step(rates[0] ?? 1, WARMUP_MS)
  const steps: StepFigures[] = []
  for (const offeredPerSecond of rates) {
    watcher.begun(name, offeredPerSecond)
    const landedBefore = store.landed.size
    const beginMs = clock.monotonicMs()
    await using memory = new MemoryWatch(child.pid, clock)
    const { acked, p50Ms, p99Ms } = await load.step(offeredPerSecond, stepTimeMs)
    const seconds = (clock.monotonicMs() - beginMs) / 1000
    const step = {
      offeredPerSecond,
      ackedPerSecond: acked / seconds,
      landedPerSecond: (store.landed.size - landedBefore) / seconds,
      p50Ms,
      p99Ms,
      rssBytes: await memory.peak(),
      pending: load.acked.length - store.landedOf(load.acked),
    }
    watcher.measured(name, step)
    steps.push(step)
  }
  return steps
}

/** Kills it while requests come at the highest rate, and reads every answer that it still gave. */
async function killUnderLoad(child: Child, load: Load, { rates }: Settings, clock: Clock): Promise<void> {
  const going = load.step(Math.max(...rates), 2 * KILL_AFTER_MS)
  await clock.sleep(KILL_AFTER_MS)
  child.kill()
  await Promise.all([child.exited, going])
  await Promise.race([load.quiet(), clock.sleep(LAST_ANSWERS_MS_MAX)])
}

/** What the store has in the end. Millrace is started again first; the others would remember nothing. */
async function countCrash(
  name: DesignName,
  options: ContenderOptions,
  store: Store,
  acked: readonly number[],
): Promise<CrashFigures> {
  if (DESIGNS[name].dispatch === undefined) {
    const { child } = await startContender(name, options)
    await using again = child
    await store.until(() => store.landedOf(acked) === acked.length, RECOVERY_MS_MAX)
    // It stores what it took without an answer, too: only then is it known what came twice.
    again.stop()
    await again.exited
  }
  await store.until(() => store.isQuiet, RECOVERY_MS_MAX)
  const landed = store.landedOf(acked)
  return { acked: acked.length, landed, lost: acked.length - landed, twice: store.twice }
}

/** Looks at a process's memory again and again. */
class MemoryWatch implements AsyncDisposable {
  readonly #pid: number
  readonly #clock: Clock
  readonly #abort = new AbortController()
  readonly #watching: Promise<void>
  #peakBytes = 0

  constructor(pid: number, clock: Clock) {
    this.#pid = pid
    this.#clock = clock
    this.#watching = this.#watch()
  }

  /** The most it had, now included. */
  async peak(): Promise<number> {
    await this.#look()
    return this.#peakBytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      await this.#look()
      await this.#clock.sleep(MEMORY_MS, this.#abort.signal)
    }
  }

  async #look(): Promise<void> {
    this.#peakBytes = Math.max(this.#peakBytes, (await rssBytesOf(this.#pid)) ?? 0)
  }
}
