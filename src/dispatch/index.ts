/** The library `millrace/dispatch`: all that it exports. How to use it: docs/DISPATCH.md. */

export { DispatchError, type DispatchErrorCode } from './dispatch-error.ts'
export { Dispatcher } from './dispatcher.ts'
export { type BackoffOptions, backoff, type ErrorPolicy, type Failure, type Retry } from './error-policy.ts'
export type { DispatchEvents } from './events.ts'
export { JobGroup, type JobGroupOptions } from './job-group.ts'
export { JobQueue, Queueable } from './job-queue.ts'
export type { DispatcherOptions, JobContext, Run, SubmitOptions } from './options.ts'
export type { Counters } from './tally.ts'
export type { Timers } from './timers.ts'
export type { Worker } from './worker.ts'
export type { WorkerPool } from './worker-pool.ts'
export type { ThreadContext } from './worker-threads.ts'
