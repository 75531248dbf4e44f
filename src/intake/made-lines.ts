/**
 * Lines as objects have them, which another Millrace has made and forwards: each is checked to be one, and all are kept as
 * they are. `{"receipt":"…","index":0,"received_at":"…","version":null,"source":"…","payload":…}`, each with its line feed.
 */

import { isUtf8 } from 'node:buffer'
import { isJson } from '../json/check.ts'
import { quickLines } from '../json/quick-check.ts'
import { lineNumber } from '../json/slice.ts'
import { firstInvalidUtf8 } from '../json/utf8.ts'
import { LINES_PATH } from '../observe/forwarding.ts'
import type { Refusal } from './problem.ts'
import { type ShapeOrRefusal, shape } from './shapes.ts'

const RECEIPT = Buffer.from('{"receipt":"')
const INDEX = Buffer.from('","index":')
const RECEIVED_AT = Buffer.from(',"received_at":"')
const VERSION = Buffer.from('","version":')
const NULL = Buffer.from('null')
const SOURCE = Buffer.from(',"source":')
const PAYLOAD = Buffer.from(',"payload":')
const LF = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const CLOSE = 0x7d
/** How many bytes of values are checked at once. */
const VALUES_BYTES = 1 << 20

/** Checks a body of such lines. */
export function readMade(body: Uint8Array): ShapeOrRefusal {
  if (!isUtf8(body)) {
    const offset = firstInvalidUtf8(body)
    return { code: 'invalid_utf8', detail: `byte ${offset} is not part of valid UTF-8`, members: { offset } }
  }
  // It would not come into an object as it is.
  if (body.includes(0x0d)) return { code: 'wrong_shape', detail: 'there is a carriage return in it' }
  const together = new Values()
  const lines = eachLine(body, (from, to) => together.add(body, from, to))
  if (typeof lines !== 'number') return lines
  if (lines === 0) return { code: 'wrong_shape', detail: 'there is no line in it' }
  if (together.end()) return shape('made', body, lines)
  // One by one, for those that are unusual, and to say which is bad.
  let bad: Refusal | undefined
  eachLine(body, (from, to) => {
    if (!bad && !isJson(body, from, to))
      bad = notALine('invalid_json', body, from, 'has a value that is not valid JSON')
  })
  return bad ?? shape('made', body, lines)
}

/** Whether a line among these was made by `node` itself: then whoever forwards it does so in a circle. */
export function hasLineOf(node: string, body: Uint8Array): boolean {
  const begin = Buffer.from(`{"receipt":"${node}-`)
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  for (let at = bytes.indexOf(begin); at >= 0; at = bytes.indexOf(begin, at + 1)) {
    // Elsewhere it is in a payload.
    if (at === 0 || bytes[at - 1] === LF) return true
  }
  return false
}

/** How many lines there are; `onValue` hears where the values are that have to be JSON, a payload after what is new before it. */
function eachLine(body: Uint8Array, onValue: (from: number, to: number) => void): number | Refusal {
  const head = new Head(body, onValue)
  let lines = 0
  for (let at = 0; at < body.length; lines++) {
    const feed = body.indexOf(LF, at)
    if (feed < 0) return notALine('wrong_shape', body, at, 'has no line feed')
    const payloadAt = head.endFrom(at, feed)
    if (payloadAt === undefined || body[feed - 1] !== CLOSE) {
      return notALine('wrong_shape', body, at, 'is not as lines of objects are')
    }
    onValue(payloadAt, feed - 1)
    at = feed + 1
  }
  return lines
}

/** What a line has before its payload. */
class Head {
  readonly #body: Uint8Array
  readonly #onValue: (from: number, to: number) => void
  /** The last version and source: lines come in runs of the same. */
  #known: readonly [Uint8Array, Uint8Array] = [new Uint8Array(), new Uint8Array()]
  #at = 0
  #end = 0

  constructor(body: Uint8Array, onValue: (from: number, to: number) => void) {
    this.#body = body
    this.#onValue = onValue
  }

  /** Where the payload of the line that begins at `at` does; undefined when it isn't such a line. */
  endFrom(at: number, end: number): number | undefined {
    this.#at = at
    this.#end = end
    const isHead =
      this.#is(RECEIPT) &&
      this.#some(isNameByte) &&
      this.#is(INDEX) &&
      this.#some(isDigit) &&
      this.#is(RECEIVED_AT) &&
      this.#some(isTimeByte) &&
      this.#is(VERSION) &&
      (this.#is(NULL) || this.#string(0)) &&
      this.#is(SOURCE) &&
      this.#string(1) &&
      this.#is(PAYLOAD)
    return isHead ? this.#at : undefined
  }

  #is(text: Uint8Array): boolean {
    for (let i = 0; i < text.length; i++) if (this.#body[this.#at + i] !== text[i]) return false
    this.#at += text.length
    return this.#at <= this.#end
  }

  /** One or more of such bytes. */
  #some(isOne: (byte: number) => boolean): boolean {
    const from = this.#at
    while (this.#at < this.#end && isOne(this.#body[this.#at] as number)) this.#at++
    return this.#at > from
  }

  #string(which: 0 | 1): boolean {
    const from = this.#at
    const known = this.#known[which]
    // The known one ends with a quote that ends it here, too.
    if (known.length > 0 && this.#is(known)) return true
    this.#at = from
    if (this.#body[this.#at] !== QUOTE) return false
    for (this.#at++; this.#at < this.#end; this.#at++) {
      const byte = this.#body[this.#at]
      if (byte === BACKSLASH) this.#at++
      else if (byte === QUOTE) {
        this.#at++
        this.#onValue(from, this.#at)
        this.#known =
          which === 0
            ? [this.#body.subarray(from, this.#at), this.#known[1]]
            : [this.#known[0], this.#body.subarray(from, this.#at)]
        return true
      }
    }
    return false
  }
}

/** Checks many values at once, as lines of a text of its own. */
class Values {
  readonly #text = Buffer.allocUnsafe(VALUES_BYTES)
  #bytes = 0
  #count = 0
  #areGood = true

  add(body: Uint8Array, from: number, to: number): void {
    const bytes = to - from + 1
    if (this.#bytes + bytes > VALUES_BYTES) this.#check()
    if (bytes > VALUES_BYTES) {
      this.#areGood &&= quickLines(body.subarray(from, to)) === 1
      return
    }
    this.#text.set(body.subarray(from, to), this.#bytes)
    this.#bytes += bytes
    this.#text[this.#bytes - 1] = LF
    this.#count += 1
  }

  /** Whether all of them are surely JSON. */
  end(): boolean {
    this.#check()
    return this.#areGood
  }

  #check(): void {
    this.#areGood &&= quickLines(this.#text.subarray(0, this.#bytes)) === this.#count
    this.#bytes = this.#count = 0
  }
}

function isNameByte(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || isDigit(byte) || byte === 0x2d
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** Of an ISO 8601 time. */
function isTimeByte(byte: number): boolean {
  return (
    isDigit(byte) || byte === 0x2d || byte === 0x3a || byte === 0x2e || byte === 0x54 || byte === 0x5a || byte === 0x2b
  )
}

function notALine(code: 'wrong_shape' | 'invalid_json', body: Uint8Array, at: number, what: string): Refusal {
  const line = lineNumber(body, 0, at)
  return {
    code,
    detail: `line ${line} ${what}; ${LINES_PATH} is for lines that another Millrace has made`,
    members: { line },
  }
}
