/** What a supervisor and its lanes say to each other. Plain data only. */

import type { FaultCode } from '../observe/errors.ts'

/** What a stop left behind. */
export interface LaneBacklog {
  segments: number
  payloads: number
  dead: number
}

/** To a lane. */
export type ToLane =
  /** Recover the journal, and deliver. */
  | { kind: 'start'; lane: number; node: string; socketDirectory: string }
  /** All lanes have recovered: take records. Port 0 is a free one; the first to listen sees that nobody else does. */
  | { kind: 'listen'; port: number; tcpPort?: number | undefined; isFirst: boolean }
  | { kind: 'stop'; graceMs: number }
  /** Answer, to show that you don't hang. */
  | { kind: 'ask' }

/** From a lane. */
export type FromLane =
  | { kind: 'answer' }
  | { kind: 'recovered' }
  | {
      kind: 'listening'
      port: number
      url: string
      tcp: { address: string; port: number } | undefined
      destination: string
    }
  /** It can't go on, and ends. */
  | { kind: 'fault'; code: FaultCode; message: string }
  | { kind: 'stopped'; backlog: LaneBacklog }
