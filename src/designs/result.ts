/** What is measured, and with what settings: what the table, the page and `--json` are made of. */

import type { DesignName } from './designs.ts'

/** What everybody has to do with. */
export interface Settings {
  /** How long one upload takes. */
  jobTimeMs: number
  /** How many uploads the store works on at once, and how many workers the pool has. */
  workers: number
  /** What the known designs' queues hold. */
  queue: number
  /** Payloads offered a second, step by step. */
  rates: readonly number[]
  stepTimeMs: number
}

/** How a design behaved at one rate. */
export interface StepFigures {
  offeredPerSecond: number
  /** Payloads answered with 2xx. */
  ackedPerSecond: number
  /** Payloads that came to the store. */
  landedPerSecond: number
  /** From when a request was due to its 2xx; one without an answer counts for as long as it has waited by the step's end. */
  p50Ms: number
  p99Ms: number
  /** The most memory its process had resident. */
  rssBytes: number
  /** Acknowledged since the start, and not in the store at the step's end. */
  pending: number
}

/** What became of it all after `kill -9` under the highest load. */
export interface CrashFigures {
  /** Payloads that had been acknowledged since the start. */
  acked: number
  /** How many of them the store had or got. */
  landed: number
  lost: number
  /** Payloads that came to the store more than once. */
  twice: number
}

/** One design's figures. */
export interface DesignFigures {
  steps: StepFigures[]
  crash: CrashFigures
}

/** Everything that was measured. */
export interface Result {
  settings: Settings
  /** What the work can take when each payload is an upload. */
  capacityPerSecond: number
  /** The machine, in words. */
  machine: string
  version: string
  /** When it began, UTC. */
  at: string
  designs: Record<DesignName, DesignFigures>
}
