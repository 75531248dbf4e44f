/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): within a window a request sent again gets the first
 * one's answer and stores nothing. Keys are kept with their records, so that the window survives a crash.
 */

import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { RememberedNote } from '../journal/journal.ts'
import type { Clock } from '../platform/clock.ts'
import type { AckLevel } from './ack.ts'
import type { Refusal } from './problem.ts'

/** The longest key, in characters. */
export const KEY_LENGTH_MAX = 255

/** An answer that is given again. */
export interface KeptAnswer {
  status: number
  body: string
  /** Of a first one that an earlier process took: whether its client was answered, and what, nobody knows. */
  receipt?: string
}

/** The bounds. */
export interface IdempotencyOptions {
  windowMs: number
  keysMax: number
  /** At the bound the oldest key makes room, where others are refused; whoever repeats has to say since when it is in doubt. */
  forgets?: true
}

/** So much later than it says may a request that is repeated have been sent first: its body was on the way, too. */
const DOUBT_MARGIN_MS = 600_000

/** What the first request of a key is in the end: its answer, or why there is none. */
type Outcome = { kind: 'answer'; answer: KeptAnswer } | { kind: 'refusal'; refusal: Refusal }

/** The first request with a key, as its repeats see it. */
class First {
  readonly print: string
  /** By the monotonic clock: the other one may jump, and no window with it. */
  readonly sinceMs: number
  answer: KeptAnswer | undefined
  waiting: ((outcome: Outcome) => void)[] = []

  constructor(print: string, sinceMs: number, answer?: KeptAnswer) {
    this.print = print
    this.sinceMs = sinceMs
    this.answer = answer
  }
}

/** What a request with a key is. */
export type Turn =
  /** The first: go on, and tell how it ended. */
  | { kind: 'first'; note: Uint8Array; ended: (outcome: Outcome) => void }
  /** A repeat: `told` is called with the first one's outcome, perhaps at once. */
  | { kind: 'repeat'; told: (tell: (outcome: Outcome) => void) => void }
  | { kind: 'refused'; refusal: Refusal }

/** The keys of the window, in the order they came. */
export class Idempotency {
  readonly #options: IdempotencyOptions
  readonly #clock: Clock
  readonly #firsts = new Map<string, First>()
  /** Until when the keys came that had to make room. */
  #forgottenUpToMs = Number.NEGATIVE_INFINITY

