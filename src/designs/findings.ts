/** What the figures say, in sentences: made from the figures, so that they are true of the run that they stand beside. */

import { DESIGN_NAMES, DESIGNS, type DesignName } from './designs.ts'
import type { Result, StepFigures } from './result.ts'

/** A sentence for each plot. */
export interface Findings {
  acked: string
  landed: string
  p50: string
  p99: string
  memory: string
  lost: string
}

/** The sentences. */
export function findings(result: Result): Findings {
  const last = lastSteps(result)
  const top = whole(last.millrace.offeredPerSecond)
  const each = (value: (step: StepFigures, name: DesignName) => string) => listed((name) => value(last[name], name))
  return {
    acked: `Who still says yes when more comes than the work can take? At ${top}/s offered: ${each((step) => `${whole(step.ackedPerSecond)}/s`)}.`,
    landed: `What comes to the store: with a payload an upload never more than ${whole(result.capacityPerSecond)}/s. ${landedWords(result)}`,
    p50: `How long half of the requests wait at most for their yes. At ${top}/s: ${each((step) => milliseconds(step.p50Ms))}.`,
    p99: `The same for 99 of 100; who waits for room in a queue waits ever longer. At ${top}/s: ${each((step) => milliseconds(step.p99Ms))}.`,
    memory: `What a backlog in memory costs; Millrace's is on disk. First step → last: ${listed((name) => growth(result, name))}.`,
    lost: `Killed (kill -9) under ${top}/s, Millrace started again: what was acknowledged and never landed. ${lostWords(result)}`,
  }
}

/** `1,234` */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Three digits are enough: `0.42 ms`, `12.3 ms`, `1,234 ms`. */
export function milliseconds(ms: number): string {
  return `${ms.toLocaleString('en-US', ms < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 })} ms`
}

/** `61` */
export function mebibytes(bytes: number): string {
  return whole(bytes / 1024 ** 2)
}

function lastSteps({ designs }: Result): Record<DesignName, StepFigures> {
  const entries = DESIGN_NAMES.map((name) => [name, designs[name].steps.at(-1)])
  return Object.fromEntries(entries) as Record<DesignName, StepFigures>
}

function listed(value: (name: DesignName) => string): string {
  return DESIGN_NAMES.map((name) => `${DESIGNS[name].title}: ${value(name)}`).join('; ')
}

function landedWords({ designs }: Result): string {
  const steps = designs.millrace.steps
  const best = Math.max(...steps.map(({ landedPerSecond }) => landedPerSecond))
  // A second's worth is what gathers for an object anyway.
  const keptUp = steps.every((step) => step.pending < step.offeredPerSecond)
  const words = `Millrace, with many payloads in an upload, landed up to ${whole(best)}/s`
  return keptUp ? `${words} and kept up with every step.` : `${words}.`
}

function growth({ designs }: Result, name: DesignName): string {
  const sizes = designs[name].steps.map(({ rssBytes }) => mebibytes(rssBytes))
  return `${sizes[0]} → ${sizes.at(-1)} MiB`
}

function lostWords({ designs }: Result): string {
  const words = DESIGN_NAMES.map((name) => {
    const { acked, lost } = designs[name].crash
    return `${DESIGNS[name].title}: ${whole(lost)} of ${whole(acked)}`
  })
  return `${words.join('; ')}. Stored twice by Millrace: ${whole(designs.millrace.crash.twice)}.`
}
