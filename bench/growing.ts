/** Makes a backlog of a given size, and empties it by a given amount, with the CPU that either took. */

import type { Balance, MillraceSubject } from './contenders/millrace.ts'
import { startClosedLoad } from './load-closed.ts'
import { cpuSeconds } from './process-tree.ts'

const CONNECTIONS = 64
/** The journal's frames and records are larger than the bodies in them. */
const ROOM_BYTES = 2 ** 30
const LOOK_MS = 50
/** No backlog takes that long. */
const SECONDS_MAX = 3600
/** How long nothing may move before it is taken for stuck; a destination that is back is tried again within a minute. */
const STUCK_MS = 180_000

/** What a stretch of it took. */
export interface Stretch {
  payloads: number
  cpuSeconds: number
  pendingBytes: number
}

/** The options of a journal that such a backlog fits into. */
export function journalFor(backlogBytes: number): string[] {
  return ['--journal-bytes-max', `${Math.ceil(backlogBytes * 1.25) + ROOM_BYTES}B`]
}

/** Posts until that many bytes are pending. */
export async function grow(subject: MillraceSubject, bodies: string, untilBytes: number): Promise<Stretch> {
  const load = { url: subject.url, bodies, connections: CONNECTIONS, seconds: SECONDS_MAX }
  const [cpuBefore, before] = [cpuSeconds(subject.pid), await subject.balance()]
  await using wrk = startClosedLoad(load)
  const after = await until(subject, ({ pending }) => pending.bytes >= untilBytes)
  wrk.kill()
  await wrk.exited
  const { accepted, pending } = await subject.balance()
  return {
    payloads: accepted.payloads - before.accepted.payloads,
    cpuSeconds: cpuSeconds(subject.pid) - cpuBefore,
    pendingBytes: Math.max(pending.bytes, after.pending.bytes),
  }
}

/** Waits until no more than that many payloads are pending. */
export async function shrink(subject: MillraceSubject, untilPayloads: number): Promise<Stretch> {
  const [cpuBefore, before] = [cpuSeconds(subject.pid), await subject.balance()]
  const after = await until(subject, ({ pending }) => pending.payloads <= untilPayloads)
  return {
    payloads: after.stored.payloads - before.stored.payloads,
    cpuSeconds: cpuSeconds(subject.pid) - cpuBefore,
    pendingBytes: after.pending.bytes,
  }
}

async function until(subject: MillraceSubject, enough: (balance: Balance) => boolean): Promise<Balance> {
  let last = -1
  let movedAtMs = performance.now()
  for (;;) {
    const balance = await subject.balance()
    if (enough(balance)) return balance
    if (balance.pending.payloads !== last) movedAtMs = performance.now()
    last = balance.pending.payloads
    if (performance.now() - movedAtMs > STUCK_MS) throw new Error(`${last} payloads are pending, and it doesn’t change`)
    await Bun.sleep(LOOK_MS)
  }
}
