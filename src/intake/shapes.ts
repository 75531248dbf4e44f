/** The shapes a body can have: checks one and says which record it becomes. The raw bytes are kept, never re-encoded. */

import { isUtf8 } from 'node:buffer'
import type { RecordKind } from '../journal/journal.ts'
import { checkJson, type JsonFault, type Onlooker } from '../json/check.ts'
import { lineSpans, memberName, Spans } from '../json/slice.ts'
import { firstInvalidUtf8 } from '../json/utf8.ts'
import { formValues } from './form.ts'
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

/** Notes the first bytes of a collection's members (0 for one that is missing) and counts what is in data. */
const collection = {
  countedDepth: 2,
  version: 0,
  token: 0,
  data: 0,
  payloads: 0,
  isData: false,
  clear() {
    this.version = this.token = this.data = this.payloads = 0
    this.isData = false
  },
  member(bytes: Uint8Array, start: number, end: number, first: number) {
    // Of equal names the last wins, as in `JSON.parse`.
    const name = memberName(bytes, start, end)
    this.isData = name === 'data'
    if (name !== undefined) this[name] = first
  },
  counted(children: number) {
    if (this.isData) this.payloads = children
  },
}

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
  collection.clear()
  const refusal = check(body, collection)
  if (refusal) return refusal
  if (firstByte(body) !== 0x7b) return notACollection('', 'an object')
  const { version, token, data, payloads } = collection
  if (version !== 0x22) return notACollection('version', 'a string')
  if (token !== 0x22) return notACollection('token', 'a string')
  if (data !== 0x5b) return notACollection('data', 'an array')
  return shape('collection', body, payloads)
}

/** One JSON value is one payload, a top-level array is many. */
export function readValueOrArray(body: Uint8Array): ShapeOrRefusal {
  const refusal = check(body, outermost)
  if (refusal) return refusal
  return firstByte(body) === 0x5b ? shape('array', body, outermost.children) : shape('value', body, 1)
}

/** NDJSON: one payload a line. Good lines are kept, bad ones counted and the first of them explained. */
export function readLines(body: Uint8Array): ShapeOrRefusal {
  spans.clear()
  lineSpans(body, 0, body.length, spans)
  const allUtf8 = isUtf8(body)
  const good: Uint8Array[] = []
  const rejected: RejectedLines = { count: 0, errors: [] }
  const numbers = new LineNumbers(body)
  for (let i = 0; i < spans.count; i++) {
    const start = spans.starts[i] as number
    const end = spans.ends[i] as number
    const fault = lineFault(body.subarray(start, end), allUtf8)
    if (!fault) {
      good.push(body.subarray(start, end))
      continue
    }
    rejected.count += 1
    if (rejected.errors.length < LINE_ERRORS_MAX) rejected.errors.push({ line: numbers.at(start), ...fault })
  }
  if (rejected.count === 0) return shape('lines', body, spans.count)
  if (good.length === 0) {
    const detail = `all ${rejected.count} lines are bad; errors lists up to ${LINE_ERRORS_MAX} of them`
    return { code: 'invalid_lines', detail, members: { rejected: rejected.count, errors: rejected.errors } }
  }
  return { ...shape('lines', joinLines(good), good.length), rejected }
}

/** A form whose field `message` becomes one payload `{"message": "…"}`. */
export function readForm(body: Uint8Array): ShapeOrRefusal {
  const [message, ...others] = formValues(body, 'message')
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

function shape(kind: RecordKind, body: Uint8Array, payloads: number): ShapeOrRefusal {
  if (payloads <= BODY_PAYLOADS_MAX) return { kind, body, payloads }
  return { code: 'too_many_payloads', detail: `the body holds ${payloads} payloads, of ${BODY_PAYLOADS_MAX} allowed` }
}

function notACollection(member: string, expected: string): Refusal {
  const what = member === '' ? 'the body is not' : `"${member}" is missing or is not`
  const detail = `${what} ${expected}; expected is {"version": string, "token": string, "data": [payload, …]}`
  return { code: 'wrong_shape', detail }
}

/**
 * Why a body is not valid JSON in valid UTF-8; undefined when it is. `JSON.parse` is quicker by itself, but what it builds
 * is garbage at once: collecting that costs more than is saved (7 % of all CPU at one payload a POST, 9 % at 100).
 */
function check(body: Uint8Array, onlooker: Onlooker): Refusal | undefined {
  if (!isUtf8(body)) {
    const offset = firstInvalidUtf8(body)
    return { code: 'invalid_utf8', detail: `byte ${offset} is not part of valid UTF-8`, members: { offset } }
  }
  const fault = checkJson(body, 0, body.length, onlooker)
  if (!fault) return undefined
  const { offset, line, column } = fault
  return { code: 'invalid_json', detail: `line ${line}, ${inWords(fault)}`, members: { offset, line, column } }
}

function lineFault(line: Uint8Array, isKnownUtf8: boolean): Omit<LineError, 'line'> | undefined {
  if (!isKnownUtf8 && !isUtf8(line)) {
    return { code: 'invalid_utf8', detail: `byte ${firstInvalidUtf8(line)} of the line is not part of valid UTF-8` }
  }
  const fault = checkJson(line)
  return fault && { code: 'invalid_json', detail: inWords(fault) }
}

function inWords({ column, reason }: JsonFault): string {
  return `column ${column}: ${reason}`
}

function joinLines(lines: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.allocUnsafe(lines.reduce((sum, line) => sum + line.length + 1, 0))
  let at = 0
  for (const line of lines) {
    body.set(line, at)
    at += line.length
    body[at++] = 0x0a
  }
  return body
}

/** Counts line feeds up to growing positions. */
class LineNumbers {
  readonly #body: Uint8Array
  #line = 1
  #at = 0

  constructor(body: Uint8Array) {
    this.#body = body
  }

  at(position: number): number {
    for (;;) {
      const feed = this.#body.indexOf(0x0a, this.#at)
      if (feed < 0 || feed >= position) return this.#line
      this.#line += 1
      this.#at = feed + 1
    }
  }
}
