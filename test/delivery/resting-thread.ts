/** A delivery thread that rests wherever it may, and forever unless it is hurried; it says so when it begins to. */

import { parentPort } from 'node:worker_threads'
import type { ThreadMessage } from '../../src/delivery/messages.ts'
import { STRETCH_MS } from '../../src/delivery/pace.ts'
import { systemPlatform } from '../../src/platform/platform.ts'

const { clock } = systemPlatform
const { sleep } = clock
let nowMs = 0
clock.monotonicMs = () => nowMs++ * STRETCH_MS
clock.sleep = (_, signal) => {
  const event: ThreadMessage = { kind: 'event', event: { kind: 'delivery-crash', reason: 'rests' } }
  parentPort?.postMessage(event)
  return sleep(2 ** 31 - 1, signal)
}

await import('../../src/delivery/thread.ts')
