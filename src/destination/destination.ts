/** The contract between delivery and where objects end up: one finished object in, one outcome back. */

import type { Body } from './body.ts'

/** A finished object. Its name and its lines follow from the segment alone, so a repeat has the same name and lines. */
export interface OutgoingObject {
  /** Relative to the destination's root, `/`-separated: `default/date=2026-11-21/hour=01/….ndjson.zst`. */
  name: string
  body: Body
  /** SHA-256 of `body`, 32 bytes. */
  sha256: Uint8Array
  contentType: string
  /** HTTP content coding of `body`; undefined when it isn't compressed. */
  contentEncoding: 'zstd' | 'gzip' | undefined
  /**
   * A file beside its segment for what the destination has to know of it after a crash; removed with the segment. None for
   * an object of one payload.
   */
  sentPath?: string
}

/** What became of a put. Operating trouble is a value, never an exception. */
export type PutOutcome =
  /**
   * It is there and durable; or, when `already`, its name was taken, and nothing was put: `read` tells by what. `at` says
   * where, of several places.
   */
  | { kind: 'stored'; already: boolean; at?: string }
  /** A passing fault (5xx, throttling, timeout, connection): try again with backoff. `reason` is one line for a log. */
  | { kind: 'retry'; reason: string; throttled?: Throttled }
  /**
   * A fault that somebody has to mend (403, no such bucket, wrong clock): keep, show, try again with long pauses. Where it is
   * this object's alone, that others are stored says nothing of it.
   */
  | { kind: 'park'; reason: string; isAlone?: true }

/** It has too much to do, or did not answer in time: fewer puts at once would help. */
export interface Throttled {
  /** How long it asked to be left alone. */
  retryAfterMs: number | undefined
}

/** A question that got no answer. `passing` when another try may get one; else somebody has to mend something first. */
export interface Unanswered {
  kind: 'failed'
  passing: boolean
  /** One line. */
  reason: string
}

/** Whether an object is there, and how long it is; or, when it was read, how much of it was. */
export type Found = { kind: 'found'; bytes: number } | { kind: 'missing' } | Unanswered

/** Some of the objects whose names begin alike; `next` asks for those behind them, undefined when there are no more. */
export type Listed = { kind: 'page'; objects: ListedObject[]; next: string | undefined } | Unanswered

/** An object in a list. */
export interface ListedObject {
  name: string
  bytes: number
}

/** Somewhere objects are put. */
export interface Destination {
  /** For people: `s3://bucket/prefix`, `/var/lib/millrace/objects`. Never holds a secret. */
  readonly url: string
  /** Objects of one segment come one after the other: all that it notes of them is one file. */
  readonly isOneByOne?: true
  /**
   * Puts one object unless its name is taken. Gives up with `retry` when `signal` aborts. Once it is `stored` the body's
   * memory is used again: what still goes on then, of an attempt that was given up, must have a copy.
   */
  put(object: OutgoingObject, signal: AbortSignal): Promise<PutOutcome>
  /**
   * Hands an object's bytes to `take`, as they are stored, piece by piece; the next piece waits for it. One try: when it
   * fails half-way, the next one begins anew. Rejects only when `take` does.
   */
  read(name: string, take: (piece: Uint8Array) => void | Promise<void>, signal: AbortSignal): Promise<Found>
}

/** A destination that also tells all that is there. Delivery never asks: it only reads what has taken a name. */
export interface ReadableDestination extends Destination {
  /** Looks for an object. One try; trouble is a value, never an exception. */
  sizeOf(name: string, signal: AbortSignal): Promise<Found>
  /** Lists objects whose names begin with `prefix`, a page at a time, in any order. One try. */
  list(prefix: string, next: string | undefined, signal: AbortSignal): Promise<Listed>
}

/** Whether every part of an object's name stands for itself, in a URL as in a path. */
export function isPlainName(name: string): boolean {
  return !/(?:^|\/)\.{0,2}(?:\/|$)/.test(name)
}
