/** Bar 13: the same lines over TCP and as bodies of NDJSON over HTTP. */

import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { sendLines } from '../load-lines.ts'
import { cpuSeconds, rssPeakBytes } from '../process-tree.ts'
import { type Figures, type Question, ratio, type Session } from '../question.ts'
import { alternate } from '../round.ts'

const CONNECTIONS = 64
const LINES_EACH = 100
const PIPELINED = 4
/** Nothing is sealed, so nothing is delivered, while this is measured. */
const KEEP_OPEN = ['--linger', '1h', '--object-bytes-max', '1GiB']

export const tcp: Question = {
  name: 'tcp',
  what: 'Are lines over TCP accepted as fast as the same lines over HTTP?',
  needs: [],
  notes: [
    `${CONNECTIONS} connections, closed loop, by one generator of our own for both, on the same cores. A batch is ${LINES_EACH} varied payloads of about 185 bytes, one a line: over HTTP a POST of application/x-ndjson, over TCP as it is. Each is on disk before its answer.`,
    `The next batch goes when the last one is answered; “${PIPELINED} under way” sends without waiting until so many are unanswered, which HTTP doesn’t do.`,
    'Nothing is delivered meanwhile (a linger of an hour). CPU is that of Millrace’s process in the measured time.',
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
  ],
  async ask(session: Session) {
    const measure = (over: 'http' | 'tcp', underWay: number) => () => measureLines(session, over, underWay)
    await alternate(session, [
      { name: 'HTTP', measure: measure('http', 1) },
      { name: 'TCP', measure: measure('tcp', 1) },
      { name: `TCP, ${PIPELINED} under way`, measure: measure('tcp', PIPELINED) },
    ])
  },
}

async function measureLines(session: Session, over: 'http' | 'tcp', underWay: number): Promise<Figures> {
  const { warmupSeconds, seconds } = session.settings
  await using standIn = await startStandIn()
  const options = ['--tcp', '0', ...KEEP_OPEN]
  await using subject = await startMillrace(session.directory('data'), standIn.endpoint, options)
  const port = over === 'tcp' ? subject.tcpPort : Number(new URL(subject.url).port)
  let cpu = 0
  const measured = (when: 'begin' | 'end') => {
    cpu = cpuSeconds(subject.pid) - (when === 'end' ? cpu : 0)
  }
  const load = {
    over,
    port,
    linesEach: LINES_EACH,
    connections: CONNECTIONS,
    underWay,
    warmupSeconds,
    seconds,
    measured,
  }
  const { payloads, payloadsPerSecond, generatorCores } = await sendLines(load)
  return {
    payloadsPerSecond,
    cpuPerMillion: cpu / (payloads / 1e6),
    generatorCores,
    rssPeakMb: rssPeakBytes(subject.pid) / 1e6,
  }
}
