/** Bar 8: how much memory Millrace takes under loads of many kinds, and while the destination is down and a backlog grows. */

import { measureAcceptance } from '../acceptance.ts'
import { writeBodies } from '../bodies.ts'
import { type MillraceSubject, startMillrace } from '../contenders/millrace.ts'
import { type StandIn, startStandIn } from '../contenders/stand-in.ts'
import { grow, journalFor } from '../growing.ts'
import { rssBytes, rssPeakBytes } from '../process-tree.ts'
import type { Median, Question, Session } from '../question.ts'
import { alternate } from '../round.ts'

/** Each is a process of its own, and the destination takes everything. */
const LOADS = [
  { payloadsEach: 1, connections: 256 },
  { payloadsEach: 1, connections: 4000 },
  { payloadsEach: 100, connections: 64 },
  { payloadsEach: 100, connections: 1000 },
  { payloadsEach: 10_000, connections: 32 },
].map((load) => ({ ...load, name: `${load.payloadsEach} a POST, ${load.connections} connections` }))

const QUARTERS = [25, 50, 75, 100]
const backlogName = (percent: number) => `destination down, backlog at ${percent} %`

export const memory: Question = {
  name: 'memory',
  what: 'How much memory does Millrace take, at any load and while a backlog grows?',
  needs: ['wrk'],
  notes: [
    'RSS of Millrace’s processes. Peaks are the kernel’s own (VmHWM), of a process of its own for each load.',
    'For the backlog the stand-in answers 503 to everything, 100 payloads a POST over 64 connections, until the journal holds as many bytes of bodies as `--backlog` says (1 GiB if it isn’t given).',
  ],
  columns: [
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
    { figure: 'rssMb', head: 'RSS then MB', digits: 0 },
    { figure: 'backlogMib', head: 'backlog MiB', digits: 0 },
    { figure: 'postsPerSecond', head: 'POST/s', digits: 0 },
    { figure: 'refused', head: 'refused', digits: 0 },
    { figure: 'broken', head: 'broken', digits: 0 },
  ],
  bars: [
    {
      number: 8,
      what: 'RSS at any load: the highest peak',
      unit: 'MB',
      digits: 0,
      atMost: 150,
      measured: (median) => highest(median, [...LOADS.map(({ name }) => name), ...QUARTERS.map(backlogName)]),
    },
    {
      number: 8,
      what: 'RSS with the destination down: the whole backlog against a quarter of it',
      unit: '×',
      digits: 2,
      atMost: 1.1,
      measured(median) {
        const [quarter, whole] = [median(backlogName(25), 'rssMb'), median(backlogName(100), 'rssMb')]
        return quarter && whole ? whole / quarter : undefined
      },
    },
  ],
  defaults: { rounds: 3 },
  takes: ['backlog'],
  async ask(session: Session) {
    const directory = session.directory('bodies')
    const contenders = LOADS.map(({ name, payloadsEach, connections }) => ({
      name,
      async measure() {
        await using standIn = await startStandIn()
        await using subject = await startMillrace(session.directory('data'), standIn.endpoint)
        return await measureAcceptance(session, subject, writeBodies(directory, payloadsEach), connections)
      },
    }))
    await alternate(session, contenders)
    for (let round = 0; round < session.settings.rounds; round++) {
      await using standIn = await startStandIn()
      const options = journalFor(session.settings.backlogBytes)
      await using subject = await startMillrace(session.directory('data'), standIn.endpoint, options)
      await growBacklog(session, subject, standIn, writeBodies(directory, 100), round)
    }
  },
}

async function growBacklog(
  session: Session,
  subject: MillraceSubject,
  standIn: StandIn,
  bodies: string,
  round: number,
) {
  await standIn.answer(503)
  for (const percent of QUARTERS) {
    const { pendingBytes } = await grow(subject, bodies, (session.settings.backlogBytes * percent) / 100)
    const figures = {
      rssPeakMb: rssPeakBytes(subject.pid) / 1e6,
      rssMb: rssBytes(subject.pid) / 1e6,
      backlogMib: pendingBytes / 2 ** 20,
    }
    session.add({ round, contender: backlogName(percent), figures })
  }
}

function highest(median: Median, names: readonly string[]): number | undefined {
  const peaks = names.flatMap((name) => median(name, 'rssPeakMb') ?? [])
  return peaks.length === 0 ? undefined : Math.max(...peaks)
}
