/** The known Go designs (`known-design/main.go`), built once for each run of the bench. */

import { join } from 'node:path'
import { Child } from '../../src/designs/processes.ts'
import type { StandIn } from './stand-in.ts'
import { type LandingSubject, startListening } from './subject.ts'

/** Which of the three. */
export type Design = 'goroutine' | 'channel' | 'pool'

/** Builds the program into `directory` and returns its path. */
export async function buildKnownDesign(directory: string): Promise<string> {
  const program = join(directory, 'known-design')
  const cwd = join(import.meta.dir, 'known-design')
  await new Child({ command: 'go', args: ['build', '-o', program, '.'], cwd }).finished()
  return program
}

/** Starts one; without a stand-in it drops each payload as soon as a worker has it. */
export async function startKnownDesign(program: string, design: Design, standIn?: StandIn): Promise<LandingSubject> {
  const env: Record<string, string> = { DESIGN: design }
  if (standIn) env['PUT_URL'] = `${standIn.endpoint}/bench`
  const { child, base } = await startListening({ command: program, env })
  const landed = async () => (standIn ? (await standIn.counts()).objects : 0)
  return {
    url: `${base}/payload`,
    pid: child.pid,
    landed,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
