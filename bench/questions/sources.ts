/** Bar 9: whether a payload costs more the more sources there are, each with objects of its own. */

import { writeBodies } from '../bodies.ts'
import { startWithSources } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { measureFlow } from '../landing.ts'
import type { Question, Session } from '../question.ts'
import { alternate } from '../round.ts'

const COUNTS = [1, 100, 10_000]
/** With the longer one segments may be longer, too: else their length would seal them before. */
const LINGERS = ['5s', '30s']
const OPTIONS: Record<string, string[]> = { '5s': [], '30s': ['--object-bytes-max', '256MiB'] }
const POSTS_PER_SECOND = 40_000
const nameOf = (count: number, linger: string) => `${count} source${count === 1 ? '' : 's'}, --linger ${linger}`

export const sources: Question = {
  name: 'sources',
  what: 'Does a payload cost more CPU as sources grow from 1 to 10,000?',
  needs: [],
  notes: [
    `One payload a POST, ${POSTS_PER_SECOND} a second over 256 connections by a generator of our own, each record of a source drawn at random. Until tokens have names there is one source: here the journal is given others for what it takes (\`bench/contenders/many-sources.ts\`), all else is Millrace as it is.`,
    'Each source has objects of its own, so that each waits for `--linger`, and then is a PUT for as many payloads as have come from it: with 10,000 sources 20 in 5 s, and 120 in 30 s (there with `--object-bytes-max 256MiB`: a segment of several sources is as long as four objects at the most).',
    'CPU is that of Millrace’s whole life up to the moment when everything accepted has landed.',
  ],
  columns: [
    { figure: 'acceptedPerSecond', head: 'accepted/s', digits: 0 },
    { figure: 'cpuPerMillion', head: 'CPU s per million', digits: 2 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
    { figure: 'refused', head: 'refused', digits: 0 },
  ],
  bars: LINGERS.map((linger) => ({
    number: 9,
    what: `CPU per payload with 10,000 sources against one, \`--linger ${linger}\``,
    unit: '×',
    digits: 2,
    atMost: 1.25,
    measured(median) {
      const [many, one] = [median(nameOf(10_000, linger), 'cpuPerMillion'), median(nameOf(1, linger), 'cpuPerMillion')]
      return many && one ? many / one : undefined
    },
  })),
  defaults: { rounds: 1, seconds: 60 },
  async ask(session: Session) {
    const bodies = writeBodies(session.directory('bodies'), 1)
    const load = { bodies, payloadsEach: 1, connections: 256, payloadsPerSecond: POSTS_PER_SECOND }
    const contenders = LINGERS.flatMap((linger) =>
      COUNTS.map((count) => ({
        name: nameOf(count, linger),
        async measure() {
          await using standIn = await startStandIn()
          const options = ['--linger', linger, ...(OPTIONS[linger] ?? [])]
          await using subject = await startWithSources(count, session.directory('data'), standIn.endpoint, options)
          return await measureFlow(session, subject, load)
        },
      })),
    )
    await alternate(session, contenders)
  },
}
