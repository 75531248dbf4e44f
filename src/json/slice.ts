/** Where values lie in a text that is known to be valid JSON: spans of its raw bytes, no value is ever parsed. */

/** The bytes `[start, end)` of a text. */
export interface Span {
  start: number
  end: number
}

const spansKept = 4096

/** A list of spans that is filled again and again without allocating: span `k` is `[starts[k], ends[k])`. */
export class Spans {
  count = 0
  starts = new Uint32Array(spansKept)
  ends = new Uint32Array(spansKept)

  /** Empties the list, and gives back the memory that one huge text made it take. */
  clear(): void {
    this.count = 0
    if (this.starts.length > spansKept * 16) {
      this.starts = new Uint32Array(spansKept)
      this.ends = new Uint32Array(spansKept)
    }
  }

  push(start: number, end: number): void {
    const k = this.count
    if (k === this.starts.length) {
      this.starts = doubled(this.starts)
      this.ends = doubled(this.ends)
    }
    this.starts[k] = start
    this.ends[k] = end
    this.count = k + 1
  }
}

/** The spans of the values of a collection's members that matter; undefined for one that is missing. */
export interface CollectionSpans {
  version: Span | undefined
  token: Span | undefined
  data: Span | undefined
}

/**
 * Appends to `into` the span of each element of the array in `bytes[from, to)`, without the white space around the
 * element. White space before the array is skipped. Returns the index after the closing bracket.
 */
export function arrayElements(bytes: Uint8Array, from: number, to: number, into: Spans): number {
  let i = skipSpace(bytes, skipSpace(bytes, from) + 1)
  if (bytes[i] === 0x5d) return i + 1
  for (;;) {
    const end = valueEnd(bytes, i, to)
    into.push(i, end)
    i = skipSpace(bytes, end)
    if (bytes[i] === 0x5d) return i + 1
    i = skipSpace(bytes, i + 1)
  }
}

/**
 * The spans of "version", "token" and "data" in the object in `bytes[from, to)`, as `JSON.parse` sees them: the last
 * of equal names wins, a name may be written with escapes. In the same pass `elements` is set to the spans of the
 * elements of data, to none when data is missing or no array.
 */
export function collectionSpans(bytes: Uint8Array, from: number, to: number, elements: Spans): CollectionSpans {
  const found: CollectionSpans = { version: undefined, token: undefined, data: undefined }
  elements.clear()
  let i = skipSpace(bytes, skipSpace(bytes, from) + 1)
  while (bytes[i] !== 0x7d) {
    const nameEnd = stringEnd(bytes, i + 1)
    const name = memberName(bytes, i + 1, nameEnd - 1)
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    // A second data replaces the elements of the first.
    if (name === 'data') elements.clear()
    const isElements = name === 'data' && bytes[start] === 0x5b
    const end = isElements ? arrayElements(bytes, start, to, elements) : valueEnd(bytes, start, to)
    if (name !== undefined) found[name] = { start, end }
    i = skipSpace(bytes, end)
    if (bytes[i] === 0x2c) i = skipSpace(bytes, i + 1)
  }
  return found
}

/** `bytes[from, to)` without the white space around it. */
export function valueSpan(bytes: Uint8Array, from: number, to: number): Span {
  let start = from
  let end = to
  while (start < end && isSpace(bytes[start] as number)) start++
  while (end > start && isSpace(bytes[end - 1] as number)) end--
  return { start, end }
}

/**
 * Appends to `into` the span of each line of `bytes[from, to)` that holds more than white space, trimmed (which takes
 * the CR of CRLF, too). The last line needs no line feed. The lines may be anything, not only JSON. Stops at `most`.
 */
export function lineSpans(
  bytes: Uint8Array,
  from: number,
  to: number,
  into: Spans,
  most = Number.MAX_SAFE_INTEGER,
): void {
  const text = bytes.subarray(0, to)
  let next = from
  while (next < to && into.count < most) {
    const feed = text.indexOf(0x0a, next)
    let start = next
    let end = feed < 0 ? to : feed
    next = end + 1
    while (start < end && isSpace(bytes[start] as number)) start++
    while (end > start && isSpace(bytes[end - 1] as number)) end--
    if (start < end) into.push(start, end)
  }
}

/** The number, from 1, of the line of `bytes[from, …)` that holds the index `at`. For messages: it counts from the start. */
export function lineNumber(bytes: Uint8Array, from: number, at: number): number {
  let line = 1
  for (let i = from; i < at; i++) if (bytes[i] === 0x0a) line++
  return line
}

