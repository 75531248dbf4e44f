/** Millrace itself, as its user starts it, with a data directory of its own. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type LandingSubject, startListening } from './subject.ts'

/** Accepted, stored and waiting payloads, as `/status` has them. */
export interface Balance {
  accepted: { payloads: number; bytes: number }
  stored: { payloads: number; bytes: number }
  pending: { payloads: number; bytes: number }
  dead: { payloads: number; bytes: number }
}

/** A running Millrace. */
export interface MillraceSubject extends LandingSubject {
  /** Where it takes lines over TCP, if it was told to; else 0. */
  tcpPort: number
  balance(): Promise<Balance>
}

const PROGRAM = join(import.meta.dir, '../../bin/millrace')

/** Starts Millrace with `data` for its journal (gone when it is: backlogs are large), putting objects to the S3 stand-in at `endpoint`. */
export async function startMillrace(
  data: string,
  endpoint: string,
  options: readonly string[] = [],
): Promise<MillraceSubject> {
  const { child, base } = await startListening({
    command: PROGRAM,
    args: ['--port', '0', '--data', data, '--to', 's3://bench/objects', ...options],
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'AKIDBENCH',
      AWS_SECRET_ACCESS_KEY: 'the-secret-of-the-bench',
    },
  })
  const balance = async () => (await (await fetch(`${base}/status`)).json()) as Balance
  return {
    url: `${base}/payload`,
    tcpPort: Number(/^ {2}tcp {7}\S+:(\d+)$/m.exec(child.output)?.[1] ?? 0),
    pid: child.pid,
    balance,
    landed: async () => (await balance()).stored.payloads,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]()
      rmSync(data, { recursive: true, force: true })
    },
  }
}
