/** Bar 10: whether a payload costs more CPU if two or four lanes share the port. */

import { writeBodies } from '../bodies.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { measureFlow } from '../landing.ts'
import type { Question, Session } from '../question.ts'
import { alternate } from '../round.ts'

const LANES = [1, 2, 4]
const LOADS = [
  { payloadsEach: 1, connections: 256 },
  { payloadsEach: 100, connections: 64 },
]
const nameOf = (lanes: number, payloadsEach: number) => `${lanes} lane${lanes === 1 ? '' : 's'}, ${payloadsEach} a POST`

export const lanes: Question = {
  name: 'lanes',
  what: 'Does a payload cost more CPU with two or four lanes than with one?',
  needs: ['wrk'],
  notes: [
    'wrk, the S3 stand-in and all lanes share the cores. CPU is that of the supervisor and all lanes together, from the start until everything accepted had landed.',
  ],
  columns: [
    { figure: 'acceptedPerSecond', head: 'accepted/s', digits: 0 },
    { figure: 'landedPerSecond', head: 'landed/s', digits: 0 },
    { figure: 'cpuPerMillion', head: 'CPU s per million', digits: 2 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
    { figure: 'refused', head: 'refused', digits: 0 },
  ],
  bars: [
    {
      number: 10,
      what: 'CPU per payload with 2 and 4 lanes against 1: the worst of both loads',
      unit: '×',
      digits: 2,
      atMost: 1.1,
      measured(median) {
        const ratios = LOADS.flatMap(({ payloadsEach }) => {
          const one = median(nameOf(1, payloadsEach), 'cpuPerMillion')
          const more = LANES.slice(1).flatMap((count) => median(nameOf(count, payloadsEach), 'cpuPerMillion') ?? [])
          return one === undefined ? [] : more.map((cpu) => cpu / one)
        })
        return ratios.length === 0 ? undefined : Math.max(...ratios)
      },
    },
  ],
  async ask(session: Session) {
    const directory = session.directory('bodies')
    const contenders = LOADS.flatMap((load) =>
      LANES.map((count) => ({
        name: nameOf(count, load.payloadsEach),
        async measure() {
          await using standIn = await startStandIn()
          const options = ['--lanes', String(count)]
          await using subject = await startMillrace(session.directory('data'), standIn.endpoint, options)
          return await measureFlow(session, subject, { ...load, bodies: writeBodies(directory, load.payloadsEach) })
        },
      })),
    )
    await alternate(session, contenders)
  },
}
