/** One run: lives one after the other on one disk and one destination, and after each the question whether all is kept. */

import type { Seeded } from '../seeded.ts'
import { directoryStore } from './directory-store.ts'
import { Disk } from './disk.ts'
import { DiskFaults } from './disk-faults.ts'
import { FaultyDestination } from './faulty-destination.ts'
import { LANE, Life, type Seams, type Surroundings } from './life.ts'
import { Model } from './model.ts'
import { checkNumbers } from './numbers.ts'
import { drawLastPlan, drawPlan, type Plan } from './plan.ts'
import { Records } from './records.ts'
import { Breach, magnitude, World } from './world.ts'

/** With the destination mended and the disk well, everything is stored after so long. */
const DRAIN_MS_MAX = 3_600_000
const LIVES_MAX = 20
/** Every so many events: adding up a directory takes longer than most of them. */
const BYTES_CHECKED_EVERY = 20

/** What a run covered. */
export interface Coverage {
  simulatedMs: number
  /** How often what happened: endings of lives, faults, puts. */
  counts: Map<string, number>
}

/** What came of a run. */
export interface RunResult {
  seed: number
  digest: number
  /** The promise that wasn't kept. */
  breach: string | undefined
  coverage: Coverage
}

/** Runs a seed. The same seed does the same, event by event. */
export async function simulate(seed: number, print?: (line: string) => void, seams: Seams = {}): Promise<RunResult> {
  const run = new Run(seed, print, seams)
  // It would end a real process.
  const onUnhandled = (error: unknown) => run.world.breach(`nobody handled ${textOf(error)}`)
  process.on('unhandledRejection', onUnhandled)
  let breach: string | undefined
  try {
    await run.run()
  } catch (error) {
    breach = error instanceof Breach ? error.message : textOf(error)
  } finally {
    process.off('unhandledRejection', onUnhandled)
  }
  return { seed, digest: run.world.digest, breach, coverage: run.coverage() }
}

class Run {
  readonly world: World
  readonly #around: Surroundings
  readonly #random: Seeded
  readonly #records: Records
  readonly #isLarge: boolean
  #lives = 0

  constructor(seed: number, print: ((line: string) => void) | undefined, seams: Seams) {
    const world = new World(seed, print)
    const model = new Model(world)
    this.world = world
    this.#random = world.fork()
    this.#isLarge = this.#random.chance(0.05)
    this.#records = new Records(world.fork(), this.#isLarge ? 50 : 0)
    const disk = new Disk()
    const isDirectory = this.#random.chance(0.25)
    const store = isDirectory ? directoryStore(world, model, disk) : new FaultyDestination(world, model)
    this.#around = { world, model, store, disk, faults: new DiskFaults(world), seams }
  }

  async run(): Promise<void> {
    const { model, disk, faults } = this.#around
    for (let left = 1 + this.#random.below(LIVES_MAX); left > 0; left--) {
      await this.#live(drawPlan(this.#random, this.#isLarge))
      await this.#pause()
    }
    faults.heal()
    await this.#live(drawLastPlan(this.#random, this.#isLarge))
    model.checkStored()
    const [, ...left] = disk.list(LANE).filter((name) => /\.(open|sealed)$/.test(name))
    if (left.length > 0) this.world.breach(`${left} is left, beside the file with the highest number`)
    this.world.stopAtBreach()
  }

  coverage(): Coverage {
    const { model, store } = this.#around
    const counts = new Map(this.world.counts)
    counts.set('records sent', model.sent.length)
    counts.set('records acknowledged', model.acked)
    counts.set('payloads acknowledged', model.ackedPayloads)
    counts.set('payloads stored', model.storedPayloads)
    counts.set('objects', store.size)
    return { simulatedMs: this.world.nowMs, counts }
  }

  async #live(plan: Plan): Promise<void> {
    const { world } = this
    const { disk, faults, model, store } = this.#around
    const life = new Life(++this.#lives, plan.options, this.#around)
    const faultsBefore = faults.total
    let faultsSeen = faultsBefore
    this.#schedule(life, plan)
    life.start()
    let looks = 0
    const check = () => {
      life.checkPayloads()
      life.checkBalance()
      if (faultsSeen !== faults.total) {
        faultsSeen = faults.total
        // What a failing disk leaves half-done is seen best by whoever comes next.
        if (this.#random.chance(0.05)) life.crash.operationsLeft = 1 + this.#random.below(4)
      }
      if (++looks % BYTES_CHECKED_EVERY === 0 && faults.total === faultsBefore) life.checkBytes()
    }
    await world.runUntil(() => life.ended !== undefined, check)
    world.count(`lives: ${life.ended}`)
    if (life.ended === 'start failed' && faults.total === faultsBefore) {
      world.breach(`life ${life.number} did not start, although nothing failed it`)
    }
    if (life.ended === 'power lost') disk.losePower(this.#random)
    await model.checkKept(disk, LANE)
    checkNumbers(world, disk)
    store.checkKept()
    world.stopAtBreach()
  }

  /** The time that somebody needs to start it again; perhaps the disk was seen to. */
  async #pause(): Promise<void> {
    if (this.#random.chance(0.5)) this.#around.faults.heal()
    let isOver = false
    this.world.after(magnitude(this.#random, 1, 60_000), () => {
      isOver = true
    })
    await this.world.runUntil(() => isOver)
  }

  #schedule(life: Life, plan: Plan): void {
    const { world } = this
    const { store, faults } = this.#around
    store.setFaults(plan.faultsPercent)
    for (const { atMs, what } of plan.bursts) {
      for (let i = 0; i < what.records; i++) {
        world.after(atMs + i * what.apartMs, () => life.append(this.#records.next(world.wallMs)), life.strand)
      }
    }
    for (const { atMs, what } of plan.diskFaults) {
      const { lengthMs, ...fault } = what
      world.after(atMs, () => faults.add({ ...fault, untilMs: world.nowMs + lengthMs }), life.strand)
    }
    for (const { atMs, what } of plan.moods) {
      world.after(atMs, () => store.become(what.mood), life.strand)
      world.after(atMs + what.lengthMs, () => store.become('well'))
    }
    for (const { atMs, what } of plan.clockJumps) {
      world.after(atMs, () => this.#jump(what), life.strand)
    }
    for (const { atMs, what } of plan.threadDeaths) {
      world.after(atMs, () => life.endThread(what), life.strand)
    }
    if (plan.end.kind === 'crash') life.crash = { operationsLeft: plan.end.operations, how: plan.end.how }
    world.after(plan.lengthMs, () => this.#end(life, plan), life.strand)
  }

  #end(life: Life, { end, options }: Plan): void {
    if (end.kind === 'crash') return life.end(end.how)
    if (end.kind === 'stop') {
      if (end.crash) life.crash = { operationsLeft: end.crash.operations, how: end.crash.how }
      return life.stop(end.graceMs)
    }
    const { world } = this
    this.#around.faults.heal()
    this.#around.store.become('well')
    this.#around.store.setFaults(0)
    world.log(`all is mended`)
    const failed = () => world.breach(`life ${life.number} has not stored all that it has within an hour`)
    world.after(DRAIN_MS_MAX + options.lingerMs, failed, life.strand)
    const look = () => {
      if (!life.isDrained) return void world.after(options.lingerMs / 4 + 10, look, life.strand)
      this.#around.model.checkStored()
      life.stop(DRAIN_MS_MAX)
    }
    look()
  }

  #jump(ms: number): void {
    this.world.wallOffsetMs += ms
    this.world.log(`the clock jumps by ${ms.toFixed(0)} ms`)
    this.world.count('clock jumps')
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
