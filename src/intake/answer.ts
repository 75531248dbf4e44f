/** An answer before it is anybody's bytes. */

/** An answer, whoever writes it to whichever connection. */
export interface Answer {
  status: number
  contentType: string
  /** More headers, by their lower-case names. */
  headers?: Readonly<Record<string, string>>
  body: string
}

const JSON_TYPE = 'application/json'
/** Made once: a response takes 440 ns with a plain object of headers, and 300 with these. */
const JSON_HEADERS = new Headers({ 'content-type': JSON_TYPE })
/** Says that the answer is one given again. */
export const REPLAYED = { 'idempotency-replayed': 'true' }

/** An answer whose body is JSON. */
export function jsonAnswer(status: number, body: string): Answer {
  return { status, contentType: JSON_TYPE, body }
}

/** An answer as the runtime's HTTP server takes it. */
export function responseOf({ status, contentType, headers, body }: Answer): Response {
  const isUsual = headers === undefined && contentType === JSON_TYPE
  return new Response(body, { status, headers: isUsual ? JSON_HEADERS : { 'content-type': contentType, ...headers } })
}
