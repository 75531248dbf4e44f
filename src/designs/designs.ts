/** The four designs, one row each: what they are called and how the known ones are set. */

/** One design. */
export interface DesignRow {
  title: string
  /** What it does with a request, in one sentence. */
  what: string
  /** How many workers and how much of a queue the known design's dispatcher has; undefined for Millrace. */
  dispatch: ((settings: { workers: number; queue: number }) => DispatchSettings) | undefined
}

/** What makes a known design of the one `Dispatcher`. */
export interface DispatchSettings {
  /** `null` for a worker a job: JSON has no Infinity. */
  workers: number | null
  queue: number
}

/** Every design, in the order in which the articles come to them. */
export const DESIGNS = {
  perRequest: {
    title: 'task per request',
    what: 'Begins the upload at once, in a task of its own, and says yes.',
    dispatch: () => ({ workers: null, queue: 0 }),
  },
  oneConsumer: {
    title: 'queue + 1 consumer',
    what: 'Puts the payload on a queue in memory and says yes; while it is full the request waits. One consumer uploads.',
    dispatch: ({ queue }) => ({ workers: 1, queue }),
  },
  workerPool: {
    title: 'queue + worker pool',
    what: 'The same queue (JobQueue), a Dispatcher and a WorkerPool: as many uploads at once as there are workers.',
    dispatch: ({ workers, queue }) => ({ workers, queue }),
  },
  millrace: {
    title: 'Millrace',
    what: 'Has the payload on disk before it says yes, and uploads many of them in one object.',
    dispatch: undefined,
  },
} as const satisfies Record<string, DesignRow>

/** A design's name in the table. */
export type DesignName = keyof typeof DESIGNS

/** All of them. */
export const DESIGN_NAMES = Object.keys(DESIGNS) as DesignName[]
