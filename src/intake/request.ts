/** A POST as the runtime's HTTP server has it: its headers, its body, and an answer made of ours. */

import { DOUBT_HEADER } from '../observe/forwarding.ts'
import { wantedAck } from './ack.ts'
import { responseOf } from './answer.ts'
import { type Charge, enter, isPlain, readBody } from './body.ts'
import { INTAKE_PATHS, readerOf } from './paths.ts'
import { Post, type PostContext } from './post.ts'
import { problemResponse } from './problem.ts'

/** Makes the handler of one intake path. Its promise never rejects: whatever happens, there is an answer. */
export function intakeHandler(path: string, context: PostContext): (request: Request) => Response | Promise<Response> {
  const types = Object.keys(INTAKE_PATHS[path] ?? {})
  return (request) => {
    if (request.method !== 'POST') return notAllowed(path, 'POST')
    const contentType = request.headers.get('content-type') ?? ''
    const read = readerOf(path, contentType)
    if (!read) {
      const detail = `${path} takes ${types.join(' or ')}, not '${contentType || 'no content type'}'`
      return problemResponse({ code: 'unsupported_media_type', detail, headers: { accept: types.join(', ') } })
    }
    const ack = wantedAck(request.url, context.ack)
    if (typeof ack !== 'string') return problemResponse(ack)
    const length = request.headers.get('content-length')
    const charge = enter(length === null ? undefined : Number(length), context)
    if ('code' in charge) return problemResponse(charge)
    const [key, doubt] = [request.headers.get('idempotency-key'), request.headers.get(DOUBT_HEADER)]
    const head = { path, contentType, read, ack, key, doubt }
    return new Promise((resolve) => {
      const post = new Post(context, head, charge, (answer) => resolve(responseOf(answer)))
      receive(post, request, context, charge).catch((error) => {
        if ((error as Error)?.name !== 'AbortError') return post.failed(error)
        post.gone()
        // Nobody reads it; the runtime waits for one.
        resolve(new Response(null, { status: 400 }))
      })
    })
  }
}

/** The answer to a method that a path doesn't take. */
export function notAllowed(path: string, allow: string): Response {
  return problemResponse({ code: 'method_not_allowed', detail: `${path} takes ${allow}`, headers: { allow } })
}

/** Takes the body in. Rejects when the client goes away. */
async function receive(post: Post, request: Request, context: PostContext, charge: Charge): Promise<void> {
  post.await()
  const isAsItIs = isPlain(request, charge)
  const body = isAsItIs ? new Uint8Array(await request.arrayBuffer()) : await readBody(request, context, charge)
  post.received(body)
}
