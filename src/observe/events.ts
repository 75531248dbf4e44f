/** Everything that can happen, once each: the stages report it here, the log (and later metrics) listens. */

/** One thing that happened. Sizes are bytes, durations milliseconds. */
export type Event =
  | { kind: 'journal-recovered'; segments: number; payloads: number; bytes: number }
  | { kind: 'journal-torn-tail'; path: string; bytes: number }
  | { kind: 'journal-damage'; path: string; offset: number; bytes: number; keptAt: string }
  | { kind: 'journal-lost'; path: string; reason: string }
  | { kind: 'journal-foreign-file'; path: string }
  | { kind: 'journal-trouble'; code: 'disk_full' | 'journal_failed'; reason: string }
  | { kind: 'journal-well' }
  | { kind: 'segment-sealed'; segment: number; payloads: number; bytes: number }
  /** `last` is the name of the last object, or what those of a set have in common. */
  | { kind: 'segment-stored'; segment: number; payloads: number; bytes: number; objects: number; last: string }
  | { kind: 'delivery-retry'; object: string; reason: string; attempt: number; pauseMs: number }
  | { kind: 'destination-parked'; object: string; reason: string; pauseMs: number }
  | { kind: 'destination-resumed' }
  | { kind: 'delivery-crash'; reason: string }
  | { kind: 'dead-letter'; receipt: string; payloads: number; reason: string }
  | { kind: 'ledger-trouble'; reason: string }
  | { kind: 'intake-failure'; reason: string }
  | { kind: 'memory-ack-broken'; payloads: number; reason: string }
  | { kind: 'lanes-awaited' }
  | { kind: 'lane-ended'; lane: number; reason: string; pauseMs: number }
  | { kind: 'lane-up'; lane: number; process: number }
  | { kind: 'lane-cut-off'; lane: number; reason: string }
  | { kind: 'stopping'; graceMs: number }
  | { kind: 'stopped'; segments: number; payloads: number; dead: number; silentLanes?: number }

/** Takes an event; never throws, never waits. */
export type Observer = (event: Event) => void
