/** What the ledger says: the shape of its lines. */

/** So much of what was accepted. Bytes are the records', as the journal holds them. */
export interface Amount {
  payloads: number
  bytes: number
}

/**
 * Records that follow one another in a segment, whose lines follow one another in an object: the first one's place, how
 * many, and the lines of each. Where records of differing lengths were drawn together, 0 and the lines of all of them.
 */
export type Run = [place: number, records: number, linesEach: number] | [number, number, 0, lines: number]

/**
 * An object as the ledger knows it; or, in an entry of format `payload`, all objects of one source and hour: `name` is what
 * their names begin with (place and index follow), `bytes` and `lines` are those of all, `sha256` is that of their SHA-256s
 * in the order of places and indexes.
 */
export interface LedgerObject {
  name: string
  bytes: number
  /** Hexadecimal, of the object's bytes. */
  sha256: string
  lines: number
  /** How many lines follow those, where any do: of records that nobody was promised, and that were gone at the last delivery. */
  linesBeyond?: number
  /** Some of its lines were made by another Millrace, and begin with receipts of that. */
  hasMade?: true
  /** The server that it was forwarded to, of those that the entry's destination names. */
  at?: string
  /** Whose lines these are, in the order of the lines. */
  runs: Run[]
}

/** A record or a stretch of a segment that never becomes lines, and why. */
export interface DeadLetter {
  /** The record's place in its segment; undefined for damage that could not be read as records. */
  place: number | undefined
  payloads: number
  bytes: number
  reason: string
  /** Of a record whose other payloads live: which of them are dead. */
  indexes?: number[]
}

/** What became of one segment. */
export interface SegmentOutcome {
  lane: number
  segment: number
  tag: string
  destination: string
  records: number
  stored: Amount
  dead: Amount
  letters: DeadLetter[]
  /** What its objects hold, where that isn't lines; `handled` where a function took the payloads, and there are none. */
  format?: 'payload' | 'handled'
  objects: LedgerObject[]
  /** Of a segment that was damaged and `handled`: the places of records that could be read, from one and how many. */
  read?: [place: number, records: number][]
}

/** A line of the ledger. */
export interface LedgerEntry extends SegmentOutcome {
  /** From 1, over all files: the highest has the totals that hold. */
  entry: number
  /** ISO 8601, when it was written. */
  at: string
  totals: LedgerTotals
}

/** Everything that ever left the journal. */
export interface LedgerTotals {
  stored: Amount
  dead: Amount
}
