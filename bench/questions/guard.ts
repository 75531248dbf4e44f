/** The regression guard: a fixed amount of work, its CPU against the kept result. It warns and never fails. */

import { writeBodies } from '../bodies.ts'
import { startEcho } from '../contenders/echo.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { measurePosts, measureWork } from '../landing.ts'
import type { Question, Run, Session } from '../question.ts'
import { alternate } from '../round.ts'
import { valuesOf } from '../statistics.ts'

const WORK = [
  { payloadsEach: 1, posts: 100_000 },
  { payloadsEach: 100, posts: 10_000 },
].map((work) => ({ ...work, name: `${work.payloadsEach} a POST` }))
const ECHO_POSTS = 100_000
/** So much more than before is worth a warning; less is noise. */
const WORSE_MAX = 0.15

export const guard: Question = {
  name: 'guard',
  what: 'Does a payload cost more CPU than it did? Warns, and never fails.',
  needs: [],
  notes: [
    `A fixed amount of work over 64 connections, from POST to the S3 stand-in: ${WORK.map(({ posts, name }) => `${posts.toLocaleString('en-US')} POSTs, ${name}`).join('; ')}. CPU is user and system of the server’s processes.`,
    '“echo” is a bare `Bun.serve` that takes the same POSTs: figures are compared, each the least of all rounds, as multiples of what one of its answers costs, so that another machine’s are comparable. Without `--keep` the kept result stays.',
  ],
  columns: [
    { figure: 'cpuPerMillion', head: 'CPU s per million payloads', digits: 2 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
  ],
  bars: [],
  defaults: { rounds: 2 },
  takes: ['keep'],
  async ask(session: Session) {
    const directory = session.directory('bodies')
    const echo = {
      name: 'echo',
      async measure() {
        await using subject = await startEcho()
        return await measurePosts(subject, { bodies: writeBodies(directory, 1), payloadsEach: 1, posts: ECHO_POSTS })
      },
    }
    const contenders = WORK.map(({ name, payloadsEach, posts }) => ({
      name,
      async measure() {
        await using standIn = await startStandIn()
        await using subject = await startMillrace(session.directory('data'), standIn.endpoint, ['--linger', '1s'])
        return await measureWork(subject, { bodies: writeBodies(directory, payloadsEach), payloadsEach, posts })
      },
    }))
    await alternate(session, [echo, ...contenders])
  },
  compare(now: readonly Run[], before: readonly Run[]) {
    return WORK.map(({ name }) => comparison(name, inEchoes(now, name), inEchoes(before, name)))
  },
}

/** The CPU of a payload in answers of the echo server. The least of all rounds: others on the machine only ever add to it. */
function inEchoes(runs: readonly Run[], name: string): number {
  const least = (contender: string) => Math.min(...valuesOf(runs, contender, 'cpuPerMillion'))
  return least(name) / least('echo')
}

function comparison(name: string, now: number, before: number): string {
  const change = now / before - 1
  const figures = `${now.toFixed(3)} echoes a payload, ${before.toFixed(3)} before: ${(change * 100).toFixed(0)} %`
  return change > WORSE_MAX ? `WARNING: ${name} costs more: ${figures}` : `${name}: ${figures}`
}
