/** What the server and its delivery threads say to each other. Plain data only. */

import type { Place } from '../destination/place.ts'
import type { Event } from '../observe/events.ts'
import type { Trouble } from './patience.ts'

/** What all threads start with, and share. */
export interface ThreadStart {
  place: Place
  /** Bytes of finished objects that may be held while they are being put. */
  bodyBytesMax: number
  /** How many objects of lines may be put at once. */
  workersMax: number
  /** How many objects of format `payload`. */
  putsMax: number
}

/** What one of them starts with: its share. */
export interface ThreadData extends ThreadStart {
  /** Where it tells how many puts are under way. */
  gauges: SharedArrayBuffer
  /** How many objects of format `payload` it puts at once to begin with. */
  putsAtStart: number
}

/** To a thread. */
export type JobMessage =
  /** Deliver this segment; with rests, where it isn't hurried from the start. */
  | { kind: 'deliver'; job: number; path: string; isHurried: boolean }
  /** A job that rests is to rest no more. */
  | { kind: 'hurry'; job: number }
  /** Answer, to show that you don't hang. */
  | { kind: 'ask' }

/** `delivered` is JSON of a `Delivered`: of 10,000 objects a copy takes the server's thread 70 ms and more, their text 9. */
export interface DoneMessage {
  kind: 'done'
  job: number
  delivered: string
}

/** From a thread. */
export type ThreadMessage =
  | DoneMessage
  /** This machine's disk failed it, or a bug did; the segment is as it was. */
  | { kind: 'failed'; job: number; reason: string }
  | { kind: 'trouble'; job: number; trouble: Trouble }
  | { kind: 'event'; event: Event }
  | { kind: 'answer' }
