/** The entry of a lane's own process: does what its supervisor says, and stops by itself when that is gone. */

import { loadOptions } from './config/load.ts'
import { type Lane, startLane } from './lane.ts'
import type { FromLane, ToLane } from './lanes/messages.ts'
import { shareOf } from './lanes/share.ts'
import { FAULTS, Fault } from './observe/errors.ts'
import { createLog } from './observe/log.ts'
import { systemPlatform } from './platform/platform.ts'

/** A lane without its supervisor finishes what is under way and makes room for the next start, which delivers the rest. */
const ORPHAN_GRACE_MS = 2000
/** And what it is at when so much more time is over, it does not finish: also a stop whose grace is longer, or a slow start. */
const ORPHAN_MARGIN_MS = 1000

type Start = Extract<ToLane, { kind: 'start' }>
type Listen = Extract<ToLane, { kind: 'listen' }>

const startWanted = Promise.withResolvers<Start>()
const listenWanted = Promise.withResolvers<Listen>()
const stopWanted = Promise.withResolvers<number>()

process.on('message', (message: ToLane) => {
  if (message.kind === 'start') startWanted.resolve(message)
  else if (message.kind === 'listen') listenWanted.resolve(message)
  else if (message.kind === 'stop') stopWanted.resolve(message.graceMs)
  else void say({ kind: 'answer' })
})
process.on('disconnect', () => {
  stopWanted.resolve(ORPHAN_GRACE_MS)
  systemPlatform.clock.after(ORPHAN_GRACE_MS + ORPHAN_MARGIN_MS, () => process.exit(1))
})
// A terminal and some init systems signal every process of a group: that stop is the supervisor's to order.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})

process.exit(await main())

async function main(): Promise<number> {
  const start = await Promise.race([startWanted.promise, stopWanted.promise])
  if (typeof start === 'number') return 0
  const log = createLog(systemPlatform.clock, (line) => console.log(line), start.lane)
  let lane: Lane | undefined
  try {
    const loaded = loadOptions(process.argv.slice(2), process.env)
    if (loaded.kind !== 'options') throw new Error('the supervisor has read these options and found them right')
    const options = shareOf(loaded.options, start.lane)
    const at = { lane: start.lane, lanes: options.lanes, node: start.node }
    lane = await startLane(options, process.env, systemPlatform, log.observe, at)
    await say({ kind: 'recovered' })
    const listen = await Promise.race([listenWanted.promise, stopWanted.promise.then(() => undefined)])
    if (listen) {
      const listener = await lane.listen({ ...listen, socketDirectory: start.socketDirectory })
      await say({ kind: 'listening', ...listener, destination: lane.destination })
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    await lane?.stop(0)
    await say({ kind: 'fault', code: error.code, message: error.message })
    return FAULTS[error.code].exitCode
  }
  await lane.stop(await stopWanted.promise)
  log.flush()
  await say({ kind: 'stopped', backlog: lane.backlog() })
  return 0
}

/** Resolves when the supervisor has it, or is gone. */
function say(message: FromLane): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) return resolve()
    process.send(message, () => resolve())
  })
}
