/** Bars 1 and 2: how many POSTs a second with one payload each, against a bare echo server and the known design's pool. */

import { measureAcceptance } from '../acceptance.ts'
import { writeBodies } from '../bodies.ts'
import { startEcho } from '../contenders/echo.ts'
import { buildKnownDesign, startKnownDesign } from '../contenders/known-design.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { type Question, ratio, type Session } from '../question.ts'
import { alternate } from '../round.ts'

const CONNECTIONS = 256
/** Nothing is sealed, so nothing is delivered, while this is measured. */
const KEEP_OPEN = ['--linger', '1h', '--object-bytes-max', '1GiB']

export const single: Question = {
  name: 'single',
  what: 'How many POSTs a second, one payload each, on disk before the 202?',
  needs: ['wrk', 'go'],
  notes: [
    `wrk with one thread and ${CONNECTIONS} connections on the same cores; each POST is a collection of one payload, about 230 bytes.`,
    'Millrace delivers to the S3 stand-in all the while, on the same cores, too; “accepting only” is Millrace with a linger of an hour, so that nothing is delivered meanwhile.',
    '“2 lanes” is `--lanes 2`: two processes that share the port. With one, its one thread for HTTP is what limits.',
    '“echo” is a bare `Bun.serve` that reads the body and answers 202. “known pool” is JobQueue, Dispatcher and WorkerPool in Go: it decodes the collection and drops each payload in a worker.',
    'CPU is that of the server’s processes alone, without wrk and the stand-in.',
  ],
  columns: [
    { figure: 'postsPerSecond', head: 'POST/s', digits: 0 },
    { figure: 'p50Ms', head: 'p50 ms', digits: 1 },
    { figure: 'p99Ms', head: 'p99 ms', digits: 1 },
    { figure: 'cpuPerMillionPosts', head: 'CPU s per million POSTs', digits: 2 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
    { figure: 'refused', head: 'refused', digits: 0 },
  ],
  bars: [
    {
      number: 1,
      what: 'POST/s with one payload each, against a bare `Bun.serve` echo',
      unit: '×',
      digits: 2,
      atLeast: 0.85,
      measured: (median) => ratio(median, 'postsPerSecond', 'Millrace', 'echo'),
    },
    {
      number: 2,
      what: 'the same, against the known design’s pool (in memory only)',
      unit: '×',
      digits: 2,
      atLeast: 1.3,
      measured: (median) => ratio(median, 'postsPerSecond', 'Millrace', 'known pool'),
    },
  ],
  async ask(session: Session) {
    const bodies = writeBodies(session.directory('bodies'), 1)
    const knownDesign = await buildKnownDesign(session.directory('known-design'))
    const millrace = async (options: readonly string[]) => {
      await using standIn = await startStandIn()
      await using subject = await startMillrace(session.directory('data'), standIn.endpoint, options)
      return await measureAcceptance(session, subject, bodies, CONNECTIONS)
    }
    await alternate(session, [
      { name: 'Millrace', measure: () => millrace([]) },
      { name: 'Millrace, 2 lanes', measure: () => millrace(['--lanes', '2']) },
      { name: 'Millrace, accepting only', measure: () => millrace(KEEP_OPEN) },
      {
        name: 'echo',
        async measure() {
          await using subject = await startEcho()
          return await measureAcceptance(session, subject, bodies, CONNECTIONS)
        },
      },
      {
        name: 'known pool',
        async measure() {
          await using subject = await startKnownDesign(knownDesign, 'pool')
          return await measureAcceptance(session, subject, bodies, CONNECTIONS)
        },
      },
    ])
  },
}
