/** Every question there is. */

import type { Question } from './question.ts'
import { ackLatency } from './questions/ack-latency.ts'
import { batch } from './questions/batch.ts'
import { dispatch } from './questions/dispatch.ts'
import { growth } from './questions/growth.ts'
import { guard } from './questions/guard.ts'
import { landed } from './questions/landed.ts'
import { lanes } from './questions/lanes.ts'
import { memory } from './questions/memory.ts'
import { payloadObjects } from './questions/payload-objects.ts'
import { peers } from './questions/peers.ts'
import { single } from './questions/single.ts'
import { sources } from './questions/sources.ts'
import { tcp } from './questions/tcp.ts'

/** In the order of their bars. */
export const QUESTIONS: readonly Question[] = [
  single,
  landed,
  batch,
  payloadObjects,
  ackLatency,
  memory,
  growth,
  sources,
  lanes,
  peers,
  dispatch,
  tcp,
  guard,
]
