/** Records that can never be stored: set aside in `dead/`, one file each: a line of JSON about it, then its raw body. */

import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { RecordKind } from '../journal/journal.ts'
import type { StoredRecord } from '../journal/record.ts'
import type { Files } from '../platform/files.ts'

/** The line about a dead record. */
export interface DeadLine {
  receipt: string
  kind: RecordKind
  payloads: number
  source: string
  /** ISO 8601. */
  received_at: string
  died_at: string
  attempts: number
  reason: string
  /** Which of a record's payloads these are, where it isn't all of them. */
  indexes?: number[]
  /** The body's length and its SHA-256 in hexadecimal; the first program's files have neither. */
  bytes?: number
  sha256?: string
}

/** Why and when. */
export interface Death {
  reason: string
  /** 1 when nothing is said: encoding depends on the record alone, what failed once fails always. */
  attempts?: number
  /** Of a record that lives on: which of its payloads have died, the only ones that the buried record holds. */
  indexes?: number[]
}

/** The directory beside a lane's segments. */
export const DEAD_DIRECTORY = 'dead'
/** The ending of a dead record's file. */
export const DEAD_ENDING = '.dead'

/** Keeps a dead record, durably. Repeating it writes the same file again. */
export async function bury(
  files: Files,
  segmentPath: string,
  receipt: string,
  record: StoredRecord,
  { reason, attempts = 1, indexes }: Death,
  diedAtMs: number,
): Promise<void> {
  const directory = join(dirname(segmentPath), DEAD_DIRECTORY)
  await files.makeDirectory(directory)
  const line: DeadLine = {
    receipt,
    kind: record.kind,
    payloads: record.payloads,
    source: record.source,
    received_at: new Date(record.receivedAtMs).toISOString(),
    died_at: new Date(diedAtMs).toISOString(),
    attempts,
    reason,
    ...(indexes && { indexes }),
    bytes: record.body.length,
    sha256: sha256Of(record.body),
  }
  const file = await files.open(join(directory, receipt + DEAD_ENDING), 'replace')
  try {
    await file.write(Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), record.body]), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await files.syncDirectory(directory)
}

/** Whether a body is the one that its line was written for, as far as the line tells. */
export function isItsBody({ bytes, sha256 }: DeadLine, body: Uint8Array): boolean {
  return (bytes ?? body.length) === body.length && (sha256 === undefined || sha256 === sha256Of(body))
}

function sha256Of(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}
