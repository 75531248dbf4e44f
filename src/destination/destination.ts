/** The contract between delivery and where objects end up: one finished object in, one outcome back. */

/** A finished object. Its name and its lines follow from the segment alone, so a repeat has the same name and lines. */
export interface OutgoingObject {
  /** Relative to the destination's root, `/`-separated: `default/date=2026-11-21/hour=01/….ndjson.zst`. */
  name: string
  body: Uint8Array<ArrayBuffer>
  /** SHA-256 of `body`, 32 bytes. */
  sha256: Uint8Array
  contentType: string
  /** HTTP content coding of `body`; undefined when it isn't compressed. */
  contentEncoding: 'zstd' | 'gzip' | undefined
}

/** What became of a put. Operating trouble is a value, never an exception. */
export type PutOutcome =
  /** It is there and durable; `already` when an earlier attempt had stored it. */
  | { kind: 'stored'; already: boolean }
  /** A passing fault (5xx, throttling, timeout, connection): try again with backoff. `reason` is one line for a log. */
  | { kind: 'retry'; reason: string }
  /** A fault that somebody has to mend (403, no such bucket, wrong clock): keep, show, try again with long pauses. */
  | { kind: 'park'; reason: string }

/** Somewhere objects are put. */
export interface Destination {
  /** For people: `s3://bucket/prefix`, `/var/lib/millrace/objects`. Never holds a secret. */
  readonly url: string
  /** Puts one object unless its name is taken. Gives up with `retry` when `signal` aborts. */
  put(object: OutgoingObject, signal: AbortSignal): Promise<PutOutcome>
}
