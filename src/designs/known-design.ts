/**
 * A known design as a program: an HTTP server that takes a `PayloadCollection`, gives each payload to a dispatcher as a job,
 * and says yes while they are in memory. A job is the upload of one payload; one that fails is logged, and gone. While the queue is
 * full the request waits, as the articles' handler does in sending to a full channel. Its argument is `KnownDesign` in JSON.
 */

import { Dispatcher } from '../dispatch/index.ts'
import type { DispatchSettings } from './designs.ts'

/** What it is told. */
export interface KnownDesign extends DispatchSettings {
  /** Where payloads are put. */
  store: string
}

/** How often it looks whether whoever started it is still there. */
const PARENT_MS = 1000

const { workers, queue, store } = JSON.parse(process.argv[2] ?? '') as KnownDesign
let uploads = 0

const dispatcher = new Dispatcher<unknown>({
  workers: workers ?? Number.POSITIVE_INFINITY,
  queue,
  waitingMax: Number.MAX_SAFE_INTEGER,
  async run(payload) {
    const { ok, status } = await fetch(`${store}/payload-${uploads++}`, {
      method: 'PUT',
      body: JSON.stringify(payload),
    })
    if (!ok) throw new Error(`the store said ${status}`)
  },
})
dispatcher.on('failed', ({ error }) => console.error(`an upload failed: ${(error as Error).message}`))

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  // A request that waits for room in the queue waits for as long as that takes.
  idleTimeout: 0,
  async fetch(request) {
    const { data } = (await request.json()) as { data: unknown[] }
    for (const payload of data) await dispatcher.put(payload)
    return new Response('{}')
  },
})
console.log(`listens on http://127.0.0.1:${server.port}`)

const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) process.exit(1)
}, PARENT_MS)
