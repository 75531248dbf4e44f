/** The contract between a question and the bench: what it asks, what it needs, what it measures and which bars it holds. */

import type { Settings, SpecialFlag } from './settings.ts'
import type { Tool } from './tools.ts'

/** What one run of one contender gave, by the figure's name. */
export type Figures = Readonly<Record<string, number>>

/** One run of one contender. */
export interface Run {
  round: number
  contender: string
  figures: Figures
}

/** Where a question runs: what was asked for, a directory that is gone afterwards, and where the answers go. */
export interface Session {
  readonly settings: Settings
  /** A new, empty directory. */
  directory(name: string): string
  /** Keeps a run's figures and prints them. */
  add(run: Run): void
  /** A line for whoever watches. */
  say(line: string): void
}

/** One column of a question's table. */
export interface Column {
  figure: string
  head: string
  /** Digits behind the point. */
  digits: number
}

/** Looks up the median of a contender's figure over all rounds. */
export type Median = (contender: string, figure: string) => number | undefined

/** What has to be reached, and how it follows from the medians. */
export interface Bar {
  number: number
  what: string
  unit: string
  digits: number
  atLeast?: number
  atMost?: number
  measured(median: Median): number | undefined
}

/** One question to the bench. */
export interface Question {
  name: string
  /** One sentence. */
  what: string
  needs: readonly Tool[]
  /** What a reader of the table has to know. */
  notes: readonly string[]
  columns: readonly Column[]
  bars: readonly Bar[]
  /** What a run is told if nothing else is said. */
  defaults?: Partial<Settings>
  /** Flags that not every question takes. */
  takes?: readonly SpecialFlag[]
  ask(session: Session): Promise<void>
  /** Where the kept result is there to be compared with, not to be replaced: lines that say how these runs compare. */
  compare?(now: readonly Run[], before: readonly Run[]): string[]
}

/** One contender's median over another's. */
export function ratio(median: Median, figure: string, of: string, to: string): number | undefined {
  const [above, below] = [median(of, figure), median(to, figure)]
  return above === undefined || !below ? undefined : above / below
}
