/** How fast a server answers: closed-loop POSTs after a warm-up, with its CPU and memory. */

import type { Subject } from './contenders/subject.ts'
import { closedOutcome, startClosedLoad } from './load-closed.ts'
import { cpuSeconds, rssPeakBytes } from './process-tree.ts'
import type { Figures, Session } from './question.ts'

/** Posts `bodies` to `subject` over `connections` and counts the answers. */
export async function measureAcceptance(
  { settings }: Session,
  subject: Subject,
  bodies: string,
  connections: number,
): Promise<Figures> {
  const load = { url: subject.url, bodies, connections }
  await closedOutcome(startClosedLoad({ ...load, seconds: settings.warmupSeconds }))
  const cpuBefore = cpuSeconds(subject.pid)
  const outcome = await closedOutcome(startClosedLoad({ ...load, seconds: settings.seconds }))
  const cpu = cpuSeconds(subject.pid) - cpuBefore
  return {
    postsPerSecond: outcome.postsPerSecond,
    cpuPerMillionPosts: cpu / (outcome.posts / 1e6),
    p50Ms: outcome.p50Ms,
    p99Ms: outcome.p99Ms,
    rssPeakMb: rssPeakBytes(subject.pid) / 1e6,
    refused: outcome.refused,
    broken: outcome.broken,
  }
}
