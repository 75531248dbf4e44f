/** What the server and its delivery threads say to each other. Plain data only. */

import type { Place } from '../destination/place.ts'
import type { Event } from '../observe/events.ts'
import type { Delivered } from './deliver.ts'
import type { Trouble } from './patience.ts'

/** What a thread starts with. */
export interface ThreadStart {
  place: Place
  /** Bytes of finished objects that it may hold while they are being put. */
  bodyBytesMax: number
}

/** To a thread. */
export type JobMessage =
  /** Deliver this segment. */
  | { kind: 'deliver'; job: number; path: string }
  /** Answer, to show that you don't hang. */
  | { kind: 'ask' }

/** From a thread. */
export type ThreadMessage =
  | { kind: 'done'; job: number; delivered: Delivered }
  /** This machine's disk failed it, or a bug did; the segment is as it was. */
  | { kind: 'failed'; job: number; reason: string }
  | { kind: 'trouble'; job: number; trouble: Trouble }
  | { kind: 'event'; event: Event }
  | { kind: 'answer' }
