/** What a server's answer to a forwarded object, or the lack of one, says: kept, surely not kept, or nothing. */

/** An answer as far as it matters. */
export interface ForwardAnswer {
  status: number
  headers: Headers
  /** The start of the body. */
  text: string
}

/** What is known after one attempt. */
export type Verdict =
  | { kind: 'kept' }
  /** Nothing of this attempt was kept: another server may have the object. */
  | {
      kind: 'refused'
      reason: string
      /** `object`: it would not take this one at another time either. `busy`: not now. `away`: nobody took the request. */
      because: 'object' | 'busy' | 'away'
      retryAfterMs?: number
    }
  /** It may have been kept. */
  | { kind: 'unknown'; reason: string; code?: string }

/** How much of a server's own words goes into a reason. */
const DETAIL_CHARACTERS_MAX = 200

/** Refusals after which something may have been kept all the same. */
const MAYBE_KEPT = new Set([
  'journal_failed',
  'disk_full',
  'lane_down',
  'internal',
  'doubt_too_old',
  'idempotency_key_reused',
])
/** Errors that come before anything was sent. */
const NOT_SENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its host name is unknown to DNS',
}

/** Judges an answer. One without a `code` says nothing: it may be a proxy's, about a server that has kept the object. */
export function judgeForward({ status, headers, text }: ForwardAnswer): Verdict {
  const { ack, code, detail } = said(text)
  if (status >= 200 && status < 300) {
    if (ack === 'disk' || ack === 'stored') return { kind: 'kept' }
    return { kind: 'unknown', reason: `${status}, and not as a Millrace says it` }
  }
  const reason = oneLine([status, code, detail?.slice(0, DETAIL_CHARACTERS_MAX)].filter(Boolean).join(' '))
  if (code === undefined) return { kind: 'unknown', reason }
  if (MAYBE_KEPT.has(code)) return { kind: 'unknown', reason, code }
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  if (status === 503 || status === 408) {
    const refused = { kind: 'refused', reason, because: 'busy' } as const
    return seconds > 0 ? { ...refused, retryAfterMs: seconds * 1000 } : refused
  }
  return { kind: 'refused', reason: `${reason}${adviceOn(code)}`, because: 'object' }
}

/** Judges a request that got no answer. */
export function judgeNoAnswer(error: unknown): Verdict {
  const { code, message = String(error) } = error as { code?: unknown; message?: string }
  const known = NOT_SENT[String(code)]
  if (known !== undefined) return { kind: 'refused', reason: known, because: 'away' }
  const why = code === 'ECONNRESET' ? 'the connection was closed' : message.slice(0, DETAIL_CHARACTERS_MAX)
  return { kind: 'unknown', reason: oneLine(`no answer: ${why}`) }
}

function adviceOn(code: string): string {
  if (code === 'body_too_large') {
    return '. Give the servers a --body-bytes-max that is not smaller than the one here, or set a smaller --object-bytes-max here: it counts for what is accepted from then on'
  }
  if (code === 'too_many_payloads') return '. Its --max-queue is too small for objects of this --object-bytes-max'
  if (code === 'not_found') return '. It takes no lines: it is an older Millrace, or has --format payload'
  return ''
}

/** What an answer of ours says; nothing of what others answer. */
function said(text: string): { ack?: string; code?: string; detail?: string } {
  try {
    const { ack, type, code, detail } = JSON.parse(text) as Record<string, unknown>
    if (typeof ack === 'string') return { ack }
    const isOurs = typeof code === 'string' && type === `urn:problem:millrace:${code}`
    return isOurs ? { code, ...(typeof detail === 'string' && { detail }) } : {}
  } catch {
    return {}
  }
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, ' ').trim()
}
