/** `millrace bench designs`: the three known designs and Millrace under the same rising load, as a table and a page of plots. */

import { dirname, join } from 'node:path'
import { version } from '../../package.json'
import type { DesignsValues } from '../config/flags-designs.ts'
import { DESIGNS_FLAGS } from '../config/flags-designs.ts'
import type { Command } from '../config/load-command.ts'
import { DESIGN_NAMES, DESIGNS, type DesignName } from '../designs/designs.ts'
import { machineLine } from '../designs/machine.ts'
import { measureDesign, type Watcher } from '../designs/measure.ts'
import { pageOf, readPageParts } from '../designs/page.ts'
import { capacityPerSecond, defaultRates, expectedMs } from '../designs/plan.ts'
import { killAll } from '../designs/processes.ts'
import type { DesignFigures, Result, Settings } from '../designs/result.ts'
import { crashRows, settingsLine, stepLine, stepRows } from '../designs/words.ts'
import { Fault } from '../observe/errors.ts'
import type { Clock } from '../platform/clock.ts'
import type { Files } from '../platform/files.ts'
import { Scratch } from '../platform/scratch.ts'
import { Progress } from './progress.ts'
import { type Surroundings, type Terminal, table } from './terminal.ts'

const BAR_MS = 100
const INTERRUPTED = 130

/** Measures, prints the table (or JSON), writes the page. */
export async function benchDesigns(
  { designs: asked, json, quiet }: Command,
  { platform, terminal }: Surroundings,
): Promise<number> {
  const { clock, files } = platform
  const settings = settingsOf(asked)
  const parts = await readPageParts()
  await expectWritable(files, asked.out)
  using scratch = scratchBeside(asked.out)
  using _ = cleaningUp(scratch)
  const at = new Date(clock.nowMs()).toISOString()
  const designs = await measureAll(settings, scratch, clock, quiet ? { ...terminal, note() {} } : terminal)
  const result: Result = {
    settings,
    capacityPerSecond: capacityPerSecond(settings),
    machine: machineLine(),
    version,
    at,
    designs,
  }
  await write(files, asked.out, pageOf(result, parts))
  if (json) await terminal.print(`${JSON.stringify(result, null, 2)}\n`)
  else await terminal.print(`${report(result)}\nPlots: ${asked.out}\n`)
  return 0
}

/** What is measured, from what was asked for. */
function settingsOf({ jobTimeMs, workers, queue, rates, stepTimeMs }: DesignsValues): Settings {
  const capacity = capacityPerSecond({ workers, jobTimeMs })
  return { jobTimeMs, workers, queue, rates: rates ?? defaultRates(capacity, DESIGNS_FLAGS.rates.max), stepTimeMs }
}

/** The words and tables. */
function report(result: Result): string {
  const { settings, machine } = result
  return [settingsLine(settings), machine, '', table(stepRows(result)), table(crashRows(result))].join('\n')
}

async function measureAll(
  settings: Settings,
  scratch: Scratch,
  clock: Clock,
  terminal: Terminal,
): Promise<Record<DesignName, DesignFigures>> {
  const seconds = (ms: number) => Math.round(ms / 1000)
  const totalMs = expectedMs(settings)
  terminal.note(`${settingsLine(settings)}\nThis takes about ${seconds(totalMs)} s.\n`)
  let now = ''
  const progress = new Progress(
    terminal,
    clock,
    totalMs,
    (doneMs) => `${seconds(doneMs)} of about ${seconds(totalMs)} s  ${now}`,
  )
  const watcher: Watcher = {
    begun: (name, perSecond) => {
      now = `${DESIGNS[name].title}: ${perSecond === 0 ? 'kill -9' : `${perSecond}/s`}`
    },
    measured: (name, step) => {
      if (!terminal.isWatched) terminal.note(`${stepLine(name, step)}\n`)
    },
  }
  using _ = ticking(clock, (tookMs) => progress.step(tookMs))
  const figures: [DesignName, DesignFigures][] = []
  for (const name of DESIGN_NAMES) {
    now = DESIGNS[name].title
    const directory = join(scratch.path, name)
    figures.push([name, await measureDesign({ name, settings, directory, clock, watcher })])
  }
  progress.end()
  return Object.fromEntries(figures) as Record<DesignName, DesignFigures>
}

/** Calls `tick` with the time that passed, again and again. */
function ticking(clock: Clock, tick: (tookMs: number) => void): Disposable {
  let lastMs = clock.monotonicMs()
  let timer = clock.after(BAR_MS, again)
  function again(): void {
    const nowMs = clock.monotonicMs()
    tick(nowMs - lastMs)
    lastMs = nowMs
    timer = clock.after(BAR_MS, again)
  }
  return { [Symbol.dispose]: () => timer.cancel() }
}

/** Said now, not after everything is measured. */
async function expectWritable(files: Files, path: string): Promise<void> {
  try {
    if ((await files.sizeOf(path)) !== undefined) await (await files.open(path, 'update')).close()
  } catch (error) {
    throw new Fault('bench_failed', `${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** Beside the page: there it is on the same kind of disk, where a temporary directory may be in memory. */
function scratchBeside(out: string): Scratch {
  try {
    return new Scratch(dirname(out), '.millrace-designs-')
  } catch (error) {
    throw new Fault('bench_failed', `${out}: ${(error as Error).message}`, { cause: error })
  }
}

/** Whatever ends the command, its children and its files are gone. */
function cleaningUp(scratch: Scratch): Disposable {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const end = () => {
    killAll()
    scratch[Symbol.dispose]()
    process.stderr.write('\n')
    process.exit(INTERRUPTED)
  }
  for (const signal of signals) process.once(signal, end)
  return {
    [Symbol.dispose]() {
      killAll()
      for (const signal of signals) process.off(signal, end)
    },
  }
}

async function write(files: Files, path: string, text: string): Promise<void> {
  const file = await files.open(path, 'replace')
  try {
    await file.write(Buffer.from(text), 0)
  } finally {
    await file.close()
  }
}
