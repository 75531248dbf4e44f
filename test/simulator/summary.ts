/** What many runs covered, added up. */

import type { RunResult } from './run.ts'

/** Adds up runs, and remembers those that failed. */
export class Summary {
  readonly failed: number[] = []
  readonly counts = new Map<string, number>()
  /** Changes when any of the runs does anything else than before. */
  digest = 0
  #seeds = 0
  #simulatedMs = 0

  add({ seed, digest, breach, coverage }: RunResult): void {
    this.#seeds += 1
    this.#simulatedMs += coverage.simulatedMs
    // A sum: runs end in any order.
    this.digest = (this.digest + digest) >>> 0
    for (const [what, count] of coverage.counts) this.counts.set(what, (this.counts.get(what) ?? 0) + count)
    if (breach !== undefined) this.failed.push(seed)
  }

  lines(): string[] {
    const counts = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1))
    return [
      `${amount(this.#seeds)} seeds, ${amount(this.failed.length)} failed; digest ${this.digest.toString(16)}`,
      `${amount(Math.round(this.#simulatedMs / 3_600_000))} hours simulated`,
      ...counts.map(([what, count]) => `${amount(count).padStart(12)}  ${what}`),
    ]
  }
}

function amount(value: number): string {
  return value.toLocaleString('en')
}
