/** The shapes a body can have: checks one and says which record it becomes. The raw bytes are kept, never re-encoded. */

import { isUtf8 } from 'node:buffer'
import type { RecordKind } from '../journal/journal.ts'
import { checkJson, isJson, type JsonFault, type Onlooker } from '../json/check.ts'
import { type LineFacts, quickChildren, quickLines, quickMembers } from '../json/quick-check.ts'
import { lineNumber, lineSpans, memberName, Spans, stringEnd } from '../json/slice.ts'
import { firstInvalidUtf8 } from '../json/utf8.ts'
import { FORM_FIELDS_MAX, formValues } from './form.ts'
import type { Refusal } from './problem.ts'

/** A body that may become a record. */
export interface Shape {
  kind: RecordKind
  body: Uint8Array
  payloads: number
  /** Lines of an NDJSON body that are left out; undefined when there are none. */
  rejected?: RejectedLines
}

/** The bad lines of an NDJSON body. */
export interface RejectedLines {
  count: number
  /** The first of them, up to `LINE_ERRORS_MAX`. */
  errors: LineError[]
}

/** What is wrong with one line. */
export interface LineError {
  /** From 1, blank lines counted. */
  line: number
  code: 'invalid_json' | 'invalid_utf8'
  detail: string
}

/** A body's shape, or why it has none. */
export type ShapeOrRefusal = Shape | Refusal

/** Checks a body. */
export type ReadShape = (body: Uint8Array) => ShapeOrRefusal

/** How many bad lines an answer lists; all are counted. */
export const LINE_ERRORS_MAX = 100
/** The most payloads in one body; their places in it are held in memory while it is encoded. */
export const BODY_PAYLOADS_MAX = 1_000_000
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const spans = new Spans()

/** The longest version, as it stands in the body with its quotes: it is written into every line. */
export const VERSION_BYTES_MAX = 256

/** Notes where the values of a collection's members begin (0: nowhere) and counts what is in data. */
const collection = {
  countedDepth: 2,
  versionAt: 0,
  tokenAt: 0,
  dataAt: 0,
  payloads: 0,
  isData: false,
  clear() {
    this.versionAt = this.tokenAt = this.dataAt = this.payloads = 0
    this.isData = false
  },
  member(bytes: Uint8Array, start: number, end: number, valueAt: number) {
    // Of equal names the last wins, as in `JSON.parse`.
    const name = memberName(bytes, start, end)
    this.isData = name === 'data'
    if (name !== undefined) this[PLACES[name]] = valueAt
  },
  counted(children: number) {
    if (this.isData) this.payloads = children
  },
}
const PLACES = { version: 'versionAt', token: 'tokenAt', data: 'dataAt' } as const

/** Counts what is in the outermost value. */
const outermost = {
  countedDepth: 1,
  children: 0,
  member() {},
  counted(children: number) {
    this.children = children
  },
}

/** `{"version": string, "token": string, "data": [payload, …]}`. */
export function readCollection(body: Uint8Array): ShapeOrRefusal {
  const refusal = collectionFault(body)
  if (refusal) return refusal
  if (firstByte(body) !== 0x7b) return notACollection('', 'an object')
  const { versionAt, tokenAt, dataAt, payloads } = collection
  if (body[versionAt] !== 0x22) return notACollection('version', 'a string')
  if (stringEnd(body, versionAt + 1) - versionAt > VERSION_BYTES_MAX) {
    return {
      code: 'wrong_shape',
      detail: `"version" is longer than ${VERSION_BYTES_MAX} bytes; it stands in every line`,
    }
  }
  if (body[tokenAt] !== 0x22) return notACollection('token', 'a string')
  if (body[dataAt] !== 0x5b) return notACollection('data', 'an array')
  return shape('collection', body, payloads)
}

function collectionFault(body: Uint8Array): Refusal | undefined {
  if (isUtf8(body) && quickMembers(body, collection)) return undefined
  collection.clear()
  return fault(body, collection)
}

/** One JSON value is one payload, a top-level array is many. */
export function readValueOrArray(body: Uint8Array): ShapeOrRefusal {
  const refusal = valueFault(body)
  if (refusal) return refusal
  return firstByte(body) === 0x5b ? shape('array', body, outermost.children) : shape('value', body, 1)
}

function valueFault(body: Uint8Array): Refusal | undefined {
  const children = isUtf8(body) ? quickChildren(body) : undefined
  if (children === undefined) return fault(body, outermost)
  outermost.children = children
  return undefined
}

/** NDJSON: one payload a line. Good lines are kept, bad ones counted and the first of them explained. */
export function readLines(body: Uint8Array): ShapeOrRefusal {
  const allUtf8 = isUtf8(body)
  const lines = allUtf8 ? quickLines(body) : undefined
  return lines === undefined ? readMixedLines(body, allUtf8) : shape('lines', body, lines)
}

/** The same where all lines are good and usual, and how many line feeds there are; undefined: ask `readLines`, which takes longer and explains. */
export function readGoodLines(body: Uint8Array, into: LineFacts): ShapeOrRefusal | undefined {
  const lines = isUtf8(body) ? quickLines(body, into) : undefined
  return lines === undefined ? undefined : shape('lines', body, lines)
}

