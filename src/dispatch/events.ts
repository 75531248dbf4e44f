/** What happens to jobs and to their dispatcher, once each, for whoever listens. */

/** What each event says. */
export interface DispatchEvents<Job, Result> {
  /** An attempt begins. */
  begun: { job: Job; attempt: number }
  done: { job: Job; result: Result }
  /** Given up. */
  failed: { job: Job; error: unknown }
  /** An attempt failed, and there will be another. */
  retried: { job: Job; error: unknown; attempt: number; pauseMs: number }
  /** Dropped by its signal, its group or a stop. */
  aborted: { job: Job; reason: unknown }
  /** Not accepted. */
  refused: { job: Job }
  /** Nothing runs, is queued or waits. */
  idle: Record<never, never>
  paused: Record<never, never>
  resumed: Record<never, never>
  resized: { workers: number }
  stopped: Record<never, never>
}

type Listener = (event: unknown) => void

/** Listeners, by the event's name. */
export class Events<Job, Result> {
  readonly #listeners = new Map<string, Set<Listener>>()

  /** Whether anybody listens: where nobody does, nothing need be said. */
  heard(kind: keyof DispatchEvents<Job, Result>): boolean {
    return this.#listeners.size > 0 && this.#listeners.has(kind)
  }

  /** Calls `listener` each time; what it returns ends that. */
  on<Kind extends keyof DispatchEvents<Job, Result>>(
    kind: Kind,
    listener: (event: DispatchEvents<Job, Result>[Kind]) => void,
  ): () => void {
    const own: Listener = (event) => listener(event as DispatchEvents<Job, Result>[Kind])
    const listeners = this.#listeners.get(kind) ?? new Set()
    this.#listeners.set(kind, listeners.add(own))
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#listeners.get(kind) === listeners) this.#listeners.delete(kind)
    }
  }

  /** Tells those who listen. What one of them throws is nobody's here: the runtime reports it as uncaught. */
  emit<Kind extends keyof DispatchEvents<Job, Result>>(kind: Kind, event: DispatchEvents<Job, Result>[Kind]): void {
    for (const listener of this.#listeners.get(kind) ?? []) {
      try {
        listener(event)
      } catch (error) {
        uncaught(error)
      }
    }
  }
}

/** Hands an error to the runtime, as if nothing had caught it. */
export function uncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
