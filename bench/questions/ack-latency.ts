/** Bar 7: how long an ack takes at half of the peak rate, counted from when each request was due. */

import { measureAcceptance } from '../acceptance.ts'
import { writeBodies } from '../bodies.ts'
import { startEcho } from '../contenders/echo.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import type { Subject } from '../contenders/subject.ts'
import { GENERATOR_LATE_MS_MAX, openLoad } from '../load-open.ts'
import type { Figures, Question, Session } from '../question.ts'
import { alternate } from '../round.ts'
import { median } from '../statistics.ts'

const CONNECTIONS = 256
const OF_THE_PEAK = 0.5
/** Less than this of the schedule is not the rate that was asked for. */
const KEPT_SHARE_MIN = 0.99

export const ackLatency: Question = {
  name: 'ack-latency',
  what: 'How long does an ack take at half of the peak rate, in an open loop?',
  needs: ['wrk'],
  notes: [
    `First the peak: wrk, one payload a POST, ${CONNECTIONS} connections, in each round. Then half of that at a constant rate over as many connections, with Millrace delivering all the while; an echo server at the same rate shows what the machine and the generator alone come to.`,
    'Latency counts from when a request was due, not from when it was sent. “generator late” is by how much the generator itself was late for 99 of 100 requests: that is in the figures, too.',
  ],
  columns: [
    { figure: 'postsPerSecond', head: 'POST/s', digits: 0 },
    { figure: 'p50Ms', head: 'p50 ms', digits: 2 },
    { figure: 'p99Ms', head: 'p99 ms', digits: 2 },
    { figure: 'p999Ms', head: 'p99.9 ms', digits: 2 },
    { figure: 'maxMs', head: 'max ms', digits: 1 },
    { figure: 'generatorLateP99Ms', head: 'generator late ms', digits: 2 },
    { figure: 'generatorCores', head: 'generator cores', digits: 2 },
    { figure: 'refused', head: 'refused', digits: 0 },
    { figure: 'broken', head: 'broken', digits: 0 },
  ],
  bars: [
    {
      number: 7,
      what: 'p99 of the ack at half of the peak rate, open loop',
      unit: 'ms',
      digits: 1,
      atMost: 10,
      measured: (of) => of('Millrace', 'p99Ms'),
    },
  ],
  async ask(session: Session) {
    const bodies = writeBodies(session.directory('bodies'), 1)
    const peaks: number[] = []
    const millrace = async (measure: (subject: Subject) => Promise<Figures>) => {
      await using standIn = await startStandIn()
      await using subject = await startMillrace(session.directory('data'), standIn.endpoint)
      return await measure(subject)
    }
    const halfOfPeak = (subject: Subject) => {
      const postsPerSecond = Math.round((median(peaks) ?? 0) * OF_THE_PEAK)
      return measureOpen(session, subject, bodies, postsPerSecond)
    }
    for (let round = 0; round < session.settings.rounds; round++) {
      const figures = await millrace((subject) => measureAcceptance(session, subject, bodies, CONNECTIONS))
      session.add({ round, contender: 'Millrace’s peak', figures })
      peaks.push(figures['postsPerSecond'] ?? 0)
    }
    await alternate(session, [
      { name: 'Millrace', measure: () => millrace(halfOfPeak) },
      {
        name: 'echo',
        async measure() {
          await using subject = await startEcho()
          return await halfOfPeak(subject)
        },
      },
    ])
  },
}

async function measureOpen(
  session: Session,
  subject: Subject,
  bodies: string,
  postsPerSecond: number,
): Promise<Figures> {
  const { seconds, warmupSeconds } = session.settings
  const load = { url: subject.url, bodies, connections: CONNECTIONS, postsPerSecond, warmupSeconds, seconds }
  const outcome = await openLoad(load)
  const { generatorLateP99Ms: lateMs } = outcome
  if (lateMs > GENERATOR_LATE_MS_MAX) session.say(`the generator was late: ${lateMs} ms for one of 100 requests`)
  if (outcome.postsPerSecond < postsPerSecond * KEPT_SHARE_MIN) {
    session.say(
      `the schedule was not kept: ${Math.round(outcome.postsPerSecond)} of ${postsPerSecond} POST/s were taken`,
    )
  }
  return { ...outcome }
}
