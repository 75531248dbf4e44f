/** A delivery thread's entry: takes segments by message and answers with what became of them. */

import { parentPort, workerData } from 'node:worker_threads'
import { openDestination, placeKey } from '../destination/place.ts'
import { Garbage } from '../platform/garbage.ts'
import { systemPlatform } from '../platform/platform.ts'
import { ChunkPool } from './chunk-pool.ts'
import { createCompressor } from './compressor.ts'
import { createDecompressor } from './decompressor.ts'
import { deliver } from './deliver.ts'
import type { DeliveryContext } from './delivery-context.ts'
import { CHUNK_BYTES } from './encode.ts'
import { Lines } from './lines.ts'
import type { JobMessage, ThreadData, ThreadMessage } from './messages.ts'
import { Pace } from './pace.ts'
import { Parking } from './parking.ts'
import { PutGauges } from './put-gauges.ts'
import { PutLimit } from './put-limit.ts'
import { Budget, Turn } from './turn.ts'

/** Of stored objects, whose pieces and copies lie about; measured at 64 MiB objects: 135 to 144 MB instead of 151 to 166. */
const GARBAGE_BYTES_MAX = 8 * 1024 * 1024

/** Of single payloads: a line is written for so many puts, and after a crash so many more are put again. */
const NOTE_PAYLOADS = 256

const start = workerData as ThreadData
const gauges = new PutGauges(start.gauges)
const say = (message: ThreadMessage) => parentPort?.postMessage(message)

const context: DeliveryContext = {
  platform: systemPlatform,
  destination: openDestination(start.place, systemPlatform, process.env),
  destinationKey: placeKey(start.place),
  turn: new Turn(),
  sorting: new Budget(1),
  pace: new Pace(systemPlatform.clock),
  // S3 compares what it gets with its SHA-256, and keeps that; a directory and another Millrace don't.
  compress: (compression) => createCompressor(compression, start.place.kind !== 's3'),
  decompress: createDecompressor,
  lines: new Lines(),
  // Two for each object being encoded; more than one at a time only around a full hour or with many sources.
  chunks: new ChunkPool(CHUNK_BYTES, 8),
  parking: new Parking(systemPlatform.clock),
  garbage: new Garbage({ bytesMax: GARBAGE_BYTES_MAX }),
  bodies: new Budget(start.bodyBytesMax),
  puts: new Budget(start.putsMax),
  notePayloads: NOTE_PAYLOADS,
  limits: {
    lines: new PutLimit(systemPlatform.clock, start.workersMax, (counts) => gauges.set('lines', counts)),
    payload: new PutLimit(
      systemPlatform.clock,
      start.putsMax,
      (counts) => gauges.set('payload', counts),
      start.putsAtStart,
    ),
  },
  observe: (event) => say({ kind: 'event', event }),
  // The thread is ended from outside; a delivery that is cut off is repeated after the next start.
  signal: new AbortController().signal,
}

/** Of the jobs that may rest. */
const hurries = new Map<number, AbortController>()

parentPort?.on('message', (message: JobMessage) => {
  if (message.kind === 'ask') return say({ kind: 'answer' })
  if (message.kind === 'hurry') return hurries.get(message.job)?.abort()
  const { job, path, isHurried } = message
  const hurry = new AbortController()
  if (isHurried) hurry.abort()
  else hurries.set(job, hurry)
  deliver(path, context, (trouble) => say({ kind: 'trouble', job, trouble }), hurry.signal)
    .then(
      (delivered) => say({ kind: 'done', job, delivered: JSON.stringify(delivered) }),
      (error: unknown) =>
        say({ kind: 'failed', job, reason: error instanceof Error ? (error.stack ?? error.message) : `${error}` }),
    )
    .finally(() => hurries.delete(job))
})
