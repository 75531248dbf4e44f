/**
 * The head of a POST as nearly all clients send it, read strictly and as bytes: what is understood without a doubt is
 * handled here, and anything else is for the runtime's HTTP server, which knows all of HTTP/1.1.
 */

import { DOUBT_HEADER, LINES_PATH } from '../observe/forwarding.ts'
import { type AckOptions, wantedAck } from './ack.ts'
import { INTAKE_PATHS, readerOf } from './paths.ts'
import type { PostHead } from './post.ts'

/** A POST's head, as far as it is a plain one. */
export interface PlainPost extends PostHead {
  /** The value of Content-Length. */
  bodyBytes: number
  /** Where the body begins. */
  bodyAt: number
  /** The value of Content-Encoding; null for none. */
  encoding: string | null
  /** The client wants the connection closed after the answer. */
  isLast: boolean
}

/** Where a plain one has to end; a longer head is not plain. */
export const HEAD_BYTES_MAX = 8 * 1024
const LENGTH_DIGITS_MAX = 15
const METHOD = Buffer.from('POST ')
const VERSION = Buffer.from(' HTTP/1.1\r\n')
/** For whom every answer is the last: whether it may be another is told by a header that not all of its proxies mean. */
const OLD_VERSION = Buffer.from(' HTTP/1.0\r\n')
const [TAB, LF, CR, SPACE, COLON] = [0x09, 0x0a, 0x0d, 0x20, 0x3a]
/** What a byte may stand in, as RFC 9112 has it: names of headers, their values, the request's target. */
const IN_NAME = 1
const IN_VALUE = 2
const IN_TARGET = 4
const MAY = new Uint8Array(256).map((_, byte) => {
  const isName = /[!#$%&'*+.^_`|~\-0-9A-Za-z]/.test(String.fromCharCode(byte))
  const isTarget = byte > SPACE && byte < 0x7f
  return (
    (isName ? IN_NAME : 0) +
    (isTarget || byte === SPACE || byte === TAB || byte > 0x7f ? IN_VALUE : 0) +
    (isTarget ? IN_TARGET : 0)
  )
})

/** The headers that count; what is framed or answered otherwise than a plain POST, or asks for more, is `no`. */
type Field = 'host' | 'length' | 'type' | 'encoding' | 'key' | 'connection' | 'no'
const FIELDS: Readonly<Record<string, Field>> = {
  host: 'host',
  'content-length': 'length',
  'content-type': 'type',
  'content-encoding': 'encoding',
  'idempotency-key': 'key',
  connection: 'connection',
  'transfer-encoding': 'no',
  expect: 'no',
  upgrade: 'no',
  te: 'no',
  trailer: 'no',
  'http2-settings': 'no',
  [DOUBT_HEADER]: 'no',
}
const NAMED = Object.entries(FIELDS).map(([name, field]) => ({ name: Buffer.from(name), field }))
/** By the length of their names. */
const BY_LENGTH = Array.from({ length: 32 }, (_, length) => NAMED.filter(({ name }) => name.length === length))
/** What nearly all targets and types are: no text has to be made of them. */
const TARGETS = textsFor(Object.keys(INTAKE_PATHS))
const TYPES = textsFor(Object.values(INTAKE_PATHS).flatMap((types) => Object.keys(types)))

/** Where each value of the head under the reader's eyes stands; 0 for one that isn't there. */
const at = { host: 0, length: 0, type: 0, encoding: 0, key: 0, connection: 0 }
const endOf = { host: 0, length: 0, type: 0, encoding: 0, key: 0, connection: 0 }

/**
 * Reads a head that `bytes` begin with. `not-plain`: another method, path or version, a type that the path doesn't take,
 * framing other than one Content-Length, or anything that is not quite right. `more`: it isn't all there, and plain so far.
 */
export function readPlainPost(bytes: Buffer, ack: AckOptions): PlainPost | 'more' | 'not-plain' {
  if (!beginsWith(bytes, 0, METHOD)) return bytes.length < METHOD.length ? 'more' : 'not-plain'
  const limit = Math.min(bytes.length, HEAD_BYTES_MAX)
  const cut = bytes.length < HEAD_BYTES_MAX ? 'more' : 'not-plain'
  let position = METHOD.length
  while (position < limit && ((MAY[bytes[position] as number] as number) & IN_TARGET) !== 0) position += 1
  const targetEnd = position
  if (targetEnd + VERSION.length > limit) return cut
  const isOld = beginsWith(bytes, targetEnd, OLD_VERSION)
  if (!isOld && !beginsWith(bytes, targetEnd, VERSION)) return 'not-plain'
  const bodyAt = readFields(bytes, targetEnd + VERSION.length, limit)
  if (bodyAt === CUT) return cut
  if (bodyAt === NOT_PLAIN) return 'not-plain'
  const bodyBytes = numberIn(bytes, at.length, endOf.length)
  if (at.host === 0 || at.type === 0 || bodyBytes < 0) return 'not-plain'
  const connection = at.connection === 0 ? 'keep-alive' : connectionOf(bytes)
  if (connection !== 'close' && connection !== 'keep-alive') return 'not-plain'
  const isLast = isOld || connection === 'close'
  const target = textIn(bytes, METHOD.length, targetEnd, TARGETS)
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  // Bounds and keys of made lines are others: the HTTP server's handler has them.
  if (path === LINES_PATH) return 'not-plain'
  const contentType = textIn(bytes, at.type, endOf.type, TYPES)
  const read = readerOf(path, contentType)
  const level = wantedAck(target, ack)
  if (read === undefined || typeof level !== 'string') return 'not-plain'
  const key = at.key === 0 ? null : bytes.toString('latin1', at.key, endOf.key)
  const encoding = at.encoding === 0 ? null : bytes.toString('latin1', at.encoding, endOf.encoding)
  return { path, contentType, read, ack: level, key, bodyBytes, bodyAt, encoding, isLast }
}

const CUT = -1
const NOT_PLAIN = -2

/** Notes where the values that count stand. Returns where the body begins. */
function readFields(bytes: Buffer, start: number, limit: number): number {
  at.host = at.length = at.type = at.encoding = at.key = at.connection = 0
  let position = start
  for (;;) {
    if (position + 1 >= limit) return CUT
    if (bytes[position] === CR) return bytes[position + 1] === LF ? position + 2 : NOT_PLAIN
    const nameAt = position
    while (position < limit && ((MAY[bytes[position] as number] as number) & IN_NAME) !== 0) position += 1
    const nameEnd = position
    if (position >= limit) return CUT
    if (bytes[position] !== COLON || nameEnd === nameAt) return NOT_PLAIN
    position += 1
    while (position < limit && isBlank(bytes[position] as number)) position += 1
    const valueAt = position
    while (position < limit && ((MAY[bytes[position] as number] as number) & IN_VALUE) !== 0) position += 1
    let valueEnd = position
    if (position + 1 >= limit) return CUT
    if (bytes[position] !== CR || bytes[position + 1] !== LF) return NOT_PLAIN
    position += 2
    const field = fieldOf(bytes, nameAt, nameEnd)
    if (field === undefined) continue
    if (field === 'no' || at[field] !== 0) return NOT_PLAIN
    while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1] as number)) valueEnd -= 1
    at[field] = valueAt
    endOf[field] = valueEnd
  }
}

