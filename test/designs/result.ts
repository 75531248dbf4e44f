/** A result as a run could have it, for what is made of results. */

import type { DesignFigures, Result, StepFigures } from '../../src/designs/result.ts'

const STEP: StepFigures = {
  offeredPerSecond: 100,
  ackedPerSecond: 100,
  landedPerSecond: 99.6,
  p50Ms: 0.5,
  p99Ms: 2.5,
  rssBytes: 40 * 1024 ** 2,
  pending: 3,
}

/** Two steps, the second of them past what the work can take. */
export function someResult(): Result {
  const known: DesignFigures = {
    steps: [STEP, { ...STEP, offeredPerSecond: 1600, ackedPerSecond: 400, p99Ms: 3456.7, pending: 508 }],
    crash: { acked: 2000, landed: 1500, lost: 500, twice: 0 },
  }
  const millrace: DesignFigures = {
    steps: [STEP, { ...STEP, offeredPerSecond: 1600, ackedPerSecond: 1600, landedPerSecond: 1550, pending: 800 }],
    crash: { acked: 7000, landed: 7000, lost: 0, twice: 0 },
  }
  return {
    settings: { jobTimeMs: 20, workers: 8, queue: 500, rates: [100, 1600], stepTimeMs: 4000 },
    capacityPerSecond: 400,
    machine: 'a machine',
    version: '1.2.3',
    at: '2026-11-21T01:30:00.000Z',
    designs: { perRequest: known, oneConsumer: known, workerPool: known, millrace },
  }
}
