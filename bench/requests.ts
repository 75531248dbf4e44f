/** The whole requests that post the bodies of a file, one a line. */

import { readFileSync } from 'node:fs'
import { requestOf } from '../src/designs/connections.ts'

export function requestsOf(url: string, bodies: string): Buffer[] {
  const lines = readFileSync(bodies, 'utf8').trimEnd().split('\n')
  return lines.map((line) => requestOf(url, line))
}
