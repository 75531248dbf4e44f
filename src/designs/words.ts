/** The figures in words and rows, for a terminal. */

import { DESIGN_NAMES, DESIGNS, type DesignName } from './designs.ts'
import { mebibytes, milliseconds, whole } from './findings.ts'
import { capacityPerSecond } from './plan.ts'
import type { Result, Settings, StepFigures } from './result.ts'

/** What everybody has to do with, in a line. */
export function settingsLine(settings: Settings): string {
  const { workers, jobTimeMs, queue, stepTimeMs } = settings
  const capacity = whole(capacityPerSecond(settings))
  const uploads = workers === 1 ? 'One upload at a time' : `${whole(workers)} uploads at once`
  const work = `${uploads}, ${whole(jobTimeMs)} ms each: the work can take ${capacity}/s at one payload an upload.`
  return `${work} Queue: ${whole(queue)}; ${stepTimeMs / 1000} s a step.`
}

/** A step as soon as it is measured. */
export function stepLine(name: DesignName, step: StepFigures): string {
  const [title, offered, acked, landed, p50, p99, memory, pending] = cellsOf(name, step)
  return `${title}: ${offered}/s offered, ${acked} acked, ${landed} landed; p50 ${p50}, p99 ${p99}; ${memory} MiB; ${pending} pending`
}

/** The table of steps, its heads first. */
export function stepRows({ designs }: Result): string[][] {
  const heads = ['design', 'offered/s', 'acked/s', 'landed/s', 'p50', 'p99', 'memory MiB', 'acked, not landed']
  const rows = DESIGN_NAMES.flatMap((name) =>
    designs[name].steps.map((step, at) => {
      const [title = '', ...cells] = cellsOf(name, step)
      return [at === 0 ? title : '', ...cells]
    }),
  )
  return rightAligned([heads, ...rows])
}

/** The table of what a crash cost, its heads first. */
export function crashRows({ designs, settings }: Result): string[][] {
  const heads = [`kill -9 under ${whole(Math.max(...settings.rates))}/s`, 'acked', 'landed', 'lost', 'twice']
  const rows = DESIGN_NAMES.map((name) => {
    const { acked, landed, lost, twice } = designs[name].crash
    return [DESIGNS[name].title, ...[acked, landed, lost, twice].map(whole)]
  })
  return rightAligned([heads, ...rows])
}

function cellsOf(name: DesignName, step: StepFigures): string[] {
  return [
    DESIGNS[name].title,
    whole(step.offeredPerSecond),
    whole(step.ackedPerSecond),
    whole(step.landedPerSecond),
    milliseconds(step.p50Ms),
    milliseconds(step.p99Ms),
    mebibytes(step.rssBytes),
    whole(step.pending),
  ]
}

/** Figures stand under figures: every column but the first ends at its right. */
function rightAligned(rows: readonly (readonly string[])[]): string[][] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell : cell.padStart(widths[column] ?? 0))))
}