  constructor(options: IdempotencyOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  /**
   * Takes over what earlier processes kept under keys that `isOwn`: what was answered then is answered again, from memory
   * or as of the disk.
   */
  remember(notes: readonly RememberedNote[], isOwn: (key: string) => boolean = () => true): void {
    const [nowMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()]
    for (const { note, receipt, payloads, receivedAtMs } of [...notes].sort(byTime)) {
      // One from the future was received while the clock was wrong: its window begins now at the latest.
      const sinceMs = monotonicMs - Math.max(0, nowMs - receivedAtMs)
      const { key, print, more, ack } = JSON.parse(note) as KeyNote
      if (!isOwn(key)) continue
      const answer =
        ack === 'memory'
          ? { status: 202, body: `{"accepted":${payloads},"ack":"memory"${more}}` }
          : { status: 202, body: `{"receipt":"${receipt}","accepted":${payloads},"ack":"disk"${more}}`, receipt }
      if (this.#options.forgets) this.#makeRoom()
      this.#firsts.set(key, new First(print, sinceMs, answer))
    }
  }

  /**
   * Looks a request up. `more` is what its answer says beside receipt and count: it is kept with the record. `doubtMs` ago it
   * was sent first, as its sender says; one from before what is remembered can't be told from a new one.
   */
  begin(header: string, path: string, body: Uint8Array, more: string, ack?: AckLevel, doubtMs = 0): Turn {
    const key = keyIn(header)
    if (key === undefined) {
      const detail = `Idempotency-Key takes one key of 1 to ${KEY_LENGTH_MAX} printable ASCII characters; one with quotes or commas is written "…", with \\" for a quote`
      return { kind: 'refused', refusal: { code: 'idempotency_key_invalid', detail } }
    }
    this.#forgetOld()
    const print = createHash('sha256').update(path).update('\0').update(body).digest('base64').slice(0, 24)
    const before = this.#firsts.get(key)
    if (before) return before.print === print ? repeatOf(before) : { kind: 'refused', refusal: reused(key) }
    if (doubtMs > 0 && !this.#knowsSince(doubtMs)) return { kind: 'refused', refusal: tooOld(key, doubtMs) }
    if (!this.#makeRoom()) return { kind: 'refused', refusal: this.#full() }
    const first = new First(print, this.#clock.monotonicMs())
    this.#firsts.set(key, first)
    const note: KeyNote = ack === 'memory' ? { key, print, more, ack } : { key, print, more }
    return {
      kind: 'first',
      note: Buffer.from(JSON.stringify(note)),
      ended: (outcome) => {
        if (outcome.kind === 'answer') first.answer = outcome.answer
        // Nothing was kept under it: the next request with this key is a first one again.
        else this.#firsts.delete(key)
        for (const tell of first.waiting.splice(0)) tell(outcome)
      },
    }
  }

  #forgetOld(): void {
    const oldestMs = this.#clock.monotonicMs() - this.#options.windowMs
    for (const [key, first] of this.#firsts) {
      if (first.sinceMs > oldestMs) break
      // One that is under way since then is in nobody's window; its repeats still wait for it.
      if (!first.answer) continue
      this.#firsts.delete(key)
    }
  }

  /** Whether all keys that came in that time are remembered. */
  #knowsSince(doubtMs: number): boolean {
    const nowMs = this.#clock.monotonicMs()
    return nowMs - doubtMs - DOUBT_MARGIN_MS > Math.max(nowMs - this.#options.windowMs, this.#forgottenUpToMs)
  }

  /** False when there is no room for one more key. */
  #makeRoom(): boolean {
    const { keysMax, forgets } = this.#options
    if (this.#firsts.size < keysMax) return true
    const [oldest] = this.#firsts
    if (!forgets || !oldest?.[1].answer) return false
    this.#forgottenUpToMs = Math.max(this.#forgottenUpToMs, oldest[1].sinceMs)
    return this.#firsts.delete(oldest[0])
  }

  #full(): Refusal {
    const { keysMax, windowMs } = this.#options
    const oldest = this.#firsts.values().next().value
    const waitMs = (oldest?.sinceMs ?? 0) + windowMs - this.#clock.monotonicMs()
    const retryAfterSeconds = Math.min(60, Math.max(1, Math.ceil(waitMs / 1000)))
    const detail = `${keysMax} keys are remembered, and no more are (--idempotency-keys-max)`
    return { code: 'idempotency_full', detail, retryAfterSeconds }
  }
}

/** What is kept with a record. */
interface KeyNote {
  key: string
  print: string
  /** More of the answer, `,"rejected":…`, so that it can be given again. */
  more: string
  /** Its answer had no receipt, since it came before there was one. */
  ack?: 'memory'
}

function repeatOf(first: First): Turn {
  return {
    kind: 'repeat',
    told(tell) {
      if (first.answer) tell({ kind: 'answer', answer: first.answer })
      else first.waiting.push(tell)
    },
  }
}

function reused(key: string): Refusal {
  const detail = `'${key}' was the key of another request; a new request needs a new key`
  return { code: 'idempotency_key_reused', detail }
}

function tooOld(key: string, doubtMs: number): Refusal {
  const detail = `'${key}' was sent first ${Math.round(doubtMs / 1000)} s ago, and keys are not known so far back`
  return { code: 'doubt_too_old', detail }
}

/** Which of so many lanes remembers a key: each key has one, so that repeats on any connection meet their first. */
export function laneOfKey(key: string, lanes: number): number {
  return crc32(key) % lanes
}

/** The lane of the key in a header; undefined when the header holds none. */
export function laneOfHeader(header: string, lanes: number): number | undefined {
  const key = keyIn(header)
  return key === undefined ? undefined : laneOfKey(key, lanes)
}

/**
 * The key: a structured field's string, as the draft has it, or the same without quotes, as most senders write it. What has
 * a quote or a comma must be the former: it could be half a string, or two headers.
 */
function keyIn(header: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header)?.[1]?.replace(/\\(.)/g, '$1')
  const key = quoted ?? (/[",]/.test(header) ? '' : header)
  return /^[\x20-\x7e]+$/.test(key) && key.length <= KEY_LENGTH_MAX ? key : undefined
}

function byTime(a: RememberedNote, b: RememberedNote): number {
  return a.receivedAtMs - b.receivedAtMs
}
