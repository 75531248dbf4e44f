/**
 * When the next frame is written. Each costs a sync, whatever is in it. So for a moment it waits for those who have sent
 * something of late and may do so again: for nobody where as many are there, or where enough is. Whether that is worth it
 * shows: where records come more slowly while frames wait, they are those of clients that are kept waiting themselves.
 */

import type { Clock, Timer } from '../platform/clock.ts'
import type { Sender } from './journal.ts'

/** From one frame's begin to the next, where that waits. */
const FRAME_MS = 2.5
/** What is shorter no timer can wait. */
const PAUSE_MS_MIN = 0.5
/** What is worth a sync of its own. */
const ENOUGH_RECORDS = 64
const ENOUGH_BYTES = 512 * 1024
/** Who has sent nothing for so long, and up to as much again, isn't waited for. */
const ROUND_MS = 10
/** Frames that waited in vain: the next ones don't for so long, and for twice as long each time that it is so again. */
const BACKOFF_MS = 10
const BACKOFF_MS_MAX = 320
/** How fast records come while no frame waits has to be known anew after this. */
const KNOWN_MS = 1000
/** After a longer silence a frame says nothing of how fast records come. */
const SILENCE_MS = 20
/** It is in vain where records come more slowly than this share, or where frames have fewer than so many. */
const SPEED_KEPT = 0.7
const RECORDS_WORTH = 1.6
/** So many frames are looked at, and what each has counts for less the longer it is ago. */
const FRAMES_JUDGED = 3
const WEIGHT_KEPT = 0.95

/** What would be in the frame if it was written now. */
interface Staged {
  records: number
  recordBytes: number
}

/** How fast records came, of late. */
class Speed {
  #records = 0
  #ms = 0
  #weight = 0
  frames = 0

  add(records: number, ms: number): void {
    this.#records = this.#records * WEIGHT_KEPT + records
    this.#ms = this.#ms * WEIGHT_KEPT + ms
    this.#weight = this.#weight * WEIGHT_KEPT + 1
    this.frames += 1
  }

  get recordsPerMs(): number {
    return this.#records / this.#ms
  }

  get recordsPerFrame(): number {
    return this.#records / this.#weight
  }
}

/** Knows who sends, and when the last frame was begun. */
export class Gathering {
  readonly #clock: Clock
  #begunMs = Number.NEGATIVE_INFINITY
  /** Senders are counted once a round; those of the last one are expected in this. */
  #round = 1
  #roundMs = Number.NEGATIVE_INFINITY
  #senders = 0
  #sendersBefore = 0
  #timer: Timer | undefined
  #end: (() => void) | undefined
  /** Whether the frame that was begun last was, and the next one is, one that may not wait. */
  #isFree = false
  /** How fast records come to frames that may wait, and to the others. */
  #waiting = new Speed()
  #free = new Speed()
  #freeMs = Number.NEGATIVE_INFINITY
  #noPauseBeforeMs = Number.NEGATIVE_INFINITY
  #backoffMs = BACKOFF_MS

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A record came. Whoever has no `sender` is not waited for. */
  arrived(sender: Sender | undefined): void {
    if (sender === undefined || sender.round === this.#round) return
    sender.round = this.#round
    this.#senders += 1
  }

  /** A frame is begun. */
  begun({ records }: Staged): void {
    const nowMs = this.#clock.monotonicMs()
    const frameMs = nowMs - this.#begunMs
    if (frameMs < SILENCE_MS) {
      const speed = this.#isFree ? this.#free : this.#waiting
      speed.add(records, frameMs)
      if (this.#isFree) this.#freeMs = nowMs
      else this.#judge(nowMs)
    }
    this.#isFree = nowMs < this.#noPauseBeforeMs
    this.#begunMs = nowMs
  }

  /** Whether there is nothing to wait for. */
  isEnough({ records, recordBytes }: Staged): boolean {
    const expected = Math.max(this.#senders, this.#sendersBefore)
    return records >= Math.min(expected, ENOUGH_RECORDS) || recordBytes >= ENOUGH_BYTES
  }

  /** Resolves when the next frame is due, or at `end`; undefined where it is due already. */
  pause(staged: Staged): Promise<void> | undefined {
    const nowMs = this.#clock.monotonicMs()
    this.#turnRound(nowMs)
    const pauseMs = this.#begunMs + FRAME_MS - nowMs
    if (pauseMs < PAUSE_MS_MIN || this.isEnough(staged) || !this.#mayPause(nowMs)) return undefined
    return new Promise((resolve) => {
      this.#end = resolve
      this.#timer = this.#clock.after(pauseMs, () => this.end())
    })
  }

  get isPaused(): boolean {
    return this.#end !== undefined
  }

  /** Ends a pause. */
  end(): void {
    this.#timer?.cancel()
    const end = this.#end
    this.#timer = this.#end = undefined
    end?.()
  }

  #mayPause(nowMs: number): boolean {
    if (nowMs - this.#freeMs > KNOWN_MS) {
      this.#free = new Speed()
      this.#freeMs = nowMs
      this.#noPauseBeforeMs = Math.max(this.#noPauseBeforeMs, nowMs + BACKOFF_MS)
    }
    return nowMs >= this.#noPauseBeforeMs
  }

  #judge(nowMs: number): void {
    const { frames, recordsPerMs, recordsPerFrame } = this.#waiting
    if (frames < FRAMES_JUDGED) return
    const isSlower = recordsPerMs < this.#free.recordsPerMs * SPEED_KEPT
    if (!isSlower && recordsPerFrame >= RECORDS_WORTH) {
      this.#backoffMs = BACKOFF_MS
      return
    }
    this.#waiting = new Speed()
    this.#noPauseBeforeMs = nowMs + this.#backoffMs
    this.#backoffMs = Math.min(2 * this.#backoffMs, BACKOFF_MS_MAX)
  }

  #turnRound(nowMs: number): void {
    const roundMs = nowMs - this.#roundMs
    if (roundMs < ROUND_MS) return
    this.#sendersBefore = roundMs < 2 * ROUND_MS ? this.#senders : 0
    this.#senders = 0
    this.#round += 1
    this.#roundMs = nowMs
  }
}
