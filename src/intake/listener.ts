/** The HTTP listener: paths to handlers. The only file that names `Bun.serve`. */

import { Fault } from '../observe/errors.ts'
import { problemResponse, type Refusal } from './problem.ts'
import { INTAKE_PATHS, intakeHandler, notAllowed, type RequestContext } from './request.ts'

/** Where to listen, and what the health paths ask. */
export interface ListenerOptions {
  host: string
  port: number
  /** Why a load balancer should send nothing here; undefined when ready. */
  notReady: () => Refusal | undefined
}

/** A running listener. */
export interface Listener {
  /** `http://127.0.0.1:8080` */
  url: string
  port: number
  /** Closes the socket and every connection. */
  close(): Promise<void>
}

/** A connection without a request, or a request without a byte for this long, is closed by the runtime. */
const IDLE_SECONDS = 120
/** Bodies are bounded by our own checks, which answer with a reason; the runtime's bound must not come first. */
const RUNTIME_BODY_BYTES_MAX = Number.MAX_SAFE_INTEGER

/** Starts listening, or throws `Fault('listen_failed')`. */
export function listen(options: ListenerOptions, context: RequestContext): Listener {
  const intake = Object.keys(INTAKE_PATHS).map((path) => [path, intakeHandler(path, context)] as const)
  const ready = () => {
    const refusal = options.notReady()
    return refusal ? problemResponse(refusal) : Response.json({ status: 'ready' })
  }
  try {
    const server = Bun.serve({
      hostname: options.host,
      port: options.port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: RUNTIME_BODY_BYTES_MAX,
      routes: {
        ...Object.fromEntries(intake),
        '/healthz': getOnly('/healthz', () => Response.json({ status: 'alive' })),
        '/readyz': getOnly('/readyz', ready),
      },
      fetch: (request) => notFound(request),
      error(error) {
        context.observe({ kind: 'intake-failure', reason: error.stack ?? error.message })
        return problemResponse({ code: 'internal', detail: 'an unexpected error; the log has it' })
      },
    })
    const host = options.host.includes(':') ? `[${options.host}]` : options.host
    return { url: `http://${host}:${server.port}`, port: server.port ?? options.port, close: () => server.stop(true) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'something else listens there; choose another with --port' : message
    throw new Fault('listen_failed', `${options.host}:${options.port}: ${why}`, { cause: error })
  }
}

function getOnly(path: string, answer: () => Response): (request: Request) => Response {
  return ({ method }) => (method === 'GET' || method === 'HEAD' ? answer() : notAllowed(path, 'GET, HEAD'))
}

function notFound(request: Request): Response {
  const { pathname } = new URL(request.url)
  const detail = `nothing is at ${pathname}; payloads go to ${Object.keys(INTAKE_PATHS).join(', ')}`
  return problemResponse({ code: 'not_found', detail })
}
