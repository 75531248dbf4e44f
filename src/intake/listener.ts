/** The listener: the port, and behind it the runtime's HTTP server, paths to handlers. The server's only file that names `Bun.serve`. */

import { Fault } from '../observe/errors.ts'
import { LINES_PATH } from '../observe/forwarding.ts'
import { type Address, hostnameOf, listenFault, urlHost } from './address.ts'
import { responseOf } from './answer.ts'
import { type Inspection, readyResponse, type State, statusResponse } from './inspect.ts'
import { metricsResponse } from './metrics.ts'
import { INTAKE_PATHS } from './paths.ts'
import { openPort, type PrivateAddress } from './port.ts'
import type { PostContext } from './post.ts'
import { problemResponse } from './problem.ts'
import { intakeHandler, notAllowed } from './request.ts'

/** Where to listen, and what the paths that are no intake ask. */
export interface ListenerOptions extends Address {
  /** Other processes of this server listen there as well (`SO_REUSEPORT`). */
  isShared: boolean
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

/** Where lanes ask one another how they stand. */
export const STATE_PATH = '/lane/state'
const PAYLOAD_PATHS = Object.keys(INTAKE_PATHS).filter((path) => path !== LINES_PATH)
/** What another Millrace forwards is half of `--body-bytes-max` and one payload more, with what a line has beside it. */
const LINES_BODY_FACTOR = 2
/** How much of a path that isn't there an answer repeats. */
const PATH_SHOWN_MAX = 200
/** A connection without a request, or a request without a byte for this long, is closed by the runtime. */
const IDLE_SECONDS = 120
/** Bodies are bounded by our own checks, which answer with a reason; the runtime's bound must not come first. */
const RUNTIME_BODY_BYTES_MAX = Number.MAX_SAFE_INTEGER

/** Starts listening, or throws `Fault('listen_failed')`. */
export async function listen(options: ListenerOptions, context: PostContext): Promise<Listener> {
  const { inspection, port, isShared } = options
  const hostname = hostnameOf(options)
  const http = serveBehind(context, inspection)
  try {
    const opened = openPort({ hostname, port, isShared }, context, http.address)
    const close = async () => {
      opened.close()
      await http.close()
    }
    return { url: `http://${urlHost(hostname)}:${opened.port}`, port: opened.port, close }
  } catch (error) {
    await http.close()
    throw await listenFault(options, error)
  }
}

/** The runtime's HTTP server, for what the port itself doesn't take: without a name in any directory where that can be had. */
function serveBehind(
  context: PostContext,
  inspection: Inspection,
): { address: PrivateAddress; close(): Promise<void> } {
  const served = serving(context, inspection)
  if (process.platform === 'linux') {
    const address = { unix: `\0millrace-${crypto.randomUUID()}` }
    const server = Bun.serve({ ...served, ...address } as unknown as Bun.Serve.Options<undefined>)
    return { address, close: () => server.stop(true) }
  }
  const server = Bun.serve({ ...served, hostname: '127.0.0.1', port: 0 })
  return { address: { hostname: '127.0.0.1', port: server.port ?? 0 }, close: () => server.stop(true) }
}

/** Listens on a socket file, where only processes of this server ask: what they ask is this one's own. */
export function listenPrivately(
  path: string,
  inspection: Inspection,
  context: PostContext,
): { close(): Promise<void> } {
  const served = serving(context, inspection)
  const routes = { ...served.routes, [STATE_PATH]: async () => Response.json(await inspection.state()) }
  try {
    // The types know no idle time of socket files; the runtime does.
    const server = Bun.serve({ ...served, routes, unix: path } as unknown as Bun.Serve.Options<undefined>)
    return { close: () => server.stop(true) }
  } catch (error) {
    throw new Fault('listen_failed', `${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** Throws `Fault('listen_failed')` when somebody else listens there: those who share a port get no error of it. */
export async function refuseTaken(address: Address): Promise<void> {
  try {
    Bun.listen({ hostname: hostnameOf(address), port: address.port, exclusive: true, socket: { data() {} } }).stop(true)
  } catch (error) {
    throw await listenFault(address, error)
  }
}

/** What both kinds of listener serve. */
function serving(context: PostContext, inspection: Inspection) {
  const intake = PAYLOAD_PATHS.map((path) => [path, tellingLast(intakeHandler(path, context))] as const)
  const { madeIdempotency: idempotency } = context
  if (idempotency) {
    const bodyBytesMax = context.bodyBytesMax * LINES_BODY_FACTOR
    intake.push([LINES_PATH, tellingLast(intakeHandler(LINES_PATH, { ...context, idempotency, bodyBytesMax }))])
  }
  const stated = (answer: (state: State) => Response) => async () => answer(await inspection.state())
  return {
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: RUNTIME_BODY_BYTES_MAX,
    routes: {
      ...Object.fromEntries(intake),
      '/healthz': getOnly('/healthz', () => Response.json({ status: 'alive' })),
      '/readyz': getOnly('/readyz', stated(readyResponse)),
      '/status': getOnly('/status', stated(statusResponse)),
      '/metrics': getOnly('/metrics', stated(metricsResponse)),
      '/receipts/:receipt': getOnly('/receipts/{receipt}', async ({ params }) =>
        responseOf(await inspection.receipt(params['receipt'] ?? '')),
      ),
    },
    fetch: tellingLast((request: Request) => notFound(request)),
    error(error: Error) {
      context.observe({ kind: 'intake-failure', reason: error.stack ?? error.message })
      return problemResponse({ code: 'internal', detail: 'an unexpected error; the log has it' })
    },
  }
}

type Answer = (request: Bun.BunRequest<string>) => Response | Promise<Response>

function getOnly(path: string, answer: Answer): Answer {
  return tellingLast((request) => {
    const { method } = request
    return method === 'GET' || method === 'HEAD' ? answer(request) : notAllowed(path, 'GET, HEAD')
  })
}

/** The runtime closes where the client wants that, and doesn't tell: a client that shares connections would use it again. */
function tellingLast<R extends Request>(answer: (request: R) => Response | Promise<Response>) {
  return async (request: R) => {
    const isLast = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(request.headers.get('connection') ?? '')
    const response = await answer(request)
    if (isLast) response.headers.set('connection', 'close')
    return response
  }
}

function notFound(request: Request): Response {
  // Not by `URL`, which throws where the Host header is an odd one.
  const path = /^(?:[a-z]+:\/\/[^/]*)?([^?#]*)/i.exec(request.url)?.[1] ?? ''
  const detail = `nothing is at ${path.slice(0, PATH_SHOWN_MAX)}; payloads go to ${PAYLOAD_PATHS.join(', ')}`
  return problemResponse({ code: 'not_found', detail })
}
