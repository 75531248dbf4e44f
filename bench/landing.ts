/** What arrives at the destination while a load runs, and the CPU it costs from the first POST to the last payload landed. */

import type { MillraceSubject } from './contenders/millrace.ts'
import type { LandingSubject, Subject } from './contenders/subject.ts'
import { closedOutcome, startClosedLoad } from './load-closed.ts'
import { postCounted } from './load-count.ts'
import { openLoad } from './load-open.ts'
import { cpuSeconds, rssPeakBytes } from './process-tree.ts'
import type { Figures, Session } from './question.ts'

/** What to post. */
export interface LandingLoad {
  bodies: string
  payloadsEach: number
  connections: number
  /** A constant rate instead of as fast as it is answered. */
  payloadsPerSecond?: number | undefined
}

/** A fixed amount of it. */
export interface Work {
  bodies: string
  payloadsEach: number
  posts: number
}

const WORK_CONNECTIONS = 64
/** How long the load goes on after the measured time, so that its end is not in it. */
const AFTER_SECONDS = 1
const LOOK_MS = 100
/** How long nothing may land before it is taken for stuck. */
const STUCK_MS = 60_000

/**
 * Millrace under load: closed-loop, or at a constant rate where one is asked for. Rates and backlog are of the measured seconds, by its own ledger. CPU is of its whole
 * life up to the moment when everything accepted has landed: start, warm-up and the emptying of the backlog included.
 */
export async function measureFlow(
  { settings }: Session,
  millrace: MillraceSubject,
  load: LandingLoad,
): Promise<Figures> {
  const { seconds, warmupSeconds } = settings
  const ended = startLoad(millrace.url, load, warmupSeconds + seconds + AFTER_SECONDS)
  await Bun.sleep(warmupSeconds * 1000)
  const begin = await look(millrace)
  await Bun.sleep(seconds * 1000)
  const end = await look(millrace)
  const { refused, broken } = await ended
  const landed = await untilLanded(millrace, (await millrace.balance()).accepted.payloads)
  const tookSeconds = (end.atMs - begin.atMs) / 1000
  return {
    acceptedPerSecond: (end.accepted - begin.accepted) / tookSeconds,
    landedPerSecond: (end.landed - begin.landed) / tookSeconds,
    backlogBegin: begin.accepted - begin.landed,
    backlogEnd: end.accepted - end.landed,
    cpuPerMillion: cpuSeconds(millrace.pid) / (landed / 1e6),
    rssPeakMb: rssPeakBytes(millrace.pid) / 1e6,
    refused,
    broken,
  }
}

/**
 * Somebody without a ledger, who puts each payload by itself: what the stand-in counted under load, and for as long again
 * with the load gone, when nothing but its backlog keeps it busy.
 */
export async function measureLanding(
  { settings }: Session,
  subject: LandingSubject,
  load: LandingLoad,
): Promise<Figures> {
  const { bodies, payloadsEach, connections } = load
  const { seconds, warmupSeconds } = settings
  const wrk = startClosedLoad({ url: subject.url, bodies, connections, seconds: warmupSeconds + seconds })
  await Bun.sleep(warmupSeconds * 1000)
  const underLoad = await landedPerSecond(subject, seconds)
  const { posts, postsPerSecond, refused, broken } = await closedOutcome(wrk)
  const backlog = posts * payloadsEach - (await subject.landed())
  const without = await landedPerSecond(subject, seconds)
  const landed = await subject.landed()
  return {
    acceptedPerSecond: postsPerSecond * payloadsEach,
    landedPerSecond: underLoad,
    landedAfterwards: without,
    backlogEnd: backlog,
    cpuPerMillion: cpuSeconds(subject.pid) / (landed / 1e6),
    rssPeakMb: rssPeakBytes(subject.pid) / 1e6,
    refused,
    broken,
  }
}

/** A fixed amount of work, from its first POST to its last payload landed, after a tenth as much for warming up. */
export function measureWork(subject: LandingSubject, work: Work): Promise<Figures> {
  return measureCounted(subject, work, (payloads) => untilLanded(subject, payloads))
}

/** The same for a server where nothing lands: it is over with its last answer. */
export function measurePosts(subject: Subject, work: Work): Promise<Figures> {
  return measureCounted(subject, work, async () => undefined)
}

async function measureCounted(
  { url, pid }: Subject,
  { bodies, payloadsEach, posts }: Work,
  over: (payloads: number) => Promise<unknown>,
): Promise<Figures> {
  const load = { url, bodies, connections: WORK_CONNECTIONS }
  const warmup = Math.ceil(posts / 10)
  await postCounted({ ...load, posts: warmup })
  await over(warmup * payloadsEach)
  const [cpuBefore, beganMs] = [cpuSeconds(pid), performance.now()]
  await postCounted({ ...load, posts })
  await over((warmup + posts) * payloadsEach)
  const payloads = posts * payloadsEach
  return {
    payloadsPerSecond: (payloads / (performance.now() - beganMs)) * 1000,
    cpuPerMillion: (cpuSeconds(pid) - cpuBefore) / (payloads / 1e6),
    rssPeakMb: rssPeakBytes(pid) / 1e6,
  }
}

/** Waits until that many payloads have landed, and returns how many have. */
export async function untilLanded(subject: LandingSubject, payloads: number): Promise<number> {
  let last = -1
  let movedAtMs = performance.now()
  for (;;) {
    const landed = await subject.landed()
    if (landed >= payloads) return landed
    if (landed !== last) movedAtMs = performance.now()
    last = landed
    if (performance.now() - movedAtMs > STUCK_MS)
      throw new Error(`${landed} of ${payloads} payloads landed, and no more`)
    await Bun.sleep(LOOK_MS)
  }
}

function startLoad(url: string, load: LandingLoad, seconds: number): Promise<{ refused: number; broken: number }> {
  const { bodies, payloadsEach, connections, payloadsPerSecond } = load
  if (payloadsPerSecond === undefined) return closedOutcome(startClosedLoad({ url, bodies, connections, seconds }))
  const postsPerSecond = payloadsPerSecond / payloadsEach
  return openLoad({ url, bodies, connections, postsPerSecond, warmupSeconds: 0, seconds })
}

async function look(millrace: MillraceSubject) {
  const { accepted, stored } = await millrace.balance()
  return { atMs: performance.now(), accepted: accepted.payloads, landed: stored.payloads }
}

async function landedPerSecond(subject: LandingSubject, seconds: number): Promise<number> {
  const [before, beganMs] = [await subject.landed(), performance.now()]
  await Bun.sleep(seconds * 1000)
  const [after, endedMs] = [await subject.landed(), performance.now()]
  return ((after - before) / (endedMs - beganMs)) * 1000
}
