/** Bar 13: the same lines over TCP and as bodies of NDJSON over HTTP. */

import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { untilLanded } from '../landing.ts'
import { sendLines } from '../load-lines.ts'
import { cpuSeconds, rssPeakBytes } from '../process-tree.ts'
import { type Figures, type Question, ratio, type Session } from '../question.ts'
import { alternate } from '../round.ts'

const CONNECTIONS = 64
const LINES_EACH = 100
const PIPELINED = 4
const AHEAD = `TCP, ${PIPELINED} batches under way`

export const tcp: Question = {
  name: 'tcp',
  what: 'Are lines over TCP accepted as fast as the same lines over HTTP?',
  needs: [],
  notes: [
    `${CONNECTIONS} connections, closed loop, by one generator of our own for both, on the same cores. A batch is ${LINES_EACH} varied payloads of about 185 bytes, one a line: over HTTP a POST of application/x-ndjson, over TCP as it is. Each is on disk before its answer.`,
    `The next batch goes when the last one is answered; “${AHEAD}” doesn’t wait until so many are unanswered, as HTTP can’t.`,
    'Millrace delivers to the S3 stand-in all the while, on the same cores, too. CPU is of Millrace’s whole life up to the moment when everything accepted has landed.',
  ],
  columns: [
    { figure: 'payloadsPerSecond', head: 'payloads/s', digits: 0 },
    { figure: 'cpuPerMillion', head: 'CPU s per million', digits: 3 },
    { figure: 'generatorCores', head: 'generator, cores', digits: 2 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
  ],
  bars: [
    {
      number: 13,
      what: 'payloads/s over TCP against the same over HTTP, 100 lines a batch',
      unit: '×',
      digits: 2,
      atLeast: 1,
      measured: (median) => ratio(median, 'payloadsPerSecond', 'TCP', 'HTTP'),
    },
    {
      number: 13,
      what: `the same with ${PIPELINED} batches of a connection under way`,
      unit: '×',
      digits: 2,
      atLeast: 1,
      measured: (median) => ratio(median, 'payloadsPerSecond', AHEAD, 'HTTP'),
    },
  ],
  async ask(session: Session) {
    const measure = (over: 'http' | 'tcp', underWay: number) => () => measureLines(session, over, underWay)
    await alternate(session, [
      { name: 'HTTP', measure: measure('http', 1) },
      { name: 'TCP', measure: measure('tcp', 1) },
      { name: AHEAD, measure: measure('tcp', PIPELINED) },
    ])
  },
}

async function measureLines(session: Session, over: 'http' | 'tcp', underWay: number): Promise<Figures> {
  const { warmupSeconds, seconds } = session.settings
  await using standIn = await startStandIn()
  await using subject = await startMillrace(session.directory('data'), standIn.endpoint, ['--tcp', '0'])
  const port = over === 'tcp' ? subject.tcpPort : Number(new URL(subject.url).port)
  const load = { over, port, linesEach: LINES_EACH, connections: CONNECTIONS, underWay, warmupSeconds, seconds }
  const { payloadsPerSecond, generatorCores } = await sendLines(load)
  const landed = await untilLanded(subject, (await subject.balance()).accepted.payloads)
  return {
    payloadsPerSecond,
    cpuPerMillion: cpuSeconds(subject.pid) / (landed / 1e6),
    generatorCores,
    rssPeakMb: rssPeakBytes(subject.pid) / 1e6,
  }
}
