/** The server as a library: `millrace({ to })` starts it in this process, with a place or a function of yours behind it. */

import { type GivenOptions, loadGiven } from './config/load-given.ts'
import type { Options } from './config/options.ts'
import type { Batch, Handler } from './delivery/handler.ts'
import type { HandlerOptions } from './delivery/to-handler.ts'
import { type Status, statusOf } from './intake/inspect.ts'
import { Fault } from './observe/errors.ts'
import { createLog } from './observe/log.ts'
import { systemPlatform } from './platform/platform.ts'
import { type Backlog, startServer } from './server.ts'

export { DeadLetter, type Handler, type HandlerContext } from './delivery/handler.ts'
export { Fault, type FaultCode } from './observe/errors.ts'
export type { Backlog, Batch, Status }

/** What goes for a function where nothing else is said. */
const FOR_HANDLER = {
  /** Nobody waits for an object to fill: as long as a file of the journal is worth. */
  lingerMs: 250,
  /** What a call that fails for long keeps on the disk. */
  objectBytesMax: 4 * 1024 * 1024,
}
/** The longest attempt where nothing else is said, and the longest there may be. */
const TIMEOUT_MS = { usual: 60_000, max: 86_400_000 }
/** How objects are made: with a function there are none. */
const OF_OBJECTS = ['format', 'compression', 'threads'] as const

/** What a server is told beside the options of the command, which go by their names (`lingerMs`, `maxWorkers`, …). */
interface Common extends Omit<GivenOptions, 'to'> {
  /** Takes the lines of the log. They go to the standard error when nothing is said, and nowhere with `false`. */
  log?: ((line: string) => void) | false | undefined
}

/** A server with a function. */
export interface HandlerServerOptions<Payload> extends Common {
  /** Takes payloads; what it throws is tried again, except a `DeadLetter`. */
  to: Handler<Payload>
  /** What it gets at a call: all payloads of a record (a request), or one. */
  batch?: Batch | undefined
  /** Give payloads as the texts that were posted, and not what `JSON.parse` makes of them. */
  raw?: boolean | undefined
  /** The longest an attempt may take, in milliseconds: past it, its signal aborts, and it has failed. */
  timeoutMs?: number | undefined
}

/** A server with a place, as `--to` names it. */
export interface PlaceServerOptions extends Common {
  to?: string | undefined
}

/** A running server. */
export interface Millrace extends AsyncDisposable {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  readonly port: number
  /** Where it takes lines over TCP, if it does: `127.0.0.1:9000`. */
  readonly tcp: string | undefined
  /** What `GET /status` says. */
  status(): Promise<Status>
  /**
   * Refuses what comes, delivers what is there for up to `graceMs` (`stopGraceMs` when nothing is said), and ends. Tells
   * what is left: it waits for the next start.
   */
  stop(graceMs?: number): Promise<Backlog>
}

/** Starts a server, or rejects with a `Fault` with nothing left running. Signals, and the process's end, are yours. */
export function millrace<Payload = unknown>(options: HandlerServerOptions<Payload>): Promise<Millrace>
export function millrace(options?: PlaceServerOptions): Promise<Millrace>
export async function millrace(given: HandlerServerOptions<never> | PlaceServerOptions = {}): Promise<Millrace> {
  const { options, toHandler, print } = read(given)
  const log = createLog(systemPlatform.clock, print)
  const server = await startServer(options, process.env, systemPlatform, log.observe, toHandler)
  let stopped: Promise<Backlog> | undefined
  const end = async (graceMs: number) => {
    await server.stop(graceMs)
    log.flush()
    return server.backlog()
  }
  const stop = (graceMs = options.stopGraceMs) => {
    stopped ??= end(graceMs)
    return stopped
  }
  return {
    url: server.url,
    port: server.port,
    tcp: server.tcp,
    status: async () => statusOf(await server.state()),
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}

interface Read {
  options: Options
  toHandler: HandlerOptions | undefined
  print: (line: string) => void
}

function read(given: HandlerServerOptions<never> | PlaceServerOptions): Read {
  const { log = console.error } = given
  if (log !== false && typeof log !== 'function') {
    throw new Fault('config_invalid', `log is ${JSON.stringify(log)}; allowed is a function, or false`)
  }
  const print = log === false ? () => {} : log
  if (isWithHandler(given)) return { ...readHandler(given), print }
  const { log: _log, ...rest } = given
  return { options: load(rest, {}), toHandler: undefined, print }
}

function isWithHandler(given: HandlerServerOptions<never> | PlaceServerOptions): given is HandlerServerOptions<never> {
  return typeof given.to === 'function'
}

function readHandler(given: HandlerServerOptions<never>): { options: Options; toHandler: HandlerOptions } {
  const { to: handler, batch = 'record', raw = false, timeoutMs = TIMEOUT_MS.usual, log: _log, ...rest } = given
  const messages: string[] = []
  for (const name of OF_OBJECTS) {
    if (rest[name] !== undefined) messages.push(`${name} says how objects are made; with a function there are none`)
  }
  if (batch !== 'record' && batch !== 'payload') messages.push(`batch is '${batch}'; allowed is 'record', 'payload'`)
  if (typeof raw !== 'boolean') messages.push(`raw is ${raw}; allowed is true, false`)
  if (!(Number.isSafeInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS.max)) {
    messages.push(`timeoutMs is ${timeoutMs}; allowed is a whole number of milliseconds from 1 to ${TIMEOUT_MS.max}`)
  }
  if (messages.length > 0) throw wrong(messages)
  return { options: load(rest, FOR_HANDLER), toHandler: { handler, batch, raw, timeoutMs } }
}

function load(given: GivenOptions, instead: GivenOptions): Options {
  const loaded = loadGiven(given, { ...instead, lanes: 1 })
  if (loaded.kind === 'wrong') throw wrong(loaded.messages)
  const { lanes } = loaded.options
  if (lanes === 1) return loaded.options
  throw wrong([`lanes is ${lanes}: from code there is one, in this process; 'millrace --lanes ${lanes}' has several`])
}

function wrong(messages: readonly string[]): Fault {
  return new Fault('config_invalid', messages.join('\n  '))
}
