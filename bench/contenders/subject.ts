/** What is measured: a running server of whatever make, and how much of what it took has landed. */

import { Child, type Command } from '../../src/designs/processes.ts'

/** A running server. Its process group ends with the scope that holds it. */
export interface Subject extends AsyncDisposable {
  /** Where collections are posted. */
  url: string
  pid: number
}

/** One whose payloads land somewhere. */
export interface LandingSubject extends Subject {
  /** Payloads that are at the destination. */
  landed(): Promise<number>
}

/** Starts a program that prints `listens on http://…`. */
export async function startListening(command: Command): Promise<{ child: Child; base: string }> {
  const child = new Child(command)
  const match = await child.printed(/listens on (http:\S+)/)
  return { child, base: match[1] as string }
}
