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
const BUN = join(import.meta.dir, '../../bin/with-bun')
const MANY_SOURCES = join(import.meta.dir, 'many-sources.ts')

/** Starts Millrace with `data` for its journal (gone when it is: backlogs are large), putting objects to the S3 stand-in at `endpoint`. */
export async function startMillrace(
  data: string,
  endpoint: string,
  options: readonly string[] = [],
): Promise<MillraceSubject> {
  return await start(data, endpoint, { command: PROGRAM, before: [], env: {} }, options)
}

/** The same with records of many sources. */
export async function startWithSources(
  sources: number,
  data: string,
  endpoint: string,
  options: readonly string[],
): Promise<MillraceSubject> {
  const program = { command: BUN, before: [MANY_SOURCES], env: { SOURCES: String(sources) } }
  return await start(data, endpoint, program, options)
}

async function start(
  data: string,
  endpoint: string,
  program: { command: string; before: readonly string[]; env: Record<string, string> },
  options: readonly string[],
): Promise<MillraceSubject> {
  const { child, base } = await startListening({
    command: program.command,
    args: [...program.before, '--port', '0', '--data', data, '--to', 's3://bench/objects', ...options],
    env: {
      ...program.env,
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
