/** Closed-loop load: wrk keeps as many requests under way as there are connections, and posts as fast as it is answered. */

import { join } from 'node:path'
import { Child } from '../src/designs/processes.ts'

/** What to post, where, and how hard. */
export interface ClosedLoad {
  url: string
  /** A file of bodies, one a line. */
  bodies: string
  connections: number
  seconds: number
}

/** What came of it. */
export interface ClosedOutcome {
  postsPerSecond: number
  posts: number
  /** Answers that were not 2xx or 3xx. */
  refused: number
  /** Connections or requests that failed. */
  broken: number
  p50Ms: number
  p99Ms: number
}

/** Starts wrk; it ends by itself after `seconds`. */
export function startClosedLoad({ url, bodies, connections, seconds }: ClosedLoad): Child {
  const script = join(import.meta.dir, 'closed.lua')
  // wrk wants whole seconds. One thread of it drives more than one core can answer.
  const args = ['-t1', `-c${connections}`, `-d${Math.max(1, Math.ceil(seconds))}s`, '-s', script, url]
  return new Child({ command: 'wrk', args, env: { BODIES: bodies } })
}

/** Waits for wrk's end and reads what it counted. */
export async function closedOutcome(wrk: Child): Promise<ClosedOutcome> {
  return parseOutcome(await wrk.finished())
}

/** Reads the line that the script prints at the end. */
export function parseOutcome(output: string): ClosedOutcome {
  const line = /^RESULT (\{.*\})$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`)
  const { micros, answers, refused, broken, p50, p99 } = JSON.parse(line) as WrkResult
  return {
    postsPerSecond: (answers - refused) / (micros / 1e6),
    posts: answers - refused,
    refused,
    broken,
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
  }
}

interface WrkResult {
  micros: number
  answers: number
  refused: number
  broken: number
  p50: number
  p99: number
}