/** Whether `bytes[start, end)` is free of line breaks. Ask it of a whole body first: few have any. */
export function isFlat(bytes: Uint8Array, start: number, end: number): boolean {
  const text = bytes.subarray(start, end)
  return text.indexOf(0x0a) < 0 && text.indexOf(0x0d) < 0
}

/** Copies `bytes[start, end)` to `target` at `at`, with a space for each CR and LF: in valid JSON, never in a string. */
export function flatten(bytes: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  const offset = at - start
  for (let i = start; i < end; i++) {
    const c = bytes[i] as number
    target[i + offset] = c === 0x0a || c === 0x0d ? 0x20 : c
  }
}

const quoteKind = 1
const openKind = 2
const closeKind = 3

/** What a byte outside of strings is to `containerEnd`; 0 is nothing. */
const kindOf = new Uint8Array(256)
kindOf[0x22] = quoteKind
kindOf[0x5b] = kindOf[0x7b] = openKind
kindOf[0x5d] = kindOf[0x7d] = closeKind

/** The index after the value that starts exactly at `i`. */
function valueEnd(bytes: Uint8Array, i: number, to: number): number {
  const kind = kindOf[bytes[i] as number]
  if (kind === openKind) return containerEnd(bytes, i + 1)
  if (kind === quoteKind) return stringEnd(bytes, i + 1)
  // A number or a word ends before white space, a comma, a closing bracket, or with the text.
  for (let end = i + 1; end < to; end++) {
    const c = bytes[end] as number
    if (c === 0x2c || c <= 0x20 || kindOf[c] === closeKind) return end
  }
  return to
}

/** The index after the bracket that closes the container whose content starts at `i`. */
function containerEnd(bytes: Uint8Array, i: number): number {
  let depth = 1
  for (;;) {
    // An inner loop of its own measures 6 to 20 % faster than `continue`.
    let kind = kindOf[bytes[i++] as number]
    while (kind === 0) kind = kindOf[bytes[i++] as number]
    if (kind === quoteKind) i = stringEnd(bytes, i)
    else if (kind === openKind) depth++
    else if (--depth === 0) return i
  }
}

/**
 * The index after the closing quote of the string whose content starts at `i`, in valid JSON. Most bytes of a text pass here, so it
 * looks for quotes only, four a turn, and counts the backslashes before one: an even number means that it closes.
 */
export function stringEnd(bytes: Uint8Array, i: number): number {
  for (;;) {
    for (;;) {
      if (bytes[i] === 0x22) break
      if (bytes[i + 1] === 0x22) {
        i += 1
        break
      }
      if (bytes[i + 2] === 0x22) {
        i += 2
        break
      }
      if (bytes[i + 3] === 0x22) {
        i += 3
        break
      }
      i += 4
    }
    // The run of backslashes ends at the string's opening quote at the latest.
    let before = i - 1
    while (bytes[before] === 0x5c) before--
    i++
    if (((i - before) & 1) === 0) return i
  }
}

const decoder = new TextDecoder()

/** Which of a collection's members the name whose content is `bytes[start, end)` means; escapes are understood. */
export function memberName(bytes: Uint8Array, start: number, end: number): keyof CollectionSpans | undefined {
  const length = end - start
  if (length === 4 && isText(bytes, start, 'data')) return 'data'
  if (length === 5 && isText(bytes, start, 'token')) return 'token'
  if (length === 7 && isText(bytes, start, 'version')) return 'version'
  // Written with escapes it takes from 9 bytes (one in "data") to 42 (seven in "version").
  if (length < 9 || length > 42 || !bytes.subarray(start, end).includes(0x5c)) return undefined
  const name: unknown = JSON.parse(decoder.decode(bytes.subarray(start - 1, end + 1)))
  return name === 'version' || name === 'token' || name === 'data' ? name : undefined
}

function isText(bytes: Uint8Array, start: number, text: string): boolean {
  for (let k = 0; k < text.length; k++) if (bytes[start + k] !== text.charCodeAt(k)) return false
  return true
}

/** In valid JSON every byte up to the space that is not in a string is white space. */
function skipSpace(bytes: Uint8Array, i: number): number {
  while ((bytes[i] as number) <= 0x20) i++
  return i
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
}

function doubled(list: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const bigger = new Uint32Array(list.length * 2)
  bigger.set(list)
  return bigger
}
