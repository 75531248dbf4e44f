/** Bar 11: the CPU of a payload from POST to object, against what a TypeScript team would build today. */

import { writeBodies } from '../bodies.ts'
import { startMillrace } from '../contenders/millrace.ts'
import { installPeer, startPeer } from '../contenders/peer-bullmq.ts'
import { startStandIn } from '../contenders/stand-in.ts'
import { measureWork } from '../landing.ts'
import { type Question, ratio, type Session } from '../question.ts'
import { alternate } from '../round.ts'

/** So many POSTs for each second that was asked for. */
const PEER_POSTS = 2000
const MILLRACE_POSTS = 50_000

export const peers: Question = {
  name: 'peers',
  what: 'How much CPU does a payload take from POST to object, against Fastify, BullMQ, Redis and the AWS SDK?',
  needs: ['redis-server', 'npm'],
  notes: [
    'One payload a POST over 64 connections, a fixed number of them, until the last has landed at the S3 stand-in. A tenth as many went before. CPU is that of all processes: server, worker and Redis there, Millrace here (whose time includes the 5 s of `--linger`).',
    'The peer runs on Node; Redis keeps an append-only file, synced every second (`appendfsync everysec`), so that a second of acked payloads can be lost; its worker puts one object a payload, 50 at once.',
  ],
  columns: [
    { figure: 'payloadsPerSecond', head: 'POST to object, payloads/s', digits: 0 },
    { figure: 'cpuPerMillion', head: 'CPU s per million', digits: 1 },
    { figure: 'rssPeakMb', head: 'RSS peak MB', digits: 0 },
  ],
  bars: [
    {
      number: 11,
      what: 'CPU per payload of Fastify, BullMQ, Redis and SDK, against Millrace’s',
      unit: '×',
      digits: 0,
      atLeast: 20,
      measured: (median) => ratio(median, 'cpuPerMillion', 'Fastify + BullMQ', 'Millrace'),
    },
  ],
  async ask(session: Session) {
    const bodies = writeBodies(session.directory('bodies'), 1)
    session.say('installing the peer where it is missing …')
    await installPeer()
    const { seconds } = session.settings
    await alternate(session, [
      {
        name: 'Millrace',
        async measure() {
          await using standIn = await startStandIn()
          await using subject = await startMillrace(session.directory('data'), standIn.endpoint)
          return await measureWork(subject, { bodies, payloadsEach: 1, posts: seconds * MILLRACE_POSTS })
        },
      },
      {
        name: 'Fastify + BullMQ',
        async measure() {
          await using standIn = await startStandIn()
          await using subject = await startPeer(session.directory('redis'), standIn)
          return await measureWork(subject, { bodies, payloadsEach: 1, posts: seconds * PEER_POSTS })
        },
      },
    ])
  },
}
