/** The flags of `millrace bench designs`, one row each: defaults, bounds and words, as options have them. */

import type { FlagRow } from './option-row.ts'

/** Every flag that only this command has, by the name of its value. */
export const DESIGNS_FLAGS = {
  jobTimeMs: {
    kind: 'duration',
    flag: 'job-time',
    value: 'TIME',
    default: '20ms',
    min: 1,
    max: 60_000,
    what: 'How long the upload of one payload, or of one object with many, takes.',
  },
  workers: {
    kind: 'count',
    flag: 'workers',
    value: 'N',
    default: '8',
    min: 1,
    max: 1024,
    what: 'How many uploads the store works on at once, and how many workers the pool has.',
  },
  queue: {
    kind: 'count',
    flag: 'queue',
    value: 'N',
    default: '500',
    min: 1,
    max: 1_000_000,
    what: 'How many payloads the queues of the known designs hold.',
  },
  rates: {
    kind: 'counts',
    flag: 'rates',
    value: 'N,N,…',
    defaultMeans: 'five steps, from half of what the work can take to eight times that',
    min: 1,
    max: 20_000,
    what: 'The payloads a second that are offered, step by step.',
  },
  stepTimeMs: {
    kind: 'duration',
    flag: 'step-time',
    value: 'TIME',
    default: '4s',
    min: 200,
    max: 600_000,
    what: 'How long each step takes.',
  },
  out: {
    kind: 'text',
    flag: 'out',
    value: 'FILE',
    default: 'millrace-designs.html',
    what: 'Where the page with the plots goes; it needs no other file and no network.',
  },
  quiet: { flag: 'quiet', value: undefined, what: 'Shows no progress.' },
} as const satisfies Record<string, FlagRow>

const { quiet: _, ...VALUED } = DESIGNS_FLAGS

/** The rows of those that take a value. */
export const DESIGNS_ROWS = Object.entries(VALUED)

/** Their values. */
export interface DesignsValues {
  jobTimeMs: number
  workers: number
  queue: number
  /** Undefined for those that follow from the rest. */
  rates: readonly number[] | undefined
  stepTimeMs: number
  out: string
}
