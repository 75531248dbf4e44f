/** What the TCP connections of a lane have in common. */

import type { Journal } from '../journal/journal.ts'
import type { Observer } from '../observe/events.ts'
import type { Clock } from '../platform/clock.ts'
import type { Garbage } from '../platform/garbage.ts'
import type { Admission } from './admission.ts'
import type { Deadlines } from './deadlines.ts'
import type { Room } from './tcp-room.ts'

/** What connections are bounded by, and how they are answered. */
export interface ConnectionOptions {
  lineBytesMax: number
  /** Past it a connection whose lines are being kept is not read from. */
  inFlightBytesMax: number
  /** Stands for the answer where all lines are kept. */
  banner: string | undefined
}

/** What all connections share. */
export interface ConnectionContext {
  options: ConnectionOptions
  journal: Journal
  admission: Admission
  clock: Clock
  garbage: Garbage
  observe: Observer
  room: Room
  /** How long a connection may go without a whole line. */
  idle: Deadlines
}
