/** Bar 3: how many payloads a second land when they come one a POST, against the known designs, which put each by itself. */

import { writeBodies } from '../bodies.ts'
import { buildKnownDesign, type Design, startKnownDesign } from '../contenders/known-design.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { measureFlow, measureLanding } from '../landing.ts'
import { type Question, ratio, type Session } from '../question.ts'
import { alternate } from '../round.ts'

const CONNECTIONS = 256

export const landed: Question = {
  name: 'landed',
  what: 'How many payloads a second land, one payload a POST?',
  needs: ['wrk', 'go'],
  notes: [
    `wrk with one thread and ${CONNECTIONS} connections, the S3 stand-in and the server share the cores.`,
    'Millrace: what its ledger says landed in the measured seconds, under load. The known designs (in Go, one PUT a payload, unsigned, 32 workers, a queue of 256): what the stand-in counted under the same load. “landed/s afterwards” is what they land with the load gone and the machine to themselves.',
    'CPU is that of the server’s processes alone; for Millrace from its start until everything accepted had landed.',
  ],
  columns: [
    { figure: 'acceptedPerSecond', head: 'accepted/s', digits: 0 },
    { figure: 'landedPerSecond', head: 'landed/s', digits: 0 },
    { figure: 'landedAfterwards', head: 'landed/s afterwards', digits: 0 },
    { figure: 'backlogEnd', head: 'backlog at the end', digits: 0 },
    { figure: 'cpuPerMillion', head: 'CPU s per million landed', digits: 2 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
    { figure: 'refused', head: 'refused', digits: 0 },
  ],
  bars: [
    {
      number: 3,
      what: 'payloads/s landed, one a POST, against the known design',
      unit: '×',
      digits: 1,
      atLeast: 15,
      measured: (median) => ratio(median, 'landedPerSecond', 'Millrace', 'known pool'),
    },
  ],
  async ask(session: Session) {
    const load = { bodies: writeBodies(session.directory('bodies'), 1), payloadsEach: 1, connections: CONNECTIONS }
    const program = await buildKnownDesign(session.directory('known-design'))
    const known = (design: Design) => async () => {
      await using standIn = await startStandIn()
      await using subject = await startKnownDesign(program, design, standIn)
      return await measureLanding(session, subject, load)
    }
    const millrace = (options: readonly string[]) => async () => {
      await using standIn = await startStandIn()
      await using subject = await startMillrace(session.directory('data'), standIn.endpoint, options)
      return await measureFlow(session, subject, load)
    }
    await alternate(session, [
      { name: 'Millrace', measure: millrace([]) },
      { name: 'Millrace, 2 lanes', measure: millrace(['--lanes', '2']) },
      { name: 'known pool', measure: known('pool') },
      { name: 'known channel', measure: known('channel') },
      { name: 'known goroutine', measure: known('goroutine') },
    ])
  },
}
