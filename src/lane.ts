/** One lane: its pipelines, their delivery threads and the intake before them, built in flow order and stopped in order. */

import type { Options } from './config/options.ts'
import { HANDLER } from './delivery/handler.ts'
import { HURRIED, Hurry } from './delivery/hurry.ts'
import { DeliveryThreads } from './delivery/threads.ts'
import { HandlerDeliveries, type HandlerOptions } from './delivery/to-handler.ts'
import { objectsOf } from './delivery/whereabouts.ts'
import { type Place, parsePlace, withoutSecrets } from './destination/place.ts'
import { Admission } from './intake/admission.ts'
import { Deadlines } from './intake/deadlines.ts'
import { DrainRate } from './intake/drain-rate.ts'
import { Idempotency, laneOfKey } from './intake/idempotency.ts'
import { type Inspection, receiptAnswer, type State, storedIn } from './intake/inspect.ts'
import type { Listener } from './intake/listener.ts'
import type { Refusal } from './intake/problem.ts'
import { StoredWaiters } from './intake/stored-waiters.ts'
import type { TcpListener } from './intake/tcp-listener.ts'
import { MADE_NOTES_WINDOW_MS } from './journal/journal.ts'
import { parseSegmentPath } from './journal/name.ts'
import { type ContextOf, listenAsLane } from './lanes/listeners.ts'
import type { LanePlace } from './lanes/overview.ts'
import { Fault } from './observe/errors.ts'
import type { Observer } from './observe/events.ts'
import type { SegmentOutcome } from './observe/ledger-entry.ts'
import { placeForLedger } from './observe/ledger-place.ts'
import { Pipelines } from './pipelines.ts'
import type { Timer } from './platform/clock.ts'
import { Garbage } from './platform/garbage.ts'
import type { Platform } from './platform/platform.ts'
import { startTcp, tcpFault } from './tcp-intake.ts'

/** A lane that delivers, and takes records once it listens. */
export interface Lane {
  /** Where objects go, for people. */
  destination: string
  /** Starts to take records, or throws a `Fault`. Where there are several lanes, once all of them have started. */
  listen(where: ListenPlace): Promise<Listening>
  /** What undelivered segments hold, and what turned out dead since the start. */
  backlog(): { segments: number; payloads: number; dead: number }
  state(): Promise<State>
  /** Refuses what comes, delivers what is there for up to `graceMs`, and ends. What is left waits for the next start. */
  stop(graceMs: number): Promise<void>
}

/** Where a lane listens, once it does. */
export interface Listening {
  url: string
  port: number
  /** Where it takes lines over TCP. */
  tcp: { address: string; port: number } | undefined
}

/** Where a lane has to listen. */
export interface ListenPlace {
  port: number
  /** Where a sister has found one. */
  tcpPort?: number | undefined
  /** No sister listens there yet. */
  isFirst: boolean
  /** Where lanes listen for one another. */
  socketDirectory: string
}

/** Bytes of finished objects held in memory while they are put, all threads of all lanes together. */
const BODY_BYTES_MAX = 20 * 1024 * 1024
/** With an object per payload, how many may be put at once for each of `--max-workers`: they are small, and most of a put is waiting. */
const PUTS_PER_WORKER = 8
/**
 * Of request bodies that aren't freed one by one. Measured at one payload a POST: 8 MiB take as much CPU, and over 4,000
 * connections 160 to 177 MB, where these take 136 to 144.
 */
const GARBAGE = { bytesMax: 3 * 1024 * 1024, oneOf: 2 }
/** How many keys of made lines are remembered, 40 MB of memory: an edge's lane sends one every 5 s, or for every 8 MiB. */
const MADE_KEYS_MAX = 100_000
/** How often the free space of the journal's disk is looked at. */
const DISK_LOOK_MS = 1000
/** What a POST that was passed on may take beside its waits: for the disk, mostly. */
const PASS_ON_MARGIN_MS = 10_000

