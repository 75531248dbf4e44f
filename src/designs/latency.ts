/** Latencies, kept as a histogram: percentiles of any number of them in little memory. */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Microseconds: up to a minute, three digits. */
const HISTOGRAM = { lowest: 1, highest: 60_000_000, figures: 3 }

/** A histogram for `recordMs`. */
export function newHistogram(): RecordableHistogram {
  return createHistogram(HISTOGRAM)
}

/** Records milliseconds as whole microseconds. */
export function recordMs(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.min(HISTOGRAM.highest, Math.max(1, Math.round(ms * 1000))))
}

/** A percentile in milliseconds. */
export function percentileMs(histogram: RecordableHistogram, percentile: number): number {
  return histogram.percentile(percentile) / 1000
}
