/** The server: one lane in this process, on a data directory that is locked; with more lanes see `supervisor.ts`. */

import type { Options } from './config/options.ts'
import type { HandlerOptions } from './delivery/to-handler.ts'
import type { State } from './intake/inspect.ts'
import { openDataDirectory } from './journal/data-directory.ts'
import { checkOptions, startLane } from './lane.ts'
import { removeSockets } from './lanes/sisters.ts'
import type { Observer } from './observe/events.ts'
import { lockFile } from './platform/lock.ts'
import type { Platform } from './platform/platform.ts'

/** What undelivered segments hold, and what turned out dead since the start. */
export interface Backlog {
  segments: number
  payloads: number
  dead: number
  /** Lanes that ended otherwise than by a stop: what they left is not in these figures. */
  silentLanes?: number
}

/** A running server. */
export interface Server {
  url: string
  /** Where it takes lines over TCP. */
  tcp: string | undefined
  /** Where objects go, for people. */
  destination: string
  /** The lanes that have processes of their own. */
  processes: readonly number[]
  /** What a stop has left. */
  backlog(): Backlog
  /** Refuses what comes, delivers what is there for up to `graceMs`, and ends. What is left waits for the next start. */
  stop(graceMs: number): Promise<void>
}

/** A server in this process. */
export interface OwnServer extends Server {
  port: number
  state(): Promise<State>
}

/** Starts everything, or throws a `Fault` with nothing left running. With `toHandler` a function takes the payloads. */
export async function startServer(
  options: Options,
  env: Readonly<Record<string, string | undefined>>,
  platform: Platform,
  observe: Observer,
  toHandler?: HandlerOptions,
): Promise<OwnServer> {
  checkOptions(options, env)
  const directory = await openDataDirectory(platform, lockFile, options.data, () => observe({ kind: 'lanes-awaited' }))
  try {
    // Of an earlier run with several lanes.
    await removeSockets(platform.files, options.data)
    const at = { lane: 0, lanes: 1, node: directory.node }
    const lane = await startLane(options, env, platform, observe, at, toHandler)
    try {
      const listen = { port: options.port, isFirst: true, socketDirectory: options.data }
      const { url, port, tcp } = await lane.listen(listen)
      const { destination } = lane
      return {
        url,
        port,
        tcp: tcp?.address,
        destination,
        processes: [],
        state: () => lane.state(),
        backlog: () => lane.backlog(),
        async stop(graceMs) {
          await lane.stop(graceMs)
          directory.release()
        },
      }
    } catch (error) {
      await lane.stop(0)
      throw error
    }
  } catch (error) {
    directory.release()
    throw error
  }
}
