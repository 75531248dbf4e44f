/** A delivery thread that hangs in its first job, and works from then on: a file says whether it has hung before. */

import { existsSync, writeFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { JobMessage, ThreadStart } from '../../src/delivery/messages.ts'

const { place } = workerData as ThreadStart
const marker = place.kind === 'directory' ? `${place.root}.hung` : ''

if (existsSync(marker)) {
  await import('../../src/delivery/thread.ts')
} else {
  parentPort?.on('message', (message: JobMessage) => {
    if (message.kind !== 'deliver') return
    writeFileSync(marker, '')
    for (;;);
  })
}
