/** The composition root: builds the pipeline, its delivery threads and the intake before it, and stops them in order. */

import { join } from 'node:path'
import type { Options } from './config/options.ts'
import { DeliveryThreads } from './delivery/threads.ts'
import { objectsOf, whereIs } from './delivery/whereabouts.ts'
import { type Place, parsePlace } from './destination/place.ts'
import { Admission } from './intake/admission.ts'
import { Deadlines } from './intake/deadlines.ts'
import { DrainRate } from './intake/drain-rate.ts'
import { Idempotency } from './intake/idempotency.ts'
import type { Inspection } from './intake/inspect.ts'
import { type Listener, listen } from './intake/listener.ts'
import { StoredWaiters } from './intake/stored-waiters.ts'
import { openDataDirectory } from './journal/data-directory.ts'
import { Fault } from './observe/errors.ts'
import type { Observer } from './observe/events.ts'
import { Ledger } from './observe/ledger.ts'
import type { Amount, SegmentOutcome } from './observe/ledger-entry.ts'
import { startPipeline } from './pipeline.ts'
import type { Timer } from './platform/clock.ts'
import { lockFile } from './platform/lock.ts'
import type { Platform } from './platform/platform.ts'

/** A running server. */
export interface Server {
  url: string
  /** Where objects go, for people. */
  destination: string
  /** What undelivered segments hold, and what turned out dead since the start. */
  backlog(): { segments: number; payloads: number; dead: number }
  /** Refuses what comes, delivers what is there for up to `graceMs`, and ends. What is left waits for the next start. */
  stop(graceMs: number): Promise<void>
}

/** Bytes of finished objects held in memory while they are put, all threads together. */
const BODY_BYTES_MAX = 32 * 1024 * 1024
/** With an object per payload, how many may be put at once for each of `--max-workers`: they are small, and most of a put is waiting. */
const PUTS_PER_WORKER = 8
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
  checkAck(options)
  const directory = await openDataDirectory(platform, lockFile, options.data)
  try {
    const start = {
      place,
      bodyBytesMax: BODY_BYTES_MAX,
      workersMax: options.maxWorkers,
      putsMax: options.maxWorkers * PUTS_PER_WORKER,
    }
    const threads = new DeliveryThreads(options.threads, start, clock, observe)
    const drain = new DrainRate(clock)
    const storedWaiters = new StoredWaiters(options.ackStoredTimeoutMs, clock)
    const ledger = await Ledger.open(platform.files, clock, join(options.data, 'ledger'), options.ledgerDays)
    const before = amountsOf(ledger)
    const deadBefore = ledger.totals.dead.payloads
    const destinationUrl = place.kind === 'directory' ? place.root : (options.to ?? '')
    const { maxWorkers, lingerMs, format, compression, objectBytesMax } = options
    const lane = { laneDirectory: directory.laneDirectory(LANE), node: directory.node, lane: LANE }
    const pipeline = await startPipeline(
      platform,
      {
        ...lane,
        lingerMs,
        format,
        compression,
        objectBytesMax,
        maxWorkers,
        noteWindowMs: options.idempotencyWindowMs,
        destination: destinationUrl,
      },
      (segment) => threads.deliver(segment),
      ledger,
      observe,
      ({ number, payloads, bytes }, outcome) => {
        drain.add(payloads, bytes)
        storedWaiters.over(number, (place) => objectsAt(outcome, place))
      },
    )
    const { journal } = pipeline
    const { idempotencyWindowMs: windowMs, idempotencyKeysMax: keysMax } = options
    const idempotency = new Idempotency({ windowMs, keysMax }, clock)
    idempotency.remember(journal.notes)
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
    const lookUp = (receipt: string) =>
      whereIs(receipt, {
        node: directory.node,
        holds: ({ lane, segment, tag, place }) => lane === LANE && journal.holds(segment, tag, place),
        find: (lane, segment, tag) => ledger.find(lane, segment, tag),
      })
    const inspection: Inspection = {
      whereIs: lookUp,
      balance: () => ({
        accepted: {
          payloads: before.payloads + journal.accepted.payloads,
          bytes: before.bytes + journal.accepted.bytes,
        },
        stored: ledger.totals.stored,
        pending: journal.pending,
        dead: ledger.totals.dead,
      }),
      puts: () => threads.puts,
      status: () => {
        const refusal = notReady()
        const ready = refusal ? { ready: false, code: refusal.code, detail: refusal.detail } : { ready: true }
        return { ...ready, destination: destinationUrl, segments: pipeline.backlog().segments }
      },
    }
    let listener: Listener
    try {
      // A body that could never fit the journal is too large, not early.
      const bodyBytesMax = Math.min(options.bodyBytesMax, options.journalBytesMax / 2)
      const { host, port, ackDefault, ackAllow, ackStoredLingerMs } = options
      const storedIn = async (receipt: string) => {
        const found = await lookUp(receipt)
        return found?.state === 'stored' ? found.objects.map(({ name }) => name) : undefined
      }
      const ack = { default: ackDefault, allow: ackAllow, storedLingerMs: ackStoredLingerMs, storedWaiters, storedIn }
      const context = { journal, admission, deadlines, clock, observe, bodyBytesMax, ack, idempotency }
      listener = await listen({ host, port, notReady, inspection }, context)
    } catch (error) {
      disk.close()
      await journal.close()
      await threads.stop()
      throw error
    }

    return {
      url: listener.url,
      destination: destinationUrl,
      backlog: () => ({ ...pipeline.backlog(), dead: ledger.totals.dead.payloads - deadBefore }),
      async stop(graceMs) {
        // In the order payloads flow. Stragglers get their 503 until all that was accepted is stored or time is up.
        admission.stop()
        await pipeline.drain(graceMs)
        storedWaiters.close()
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
    // What the disk says of files in the data directory; anything else is a bug and stays one.
    const { code, path = options.data, message } = error as NodeJS.ErrnoException
    if (error instanceof Fault || code === undefined) throw error
    throw new Fault('data_unusable', `${path}: ${message}`, { cause: error })
  }
}

function placeFrom(options: Options, env: Readonly<Record<string, string | undefined>>): Place {
  const place = parsePlace(options.to ?? `${options.data}/objects`, env)
  if (typeof place === 'string') throw new Fault('config_invalid', `--to is '${options.to}': ${place}`)
  return place
}

function checkAck({ ackDefault, ackAllow }: Options): void {
  if (ackAllow.includes(ackDefault)) return
  throw new Fault('config_invalid', `--ack-default is '${ackDefault}': --ack-allow leaves only ${ackAllow.join(', ')}`)
}

/** The objects of the record at `place`; undefined when it never came into any. */
function objectsAt(outcome: SegmentOutcome, place: number): string[] | undefined {
  if (outcome.letters.some((letter) => letter.place === place)) return undefined
  return objectsOf(outcome, place).map(({ name }) => name)
}

/** What had left the journal before this process started. */
function amountsOf({ totals: { stored, dead } }: Ledger): Amount {
  return { payloads: stored.payloads + dead.payloads, bytes: stored.bytes + dead.bytes }
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
