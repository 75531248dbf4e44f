/** Bar 12: what the library adds to a job that does nothing, against those that people use for it today. */

import { buildLibrary, installDispatchPeers, measureDispatch } from '../contenders/peer-dispatch.ts'
import type { Figures, Median, Question, Session } from '../question.ts'
import { alternate } from '../round.ts'

const PEERS = ['fastq', 'p-queue', 'piscina']

export const dispatch: Question = {
  name: 'dispatch',
  what: 'What does millrace/dispatch add to a job, against p-queue, fastq and piscina?',
  needs: ['npm'],
  notes: [
    'A job is an async function that returns its argument, and each gives a promise of its result. “queued” is 1,000,000 of them given at once; otherwise 200 callers give one after another. Both with 100 workers. “thread” is the same with 2 threads and 5,000 at once. Each contender runs in processes of its own.',
    'piscina has threads only, and is measured on Node.',
  ],
  columns: [
    { figure: 'bunNs', head: 'Bun ns a job', digits: 0 },
    { figure: 'bunQueuedNs', head: 'Bun ns a job, queued', digits: 0 },
    { figure: 'nodeNs', head: 'Node ns a job', digits: 0 },
    { figure: 'nodeQueuedNs', head: 'Node ns a job, queued', digits: 0 },
    { figure: 'nodeThreadMicros', head: 'Node thread µs a job', digits: 1 },
    { figure: 'nodeMajor', head: 'Node', digits: 0 },
  ],
  bars: [
    bar('bunNs', 'a job through 100 workers, on Bun'),
    bar('bunQueuedNs', 'a job of 1,000,000 that are queued, on Bun'),
    bar('nodeNs', 'a job through 100 workers, on Node'),
    bar('nodeQueuedNs', 'a job of 1,000,000 that are queued, on Node'),
    bar('nodeThreadMicros', 'a job through 2 threads, on Node'),
  ],
  defaults: { seconds: 2, rounds: 5 },
  async ask(session: Session) {
    session.say('installing the peers where they are missing …')
    await installDispatchPeers()
    const library = await buildLibrary(session.directory('library'))
    const { seconds } = session.settings
    await alternate(
      session,
      ['Millrace', ...PEERS].map((name) => ({
        name,
        async measure() {
          const figures: Record<string, number> = {}
          const add = (prefix: string, measured: Figures) => {
            for (const [figure, value] of Object.entries(measured)) {
              figures[prefix + (figure[0] as string).toUpperCase() + figure.slice(1)] = value
            }
          }
          if (name !== 'piscina') {
            for (const runtime of ['bun', 'node'] as const) {
              add(runtime, await measureDispatch(runtime, name, 'jobs', seconds, library))
            }
          }
          if (name === 'Millrace' || name === 'piscina') {
            add('node', await measureDispatch('node', name, 'threads', seconds, library))
          }
          return figures
        },
      })),
    )
  },
}

/** On par with the fastest is 1. */
function bar(figure: string, what: string) {
  return {
    number: 12,
    what: `what the fastest peer takes for ${what}, against Millrace’s`,
    unit: '×',
    digits: 2,
    atLeast: 1,
    measured: (median: Median) => {
      const peers = PEERS.flatMap((peer) => median(peer, figure) ?? [])
      const ours = median('Millrace', figure)
      return peers.length === 0 || !ours ? undefined : Math.min(...peers) / ours
    },
  }
}
