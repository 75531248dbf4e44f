/** One request to S3: what it needs, and how its answer is read; puts and reads share it. */

import type { Clock } from '../platform/clock.ts'
import { readStart } from './attempt.ts'
import type { S3Answer } from './s3-answer.ts'
import type { LiveKeys, S3Credentials } from './s3-credentials.ts'
import type { S3Place } from './s3-options.ts'
import type { S3Signer } from './s3-signature.ts'

/** What the S3 destination needs. */
export interface S3Options extends S3Place {
  credentials: S3Credentials
  clock: Clock
}

/** The same, with what signs. */
export interface S3Access extends S3Options {
  signer: S3Signer
}

/** Reads an answer and frees its connection: a short body to its end, a long one by closing. No secret is left in its text. */
export async function readAnswer(response: Response, keys: LiveKeys): Promise<S3Answer> {
  const { status, headers } = response
  return { status, headers, text: withoutSecrets(await readStart(response), keys) }
}

/** No secret reaches a log, whatever a store puts into its messages. */
function withoutSecrets(text: string, { secretAccessKey, sessionToken }: LiveKeys): string {
  const masked = text.replaceAll(secretAccessKey, '(secret)')
  return sessionToken === undefined ? masked : masked.replaceAll(sessionToken, '(secret)')
}
