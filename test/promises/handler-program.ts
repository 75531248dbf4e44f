/** A program with a function behind the journal: what it takes is on the disk, in a file of its own, before it says so. */

import { appendFileSync, fdatasyncSync, openSync } from 'node:fs'
import { millrace } from '../../src/millrace.ts'

const [data = '', path = '', batch = ''] = process.argv.slice(2)
const file = openSync(path, 'a')

const server = await millrace({
  port: 0,
  data,
  lingerMs: 20,
  objectBytesMax: 64 * 1024,
  maxWorkers: 8,
  batch: batch === 'payload' ? 'payload' : 'record',
  raw: true,
  log: false,
  async to(payloads: string[], { receipt, index }) {
    await Bun.sleep(Math.random() * 4)
    if (Math.random() < 0.02) throw new Error('not this time')
    appendFileSync(file, `${JSON.stringify({ receipt, index, payloads })}\n`)
    fdatasyncSync(file)
    if (Math.random() < 0.02) throw new Error('taken, and nobody hears of it')
  },
})
process.on('SIGTERM', async () => {
  const { segments, payloads } = await server.stop()
  process.exit(segments + payloads === 0 ? 0 : 1)
})
console.log(`listens on ${server.url}`)
