/** A request with an object for its body, which is handed over in pieces: the runtime copies what it is given as a whole. */

import type { Body } from './body.ts'

/** A body that is no longer than this goes out as a whole: that is less work. */
const WHOLE_BYTES_MAX = 256 * 1024
/** What the runtime calls a connection that ended without an answer. */
const CLOSED = 'ECONNRESET'

/** What is sent. The body must not change before this attempt is answered or aborted. */
export interface Upload {
  method: 'PUT' | 'POST'
  headers: Record<string, string>
  body: Body
  signal: AbortSignal
  /** Not to go out on a connection that was used before; then it is sent once at the most. */
  isAlone?: boolean
}

/** Sends it, and follows no redirect: one would take the signature, and the data, to another host. Throws as `fetch` does. */
export async function upload(
  url: string,
  { method, headers, body, signal, isAlone = false }: Upload,
): Promise<Response> {
  const request = { method, signal, redirect: 'manual', keepalive: !isAlone } as const
  if (body.length <= WHOLE_BYTES_MAX) return await fetch(url, { ...request, headers, body: body.whole() })
  // Said beforehand, it keeps the pieces from being sent as chunks.
  const sized = { ...headers, 'content-length': String(body.length) }
  try {
    return await fetch(url, { ...request, headers: sized, body: inPieces(body) })
  } catch (error) {
    if (isAlone || (error as { code?: unknown }).code !== CLOSED) throw error
    // On a connection that was used before and turns out closed, the runtime sends a whole once more by itself; pieces it can't.
    return await fetch(url, { ...request, headers, body: body.whole() })
  }
}

function inPieces({ pieces }: Body): ReadableStream<Uint8Array> {
  let next = 0
  const source = {
    pull(controller: ReadableStreamDefaultController<Uint8Array>) {
      controller.enqueue(pieces[next++] as Uint8Array)
      if (next === pieces.length) controller.close()
    },
  }
  // Nothing is asked for before it can be sent.
  return new ReadableStream(source, { highWaterMark: 0 })
}