function fieldOf(bytes: Buffer, start: number, end: number): Field | undefined {
  const named = BY_LENGTH[end - start]
  if (named === undefined) return undefined
  for (const { name, field } of named) if (isName(bytes, start, name)) return field
  return undefined
}

/** Letters in either case; in the names that are looked for there are letters, digits and hyphens only. */
function isName(bytes: Buffer, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (((bytes[start + i] as number) | 0x20) !== name[i]) return false
  return true
}

function beginsWith(bytes: Buffer, position: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[position + i] !== wanted[i]) return false
  return true
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB
}

/** Only digits, and not too many; else -1. */
function numberIn(bytes: Buffer, start: number, end: number): number {
  if (start === 0 || end === start || end - start > LENGTH_DIGITS_MAX) return -1
  let number = 0
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return number
}

function connectionOf(bytes: Buffer): string {
  return bytes.toString('latin1', at.connection, endOf.connection).toLowerCase()
}

interface KnownText {
  text: string
  bytes: Buffer
}

function textsFor(texts: readonly string[]): KnownText[] {
  return [...new Set(texts)].map((text) => ({ text, bytes: Buffer.from(text) }))
}

function textIn(bytes: Buffer, start: number, end: number, known: readonly KnownText[]): string {
  for (const one of known) if (one.bytes.length === end - start && beginsWith(bytes, start, one.bytes)) return one.text
  return bytes.toString('latin1', start, end)
}
