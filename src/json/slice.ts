/** Where lines, strings and certain members lie in a text: spans of its raw bytes, no value is ever parsed. */

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

/** The index after the closing quote of the string whose content starts at `i`, in valid JSON. */
export function stringEnd(bytes: Uint8Array, i: number): number {
  while (bytes[i] !== 0x22) i += bytes[i] === 0x5c ? 2 : 1
  return i + 1
}

const decoder = new TextDecoder()

/** The members of a collection that matter. */
export type MemberName = 'version' | 'token' | 'data'

/** Which of a collection's members the name whose content is `bytes[start, end)` means; escapes are understood. */
export function memberName(bytes: Uint8Array, start: number, end: number): MemberName | undefined {
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

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
}

function doubled(list: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const bigger = new Uint32Array(list.length * 2)
  bigger.set(list)
  return bigger
}
