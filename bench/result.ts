/** A question's answer as it is kept: every run's raw figures, where, when and by which command they came about. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Commit, Machine } from './machine.ts'
import type { Run } from './question.ts'

/** What stands in `bench/results/NAME.json`. */
export interface Result extends Commit {
  question: string
  /** The command that measures it again. */
  command: string
  /** When it was measured, ISO 8601. */
  at: string
  machine: Machine
  runs: Run[]
}

const RESULTS = join(import.meta.dir, 'results')

/** The result that is kept for a question; undefined when it was never measured. */
export function readResult(question: string): Result | undefined {
  const path = pathOf(question)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Result) : undefined
}

/** Keeps a result in the place of the one before. */
export function writeResult(result: Result): void {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(pathOf(result.question), `${JSON.stringify(result, null, 2)}\n`)
}

function pathOf(question: string): string {
  return join(RESULTS, `${question}.json`)
}
