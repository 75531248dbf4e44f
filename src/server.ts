/** The composition root: builds the pipeline, its delivery threads and the intake before it, and stops them in order. */

import { join } from 'node:path'
import type { Options } from './config/options.ts'
import { DeliveryThreads } from './delivery/threads.ts'
import { type Place, parsePlace } from './destination/place.ts'
import { Admission } from './intake/admission.ts'
import { Deadlines } from './intake/deadlines.ts'
import { DrainRate } from './intake/drain-rate.ts'
import { type Listener, listen } from './intake/listener.ts'
import { openDataDirectory } from './journal/data-directory.ts'
import { Fault } from './observe/errors.ts'
import type { Observer } from './observe/events.ts'
import { Ledger } from './observe/ledger.ts'
import { startPipeline } from './pipeline.ts'
import type { Timer } from './platform/clock.ts'
import { lockFile } from './platform/lock.ts'
import type { Platform } from './platform/platform.ts'

/** A running server. */
export interface Server {
  url: string
  /** Where objects go, for people. */
  destination: string
  /** What undelivered segments hold. */
  backlog(): { segments: number; payloads: number }
  /** Refuses what comes, delivers what is there for up to `graceMs`, and ends. What is left waits for the next start. */
  stop(graceMs: number): Promise<void>
}

/** Bytes of finished objects held in memory while they are put, all threads together. */
const BODY_BYTES_MAX = 32 * 1024 * 1024
/** How often the free space of the journal's disk is looked at. */
const DISK_LOOK_MS = 1000
const LANE = 0

/** Starts everything, or throws a `Fault` with nothing left running. */
export async function startServer(
  options: Options,
  env: Readonly<Record<string, string | undefined>>,
  platform: Platform,
  observe: Observer,
): Promise<Server> {
  const { clock } = platform
  const place = placeFrom(options, env)
  const directory = await openDataDirectory(platform, lockFile, options.data)
  try {
    const start = { place, bodyBytesMax: Math.floor(BODY_BYTES_MAX / options.threads) }
    const threads = new DeliveryThreads(options.threads, start, clock, observe)
    const drain = new DrainRate(clock)
    const ledger = await Ledger.open(platform.files, clock, join(options.data, 'ledger'), options.ledgerDays)
    const destinationUrl = place.kind === 'directory' ? place.root : (options.to ?? '')
    const { maxWorkers, lingerMs, compression, objectBytesMax } = options
    const lane = { laneDirectory: directory.laneDirectory(LANE), node: directory.node, lane: LANE }
    const pipeline = await startPipeline(
      platform,
      { ...lane, lingerMs, compression, objectBytesMax, maxWorkers, destination: destinationUrl },
      (segment) => threads.deliver(segment),
      ledger,
      observe,
      ({ payloads, bytes }) => drain.add(payloads, bytes),
    )
    const { journal } = pipeline
    const admission = new Admission(options, journal, drain)
    const disk = await watchDisk(platform, options.data, admission)

    const deadlines = new Deadlines(options.bodyTimeoutMs, clock)
    const notReady = () => {
      const reason = threads.parked
      return (
        admission.status() ??
        (reason === undefined ? undefined : { code: 'destination_parked' as const, detail: reason })
      )
    }
    let listener: Listener
    try {
      // A body that could never fit the journal is too large, not early.
      const bodyBytesMax = Math.min(options.bodyBytesMax, options.journalBytesMax / 2)
      const context = { journal, admission, deadlines, clock, observe, bodyBytesMax }
      listener = listen({ host: options.host, port: options.port, notReady }, context)
    } catch (error) {
      disk.close()
      await journal.close()
      await threads.stop()
      throw error
    }

    return {
      url: listener.url,
      destination: destinationUrl,
      backlog: pipeline.backlog,
      async stop(graceMs) {
        // In the order payloads flow. Stragglers get their 503 until all that was accepted is stored or time is up.
        admission.stop()
        await pipeline.drain(graceMs)
        await threads.stop()
        await ledger.close()
        await listener.close()
        deadlines.close()
        disk.close()
        directory.release()
      },
    }
  } catch (error) {
    directory.release()
    throw error
  }
}

function placeFrom(options: Options, env: Readonly<Record<string, string | undefined>>): Place {
  const place = parsePlace(options.to ?? `${options.data}/objects`, env)
  if (typeof place === 'string') throw new Fault('config_invalid', `--to is '${options.to}': ${place}`)
  return place
}

/** Tells admission the free space now, and again and again. */
async function watchDisk({ files, clock }: Platform, directory: string, admission: Admission) {
  let timer: Timer | undefined
  let closed = false
  const look = async () => {
    try {
      admission.diskIs(await files.space(directory))
    } catch {
      // The last figure stands; a disk that is gone shows itself at the next write.
    }
    if (!closed) timer = clock.after(DISK_LOOK_MS, () => void look())
  }
  await look()
  return {
    close() {
      closed = true
      timer?.cancel()
    },
  }
}