/** What is wrong with the options that their rows can't tell; throws a `Fault`. */
export function checkOptions(options: Options, env: Readonly<Record<string, string | undefined>>): Place {
  const { ackDefault, ackAllow } = options
  const place = parsePlace(options.to ?? `${options.data}/objects`, env)
  if (typeof place === 'string')
    throw new Fault('config_invalid', `--to is '${withoutSecrets(options.to ?? '')}': ${place}`)
  if (place.kind === 'forward' && options.format === 'payload') {
    throw new Fault(
      'config_invalid',
      '--format is payload: servers take lines only; what they make of them is theirs to say',
    )
  }
  const fault = tcpFault(options)
  if (fault !== undefined) throw new Fault('config_invalid', fault)
  if (ackAllow.includes(ackDefault)) return place
  throw new Fault('config_invalid', `--ack-default is '${ackDefault}': --ack-allow leaves only ${ackAllow.join(', ')}`)
}

/** Starts a lane with its own share of the bounds, or throws with nothing left running. */
export async function startLane(
  options: Options,
  env: Readonly<Record<string, string | undefined>>,
  platform: Platform,
  observe: Observer,
  at: LanePlace & { node: string },
  toHandler?: HandlerOptions,
): Promise<Lane> {
  const { clock, files } = platform
  const place = checkOptions(options, env)
  const start = {
    place,
    bodyBytesMax: Math.floor(BODY_BYTES_MAX / at.lanes),
    workersMax: options.maxWorkers,
    putsMax: options.maxWorkers * PUTS_PER_WORKER,
  }
  const hurry = new Hurry(clock)
  const storedWaiters = new StoredWaiters(options.ackStoredTimeoutMs, clock, () => hurry.now())
  const onTaken = (path: string, place: number) => {
    const { lane, number = 0 } = parseSegmentPath(path) ?? {}
    if (lane === at.lane) storedWaiters.early(number, place)
  }
  const deliveries = toHandler
    ? new HandlerDeliveries(toHandler, options.maxWorkers, platform, observe, onTaken)
    : new DeliveryThreads(options.threads, start, clock, observe)
  try {
    const drain = new DrainRate(clock)
    const named = place.kind === 'directory' ? place.root : (options.to ?? '')
    const destination = toHandler ? HANDLER : named
    const kept = place.kind === 'directory' && !toHandler ? placeForLedger(place.root, options.data) : destination
    // A server with the same options as this one takes them all.
    const bytesMax = place.kind === 'forward' ? Math.floor(options.bodyBytesMax / 2) : options.objectBytesMax
    const objectBytesMax = Math.min(options.objectBytesMax, bytesMax)
    const pipelines = await Pipelines.start(
      platform,
      { ...options, ...at, objectBytesMax, noteWindowMs: options.idempotencyWindowMs, destination: kept },
      {
        deliver: (segment, signal) => deliveries.deliver(segment, storedWaiters.count > 0 ? HURRIED : signal),
        hurry,
      },
      observe,
      (lane, segment, outcome) => {
        const { number, payloads, bytes } = segment
        drain.add(payloads, bytes)
        deliveries.over(segment)
        if (lane === at.lane) storedWaiters.over(number, (place) => objectsAt(outcome, place))
      },
    )
    const { journal } = pipelines
    const admission = new Admission(options, pipelines.held, drain, () => hurry.now())
    const disk = await watchDisk(platform, options.data, admission)
    const deadlines = new Deadlines(options.bodyTimeoutMs, clock)
    const { idempotencyWindowMs: windowMs, idempotencyKeysMax: keysMax } = options
    const idempotency = new Idempotency({ windowMs, keysMax }, clock)
    const madeWindowMs = Math.max(windowMs, MADE_NOTES_WINDOW_MS)
    const made = new Idempotency({ windowMs: madeWindowMs, keysMax: MADE_KEYS_MAX, forgets: true }, clock)
    const notReady = (): Refusal | undefined => {
      const reason = deliveries.parked
      return admission.status() ?? (reason === undefined ? undefined : { code: 'destination_parked', detail: reason })
    }
    const inspection: Inspection = {
      receipt: async (receipt) => receiptAnswer(receipt, await pipelines.whereIs(receipt)),
      state: async () => {
        const { segments } = pipelines.backlog()
        const { puts, calls } = deliveries
        const tcpConnections = tcp?.connections ?? 0
        const balance = pipelines.balance()
        const state = { balance, puts, tcpConnections, refusal: notReady(), destination, segments }
        return calls ? { ...state, calls } : state
      },
    }
    let listener: Listener | undefined
    let tcp: TcpListener | undefined
    return {
      destination,
      backlog: () => pipelines.backlog(),
      state: () => inspection.state(),
      async listen(where) {
        const { lane, lanes } = at
        const notes = await pipelines.notes(files, options.data, clock.nowMs() - windowMs)
        const isOwn = (key: string) => laneOfKey(key, lanes) === lane
        idempotency.remember(
          notes.filter(({ isMade }) => !isMade),
          isOwn,
        )
        made.remember(
          notes.filter(({ isMade }) => isMade),
          isOwn,
        )
        // A body that could never fit the journal is too large, not early.
        const bodyBytesMax = Math.min(options.bodyBytesMax, options.journalBytesMax / 2)
        const { host, bodyTimeoutMs, ackDefault, ackAllow, ackStoredLingerMs, ackStoredTimeoutMs } = options
        const ack = { default: ackDefault, allow: ackAllow, storedLingerMs: ackStoredLingerMs, storedWaiters }
        const garbage = new Garbage(GARBAGE)
        const contextOf: ContextOf = (whole, passOn) => {
          const asked = { ...ack, storedIn: (receipt: string) => storedIn(receipt, whole) }
          const { node } = at
          const context = { node, journal, admission, deadlines, clock, garbage, observe, bodyBytesMax, idempotency }
          // Where each payload is an object, or given to a function, lines have no place.
          const madeIdempotency = options.format === 'lines' && !toHandler ? made : undefined
          return { ...context, madeIdempotency, ack: asked, passOn }
        }
        // Waits end a quarter late at the most.
        const postTimeoutMs = 1.25 * (bodyTimeoutMs + ackStoredTimeoutMs) + PASS_ON_MARGIN_MS
        listener = await listenAsLane({ ...where, lane, lanes, host, postTimeoutMs }, inspection, contextOf, platform)
        const beside = { port: where.tcpPort, lanes, isFirst: where.isFirst }
        tcp = await startTcp(options, beside, platform, { journal, admission, garbage, observe })
        const { url, port } = listener
        return { url, port, tcp: tcp && { address: tcp.address, port: tcp.port } }
      },
      async stop(graceMs) {
        // In the order payloads flow. Stragglers get their 503 until all that was accepted is stored or time is up.
        await tcp?.stop()
        admission.stop()
        await pipelines.drain(graceMs)
        storedWaiters.close()
        await deliveries.stop()
        await pipelines.closeLedgers()
        await listener?.close()
        await tcp?.close()
        deadlines.close()
        disk.close()
      },
    }
  } catch (error) {
    await deliveries.stop()
    // What the disk says of files in the data directory; anything else is a bug and stays one.
    const { code, path = options.data, message } = error as NodeJS.ErrnoException
    if (error instanceof Fault || code === undefined) throw error
    throw new Fault('data_unusable', `${path}: ${message}`, { cause: error })
  }
}

/** The objects of the record at `place`; undefined when it never came into any. */
function objectsAt(outcome: SegmentOutcome, place: number): string[] | undefined {
  if (outcome.letters.some((letter) => letter.place === place)) return undefined
  return objectsOf(outcome, place).map(({ name }) => name)
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
