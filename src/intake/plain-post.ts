/**
 * The head of a POST as nearly all clients send it, read strictly: what is understood without a doubt is handled here, and
 * anything else is for the runtime's HTTP server, which knows all of HTTP/1.1.
 */

import { type AckOptions, wantedAck } from './ack.ts'
import { readerOf } from './paths.ts'
import type { PostHead } from './post.ts'

/** A POST's head, as far as it is a plain one. */
export interface PlainPost extends PostHead {
  /** The value of Content-Length. */
  length: string
  /** The value of Content-Encoding; null for none. */
  encoding: string | null
  /** The client wants the connection closed after the answer. */
  isLast: boolean
}

/** Where a plain one has to end; a longer head is not plain. */
export const HEAD_BYTES_MAX = 8 * 1024
/** A header line, as strictly as RFC 9112 has it: a name, a colon right behind it, and no control characters but tabs. */
const LINES = /^(?:[!#$%&'*+.^_`|~\-0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/
const LENGTH = /^\d{1,15}$/
const VERSION = ' HTTP/1.1\r\n'

/** Headers that change how a message is framed or answered, or that ask for more than an answer. */
const NOT_PLAIN = new Set(['transfer-encoding', 'expect', 'upgrade', 'te', 'trailer', 'http2-settings'])

/**
 * Reads a head, in latin1 and up to the end of its last header line. Undefined when it is not plain: another method, path
 * or version, a type that the path doesn't take, framing other than one Content-Length, or anything that is not quite right.
 */
export function readPlainPost(head: string, ack: AckOptions): PlainPost | undefined {
  if (!head.startsWith('POST /')) return undefined
  const targetEnd = head.indexOf(' ', 5)
  if (targetEnd < 0 || !head.startsWith(VERSION, targetEnd)) return undefined
  const target = head.slice(5, targetEnd)
  const linesAt = targetEnd + VERSION.length
  const fields = readFields(head, linesAt)
  if (fields === undefined || fields.host === null || fields.length === null || fields.contentType === null)
    return undefined
  const { length, contentType, encoding, key, connection } = fields
  if (!LENGTH.test(length)) return undefined
  const isLast = connection !== null && connection.toLowerCase() === 'close'
  if (connection !== null && !isLast && connection.toLowerCase() !== 'keep-alive') return undefined
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  const read = readerOf(path, contentType)
  const level = wantedAck(target, ack)
  if (read === undefined || typeof level !== 'string') return undefined
  return { path, contentType, read, ack: level, key, length, encoding, isLast }
}

interface Fields {
  host: string | null
  length: string | null
  contentType: string | null
  encoding: string | null
  key: string | null
  connection: string | null
}

const NAMES = new Map<string, keyof Fields>([
  ['host', 'host'],
  ['content-length', 'length'],
  ['content-type', 'contentType'],
  ['content-encoding', 'encoding'],
  ['idempotency-key', 'key'],
  ['connection', 'connection'],
])

/** The header lines that count here; undefined when one is there twice, is broken, or is not for a plain POST. */
function readFields(head: string, start: number): Fields | undefined {
  if (!LINES.test(head.slice(start))) return undefined
  const fields: Fields = { host: null, length: null, contentType: null, encoding: null, key: null, connection: null }
  for (let at = start; at < head.length; ) {
    const colon = head.indexOf(':', at)
    const end = head.indexOf('\r\n', colon)
    const name = head.slice(at, colon).toLowerCase()
    if (NOT_PLAIN.has(name)) return undefined
    const field = NAMES.get(name)
    if (field !== undefined) {
      if (fields[field] !== null) return undefined
      fields[field] = valueIn(head, colon + 1, end)
    }
    at = end + 2
  }
  return fields
}

/** Without the blanks and tabs around it. */
function valueIn(head: string, from: number, to: number): string {
  let [start, end] = [from, to]
  while (start < end && isBlank(head.charCodeAt(start))) start += 1
  while (end > start && isBlank(head.charCodeAt(end - 1))) end -= 1
  return head.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
