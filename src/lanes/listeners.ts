/** Where a lane listens: alone on the port, or on the port that all share and on a socket file for its sisters. */

import type { Inspection } from '../intake/inspect.ts'
import { type Listener, listen, listenPrivately, refuseTaken } from '../intake/listener.ts'
import type { PostContext } from '../intake/post.ts'
import type { Platform } from '../platform/platform.ts'
import { Overview } from './overview.ts'
import { Sisters, type SistersOptions, socketPath } from './sisters.ts'

/** Which lane it is, and where all of them listen. */
export interface LaneListenOptions extends SistersOptions {
  host: string
  port: number
  /** No sister listens there yet. */
  isFirst: boolean
}

/** How posts are handled, given who knows of all lanes and who takes those of other lanes. */
export type ContextOf = (whole: Inspection, passOn: PostContext['passOn']) => PostContext

const takenHere: PostContext['passOn'] = () => undefined

/** Starts listening, or throws `Fault('listen_failed')`. `own` is what this lane knows by itself. */
export async function listenAsLane(
  options: LaneListenOptions,
  own: Inspection,
  contextOf: ContextOf,
  { files, clock }: Platform,
): Promise<Listener> {
  const { lane, lanes, host, port, isFirst, socketDirectory } = options
  if (lanes === 1) return await listen({ host, port, isShared: false, inspection: own }, contextOf(own, takenHere))
  const sisters = new Sisters(options, clock)
  const whole = new Overview({ lane, lanes }, own, sisters)
  const path = socketPath(socketDirectory, lane)
  // What a killed one left.
  await files.remove(path)
  const privately = listenPrivately(path, own, contextOf(whole, takenHere))
  try {
    // Who shares a port is told of nobody.
    if (isFirst) await refuseTaken({ host, port })
    const context = contextOf(whole, (post) => sisters.passOn(post))
    const shared = await listen({ host, port, isShared: true, inspection: whole }, context)
    const close = async () => {
      await shared.close()
      await privately.close()
    }
    return { ...shared, close }
  } catch (error) {
    await privately.close()
    throw error
  }
}
