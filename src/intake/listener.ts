/** The HTTP listener: paths to handlers. The only file that names `Bun.serve`. */

import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { Fault } from '../observe/errors.ts'
import { type Inspection, metricsResponse, receiptResponse, statusResponse } from './inspect.ts'
import { problemResponse, type Refusal } from './problem.ts'
import { INTAKE_PATHS, intakeHandler, notAllowed, type RequestContext } from './request.ts'

/** Where to listen, and what the health paths ask. */
export interface ListenerOptions {
  host: string
  port: number
  /** Why a load balancer should send nothing here; undefined when ready. */
  notReady: () => Refusal | undefined
  inspection: Inspection
}

/** A running listener. */
export interface Listener {
  /** `http://127.0.0.1:8080` */
  url: string
  port: number
  /** Closes the socket and every connection. */
  close(): Promise<void>
}

/** How much of a path that isn't there an answer repeats. */
const PATH_SHOWN_MAX = 200
/** A connection without a request, or a request without a byte for this long, is closed by the runtime. */
const IDLE_SECONDS = 120
/** Bodies are bounded by our own checks, which answer with a reason; the runtime's bound must not come first. */
const RUNTIME_BODY_BYTES_MAX = Number.MAX_SAFE_INTEGER

/** Starts listening, or throws `Fault('listen_failed')`. */
export async function listen(options: ListenerOptions, context: RequestContext): Promise<Listener> {
  const intake = Object.keys(INTAKE_PATHS).map((path) => [path, intakeHandler(path, context)] as const)
  const { inspection } = options
  const hostname = options.host.replace(/^\[(.*)\]$/, '$1')
  const ready = () => {
    const refusal = options.notReady()
    return refusal ? problemResponse(refusal) : Response.json({ status: 'ready' })
  }
  try {
    const server = Bun.serve({
      hostname,
      port: options.port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: RUNTIME_BODY_BYTES_MAX,
      routes: {
        ...Object.fromEntries(intake),
        '/healthz': getOnly('/healthz', () => Response.json({ status: 'alive' })),
        '/readyz': getOnly('/readyz', ready),
        '/status': getOnly('/status', () => statusResponse(inspection)),
        '/metrics': getOnly('/metrics', () => metricsResponse(inspection)),
        '/receipts/:receipt': getOnly('/receipts/{receipt}', ({ params }) =>
          receiptResponse(params.receipt ?? '', inspection),
        ),
      },
      fetch: (request) => notFound(request),
      error(error) {
        context.observe({ kind: 'intake-failure', reason: error.stack ?? error.message })
        return problemResponse({ code: 'internal', detail: 'an unexpected error; the log has it' })
      },
    })
    const host = hostname.includes(':') ? `[${hostname}]` : hostname
    return { url: `http://${host}:${server.port}`, port: server.port ?? options.port, close: () => server.stop(true) }
  } catch (error) {
    throw new Fault('listen_failed', `${hostname}:${options.port}: ${await whyNot(hostname, error)}`, { cause: error })
  }
}

/** The runtime says `EADDRINUSE` of everything: what can be told apart is. */
async function whyNot(hostname: string, error: unknown): Promise<string> {
  const { code, message } = error as NodeJS.ErrnoException
  if (code !== 'EADDRINUSE') return message
  try {
    const { address } = await lookup(hostname)
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
    const isOwn = own.some((one) => one.address === address) || address === '0.0.0.0' || address === '::'
    if (!isOwn && !address.startsWith('127.')) return 'no interface of this machine has that address; see --host'
  } catch {
    return 'the name has no address; see --host'
  }
  return 'something else listens there; choose another with --port'
}

type Answer = (request: Bun.BunRequest) => Response | Promise<Response>

function getOnly(path: string, answer: Answer): Answer {
  return (request) => {
    const { method } = request
    return method === 'GET' || method === 'HEAD' ? answer(request) : notAllowed(path, 'GET, HEAD')
  }
}

function notFound(request: Request): Response {
  // Not by `URL`, which throws where the Host header is an odd one.
  const path = /^(?:[a-z]+:\/\/[^/]*)?([^?#]*)/i.exec(request.url)?.[1] ?? ''
  const detail = `nothing is at ${path.slice(0, PATH_SHOWN_MAX)}; payloads go to ${Object.keys(INTAKE_PATHS).join(', ')}`
  return problemResponse({ code: 'not_found', detail })
}