/** Lines that are not all good, or unusual. */
function readMixedLines(body: Uint8Array, allUtf8: boolean): ShapeOrRefusal {
  spans.clear()
  lineSpans(body, 0, body.length, spans, BODY_PAYLOADS_MAX + 1)
  if (spans.count > BODY_PAYLOADS_MAX) return tooManyPayloads(`more than ${BODY_PAYLOADS_MAX}`)
  const rejected: RejectedLines = { count: 0, errors: [] }
  let goodBytes = 0
  let goodLines = 0
  let line = 1
  let lineAt = 0
  for (let i = 0; i < spans.count; i++) {
    const start = spans.starts[i] as number
    const end = spans.ends[i] as number
    if (isGoodLine(body, start, end, allUtf8)) {
      // Good lines move to the front of the list, those that are left over count for nothing.
      spans.starts[goodLines] = start
      spans.ends[goodLines] = end
      goodLines += 1
      goodBytes += end - start + 1
      continue
    }
    rejected.count += 1
    if (rejected.errors.length < LINE_ERRORS_MAX) {
      line += lineNumber(body, lineAt, start) - 1
      lineAt = start
      rejected.errors.push({ line, ...lineFault(body.subarray(start, end)) })
    }
  }
  if (rejected.count === 0) return shape('lines', body, spans.count)
  if (goodLines === 0) {
    const detail = `all ${rejected.count} lines are bad; errors lists up to ${LINE_ERRORS_MAX} of them`
    return { code: 'invalid_lines', detail, members: { rejected: rejected.count, errors: rejected.errors } }
  }
  return { ...shape('lines', joinLines(body, goodLines, goodBytes), goodLines), rejected }
}

/** A form whose field `message` becomes one payload `{"message": "…"}`. */
export function readForm(body: Uint8Array): ShapeOrRefusal {
  const values = formValues(body, 'message')
  if (!values) return { code: 'wrong_shape', detail: `the form has more than ${FORM_FIELDS_MAX} fields` }
  const [message, ...others] = values
  if (!message) return { code: 'wrong_shape', detail: 'the form has no field named message' }
  if (others.length > 0) {
    return { code: 'wrong_shape', detail: `the form has ${others.length + 1} fields named message; send one` }
  }
  const invalid = firstInvalidUtf8(message)
  if (invalid >= 0) {
    const detail = `byte ${invalid} of the decoded message is not UTF-8`
    return { code: 'invalid_utf8', detail, members: { offset: invalid } }
  }
  return shape('value', Buffer.from(JSON.stringify({ message: utf8.decode(message) })), 1)
}

/** The first byte of a valid text that is not white space. */
function firstByte(body: Uint8Array): number | undefined {
  let i = 0
  while ((body[i] as number) <= 0x20) i++
  return body[i]
}

/** The shape, unless it holds too much. */
export function shape(kind: RecordKind, body: Uint8Array, payloads: number): ShapeOrRefusal {
  if (payloads <= BODY_PAYLOADS_MAX) return { kind, body, payloads }
  return tooManyPayloads(`${payloads}`)
}

function tooManyPayloads(howMany: string): Refusal {
  return { code: 'too_many_payloads', detail: `the body holds ${howMany} payloads, of ${BODY_PAYLOADS_MAX} allowed` }
}

function notACollection(member: string, expected: string): Refusal {
  const what = member === '' ? 'the body is not' : `"${member}" is missing or is not`
  const detail = `${what} ${expected}; expected is {"version": string, "token": string, "data": [payload, …]}`
  return { code: 'wrong_shape', detail }
}

/** Why a body is not valid JSON in valid UTF-8; undefined when it is. */
function fault(body: Uint8Array, onlooker: Onlooker): Refusal | undefined {
  if (!isUtf8(body)) {
    const offset = firstInvalidUtf8(body)
    return { code: 'invalid_utf8', detail: `byte ${offset} is not part of valid UTF-8`, members: { offset } }
  }
  const found = checkJson(body, 0, body.length, onlooker)
  if (!found) return undefined
  const { offset, line, column } = found
  return { code: 'invalid_json', detail: `line ${line}, ${inWords(found)}`, members: { offset, line, column } }
}

function isGoodLine(body: Uint8Array, start: number, end: number, isKnownUtf8: boolean): boolean {
  return (isKnownUtf8 || isUtf8(body.subarray(start, end))) && isJson(body, start, end)
}

/** What is wrong with a bad line. */
function lineFault(line: Uint8Array): Omit<LineError, 'line'> {
  if (!isUtf8(line)) {
    return { code: 'invalid_utf8', detail: `byte ${firstInvalidUtf8(line)} of the line is not part of valid UTF-8` }
  }
  return { code: 'invalid_json', detail: inWords(checkJson(line) as JsonFault) }
}

function inWords({ column, reason }: JsonFault): string {
  return `column ${column}: ${reason}`
}

/** The first `count` of `spans`, with a line feed after each. */
function joinLines(body: Uint8Array, count: number, bytes: number): Uint8Array {
  const joined = Buffer.allocUnsafe(bytes)
  let at = 0
  for (let i = 0; i < count; i++) {
    const line = body.subarray(spans.starts[i], spans.ends[i])
    joined.set(line, at)
    at += line.length
    joined[at++] = 0x0a
  }
  return joined
}
