/** Bar 6: an object for each payload, the known design's own way, against the known design. */

import { writeBodies } from '../bodies.ts'
import { buildKnownDesign, startKnownDesign } from '../contenders/known-design.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { measureFlow, measureLanding } from '../landing.ts'
import { type Question, ratio, type Session } from '../question.ts'
import { alternate } from '../round.ts'

const CONNECTIONS = 256
/** Full is an answer: how far the journal gets ahead of one PUT a payload. */
const MAX_QUEUE = ['--max-queue', '200000']

export const payloadObjects: Question = {
  name: 'payload-objects',
  what: 'How many payloads a second land, one a POST, if each becomes an object of its own?',
  needs: ['wrk', 'go'],
  notes: [
    `wrk with one thread and ${CONNECTIONS} connections, the S3 stand-in and the server share the cores. Both put an object for each payload; Millrace signs its PUTs, the known design doesn’t.`,
    'Millrace runs with `--format payload --max-queue 200000`: past that it answers 503 (“refused”), because POSTs come faster than PUTs go. Landed is what its ledger says, and the stand-in counted as many.',
    '“landed/s afterwards” is what the known design lands with the load gone.',
  ],
  columns: [
    { figure: 'acceptedPerSecond', head: 'accepted/s', digits: 0 },
    { figure: 'landedPerSecond', head: 'landed/s', digits: 0 },
    { figure: 'landedAfterwards', head: 'landed/s afterwards', digits: 0 },
    { figure: 'backlogEnd', head: 'backlog at the end', digits: 0 },
    { figure: 'cpuPerMillion', head: 'CPU s per million landed', digits: 1 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
    { figure: 'refused', head: 'refused', digits: 0 },
  ],
  bars: [
    {
      number: 6,
      what: 'an object per payload, landed/s, against the known design',
      unit: '×',
      digits: 1,
      atLeast: 3,
      measured: (median) => ratio(median, 'landedPerSecond', 'Millrace', 'known pool'),
    },
    {
      number: 6,
      what: 'an object per payload, landed/s (a million a minute)',
      unit: '/s',
      digits: 0,
      atLeast: 16_667,
      measured: (median) => median('Millrace', 'landedPerSecond'),
    },
  ],
  async ask(session: Session) {
    const load = { bodies: writeBodies(session.directory('bodies'), 1), payloadsEach: 1, connections: CONNECTIONS }
    const program = await buildKnownDesign(session.directory('known-design'))
    await alternate(session, [
      {
        name: 'Millrace',
        async measure() {
          await using standIn = await startStandIn()
          const options = ['--format', 'payload', ...MAX_QUEUE]
          await using subject = await startMillrace(session.directory('data'), standIn.endpoint, options)
          const figures = await measureFlow(session, subject, load)
          const [{ objects, signed }, { stored }] = [await standIn.counts(), await subject.balance()]
          // A repeat after a lost answer would make more PUTs than payloads, never fewer.
          if (objects < stored.payloads || signed < objects) {
            throw new Error(
              `${stored.payloads} payloads landed, but the stand-in saw ${objects} PUTs, ${signed} of them signed`,
            )
          }
          return figures
        },
      },
      {
        name: 'known pool',
        async measure() {
          await using standIn = await startStandIn()
          await using subject = await startKnownDesign(program, 'pool', standIn)
          return await measureLanding(session, subject, load)
        },
      },
    ])
  },
}
