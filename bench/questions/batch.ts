/** Bars 4 and 5: 100 payloads a POST, accepted and landed, and the CPU of a million of them. */

import { writeBodies } from '../bodies.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { measureFlow } from '../landing.ts'
import type { Median, Question, Session } from '../question.ts'
import { alternate } from '../round.ts'

const CONNECTIONS = 64
const PAYLOADS_EACH = 100
/** What is posted where nothing else is said: a little more than is wanted. */
const PAYLOADS_PER_SECOND = 1_020_000
const CLOSED = 'as fast as they are answered'

export const batch: Question = {
  name: 'batch',
  what: 'How many payloads a second from POST to object, 100 payloads a POST, and at how much CPU?',
  needs: ['wrk'],
  notes: [
    `${CONNECTIONS} connections; the load generator, the S3 stand-in and Millrace share the cores. “Millrace”: a constant rate of ${PAYLOADS_PER_SECOND} payloads a second (\`--rate\`), by a generator of our own. “${CLOSED}”: wrk with one thread. Each POST is a collection of ${PAYLOADS_EACH} varied payloads of about 185 bytes.`,
    'Rates and backlogs are of the measured seconds, by Millrace’s ledger. CPU is user and system of Millrace’s processes (not wrk, not the stand-in), from the start until everything accepted had landed.',
  ],
  columns: [
    { figure: 'acceptedPerSecond', head: 'accepted/s', digits: 0 },
    { figure: 'landedPerSecond', head: 'landed/s', digits: 0 },
    { figure: 'backlogBegin', head: 'backlog at first', digits: 0 },
    { figure: 'backlogEnd', head: 'backlog at last', digits: 0 },
    { figure: 'cpuPerMillion', head: 'CPU s per million', digits: 3 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
    { figure: 'refused', head: 'refused', digits: 0 },
  ],
  bars: [
    {
      number: 4,
      what: 'payloads/s accepted and landed, 100 a POST (the smaller of both)',
      unit: '/s',
      digits: 0,
      atLeast: 1_000_000,
      measured: smallerRate,
    },
    {
      number: 5,
      what: 'CPU per million payloads landed, 100 a POST',
      unit: 's',
      digits: 2,
      atMost: 1,
      measured: (median) => median('Millrace', 'cpuPerMillion'),
    },
  ],
  defaults: { seconds: 60, rounds: 3 },
  takes: ['rate'],
  async ask(session: Session) {
    const bodies = writeBodies(session.directory('bodies'), PAYLOADS_EACH)
    const load = { bodies, payloadsEach: PAYLOADS_EACH, connections: CONNECTIONS }
    const { payloadsPerSecond = PAYLOADS_PER_SECOND } = session.settings
    const millrace = (how: typeof load & { payloadsPerSecond?: number }) => async () => {
      await using standIn = await startStandIn()
      await using subject = await startMillrace(session.directory('data'), standIn.endpoint)
      return await measureFlow(session, subject, how)
    }
    await alternate(session, [
      { name: 'Millrace', measure: millrace({ ...load, payloadsPerSecond }) },
      { name: CLOSED, measure: millrace(load) },
    ])
  },
}

function smallerRate(median: Median): number | undefined {
  const rates = [median('Millrace', 'acceptedPerSecond'), median('Millrace', 'landedPerSecond')]
  return rates.includes(undefined) ? undefined : Math.min(...(rates as number[]))
}
