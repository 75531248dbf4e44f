/** Bar 9: whether a payload costs more the more there are: as a backlog grows from nothing, and is delivered at last. */

import { writeBodies } from '../bodies.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { grow, journalFor, type Stretch, shrink } from '../growing.ts'
import type { Median, Question, Session } from '../question.ts'

const QUARTERS = [1, 2, 3, 4]
const accepting = (quarter: number) => `accepting, ${span(quarter)} of the backlog`
const delivering = (quarter: number) => `delivering, ${span(quarter)} of the backlog`
/** Small objects, so that a quarter of a backlog has many and none weighs much at its edges. */
const SMALL_OBJECTS = ['--object-bytes-max', '8MiB']
/** So much of the backlog comes and goes before anything is measured. */
const WARMUP_SHARE = 0.1

export const growth: Question = {
  name: 'growth',
  what: 'Does a payload cost more CPU as the backlog grows?',
  needs: ['wrk'],
  notes: [
    '100 payloads a POST, objects of 8 MiB, so that the backlog is one of many segments. The stand-in answers 503 while the journal fills up to `--backlog` (1 GiB if it isn’t given), then 200 while it empties; CPU is that of Millrace’s processes in each quarter, attempts at the destination included.',
    'The bar compares accepting and delivering the last quarter that came with accepting and delivering the first. As sources grow: `npm run bench -- sources`.',
  ],
  columns: [
    { figure: 'cpuPerMillion', head: 'CPU s per million', digits: 3 },
    { figure: 'payloads', head: 'payloads', digits: 0 },
  ],
  bars: [
    {
      number: 9,
      what: 'CPU per payload with the whole backlog against an empty one',
      unit: '×',
      digits: 2,
      atMost: 1.1,
      measured(median) {
        const [full, empty] = [cost(median, 4), cost(median, 1)]
        return full && empty ? full / empty : undefined
      },
    },
  ],
  defaults: { rounds: 3 },
  takes: ['backlog'],
  async ask(session: Session) {
    const bodies = writeBodies(session.directory('bodies'), 100)
    const { rounds, backlogBytes } = session.settings
    for (let round = 0; round < rounds; round++) {
      await using standIn = await startStandIn()
      const options = [...SMALL_OBJECTS, ...journalFor(backlogBytes)]
      await using subject = await startMillrace(session.directory('data'), standIn.endpoint, options)
      const add = (contender: string, { payloads, cpuSeconds }: Stretch) => {
        // Of a small backlog a quarter may be less than one object.
        const figures = payloads === 0 ? { payloads } : { cpuPerMillion: cpuSeconds / (payloads / 1e6), payloads }
        session.add({ round, contender, figures })
      }

      await standIn.answer(503)
      await grow(subject, bodies, backlogBytes * WARMUP_SHARE)
      await standIn.answer(200)
      await shrink(subject, 0)

      await standIn.answer(503)
      for (const quarter of QUARTERS) add(accepting(quarter), await grow(subject, bodies, (backlogBytes * quarter) / 4))
      const { pending } = await subject.balance()
      await standIn.answer(200)
      for (const quarter of QUARTERS.toReversed()) {
        add(delivering(quarter), await shrink(subject, (pending.payloads * (quarter - 1)) / 4))
      }
    }
  },
}

function cost(median: Median, quarter: number): number | undefined {
  const [inCost, outCost] = [median(accepting(quarter), 'cpuPerMillion'), median(delivering(quarter), 'cpuPerMillion')]
  return inCost === undefined || outCost === undefined ? undefined : inCost + outCost
}

function span(quarter: number): string {
  return `${(quarter - 1) * 25}–${quarter * 25} %`
}
