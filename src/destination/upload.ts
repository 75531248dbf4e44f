/** A request with an object for its body, which is handed over in pieces: the runtime copies what it is given as a whole. */

import type { Body } from './body.ts'

/** A body that is no longer than this goes out as a whole: a connection that is there already is worth a copy. */
const WHOLE_BYTES_MAX = 1 << 20

/** What is sent. The body must not change before this attempt is answered or aborted. */
export interface Upload {
  method: 'PUT' | 'POST'
  headers: Record<string, string>
  body: Body
  signal: AbortSignal
  /**
   * To be sent once at the most. On a connection that was used before, the runtime sends a whole once more by itself when that
   * turns out closed.
   */
  isOnce?: boolean
}

/** Sends it, and follows no redirect: one would take the signature, and the data, to another host. Throws as `fetch` does. */
export async function upload(
  url: string,
  { method, headers, body, signal, isOnce = false }: Upload,
): Promise<Response> {
  const request = { method, signal, redirect: 'manual' } as const
  if (body.length <= WHOLE_BYTES_MAX)
    return await fetch(url, { ...request, keepalive: !isOnce, headers, body: body.whole() })
  // Said beforehand, it keeps the pieces from being sent as chunks.
  const sized = { ...headers, 'content-length': String(body.length) }
  // Pieces the runtime can't send once more: they get a connection of their own.
  return await fetch(url, { ...request, keepalive: false, headers: sized, body: inPieces(body) })
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
