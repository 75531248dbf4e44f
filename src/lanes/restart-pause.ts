/** How long a lane that ended has to wait for its next start: longer each time, until it has lived for a while. */

/** The bounds of the pause. */
export const RESTART_PAUSE_MS = { min: 100, max: 30_000 }
/** A lane that lived so long starts over with the shortest pause. */
export const LIVED_MS = 60_000

/** One lane's pauses. */
export class RestartPause {
  #nextMs = RESTART_PAUSE_MS.min

  /** The pause for a lane that ended after `livedMs`. */
  after(livedMs: number): number {
    if (livedMs >= LIVED_MS) this.#nextMs = RESTART_PAUSE_MS.min
    const pauseMs = this.#nextMs
    this.#nextMs = Math.min(RESTART_PAUSE_MS.max, pauseMs * 2)
    return pauseMs
  }
}
