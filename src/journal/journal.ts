/** The journal's contract: what intake appends to and what delivery takes from. Nothing else connects the two. */

/** How a record's body holds its payloads. */
export type RecordKind =
  /** `{"version", "token", "data": [payload, …]}`. */
  | 'collection'
  /** One JSON value, one payload. */
  | 'value'
  /** A JSON array, one payload an element. */
  | 'array'
  /** NDJSON, one payload a line. */
  | 'lines'

/** One accepted request, as intake hands it over. The body is valid UTF-8 and valid JSON of its kind. */
export interface NewRecord {
  kind: RecordKind
  body: Uint8Array
  payloads: number
  receivedAtMs: number
  /** The name that the sender's token belongs to; at most 255 bytes. */
  source: string
}

/** A segment that takes no more records. It exists until `remove`. */
export interface SealedSegment {
  path: string
  number: number
  payloads: number
  /** Its file's length. */
  bytes: number
}

/** Why an append was refused after intake's own checks. */
export type AppendRefusal = 'disk_full' | 'journal_failed' | 'stopping'

/** The durable log between intake and delivery. */
export interface Journal {
  /** Payloads accepted and not yet stored, those being written included. */
  readonly payloads: number
  /** Bytes on disk and about to be, all segments. */
  readonly bytes: number
  /** Why nothing can be written just now; undefined when all is well. */
  readonly trouble: AppendRefusal | undefined
  /**
   * Keeps a record. Resolves with its receipt once it is on the disk (`fdatasync`), or rejects with `AppendError`.
   * The body is copied before the call returns or the promise settles; don't change it until then.
   */
  append(record: NewRecord): Promise<string>
  /** Forgets a sealed segment whose objects are all stored, and deletes its file. */
  remove(segment: SealedSegment): Promise<void>
  /** Refuses further appends, waits for those under way, seals the open segment and closes it. */
  close(): Promise<void>
}

/** An append that was refused or whose batch could not be made durable. */
export class AppendError extends Error {
  readonly refusal: AppendRefusal

  constructor(refusal: AppendRefusal, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AppendError'
    this.refusal = refusal
  }
}
