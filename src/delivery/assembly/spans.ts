/**
 * Where payloads lie in a record's body: spans in a table. The body is known to be valid JSON, so that what counts is where
 * strings begin and end and how deep brackets are; both come from bit masks over 64 bytes at a time.
 */

import { ARRAY, BACKSLASH, COLON, COMMA, DATA, memberOf, OBJECT, QUOTE, VERSION } from '../../json/assembly/text'

/** Start and end of each span, a u32 each. */
let table: usize = 0
let countMax = 0
/** How many spans there are. */
export let count = 0
/** The bytes of the collection's version, with its quotes; empty for none. */
export let versionStart: usize = 0
export let versionEnd: usize = 0

/** Gives the table its place and says how many spans it holds. */
export function placeTable(at: usize, spansMax: i32): void {
  table = at
  countMax = spansMax
}

export function startOf(index: i32): usize {
  return load<u32>(table + ((<usize>index) << 3))
}

export function endOf(index: i32): usize {
  return load<u32>(table + ((<usize>index) << 3), 4)
}

const KIND_COLLECTION = 0
const KIND_ARRAY = 2
export const KIND_LINES = 3
export const KIND_MADE = 4

/**
 * Finds the payloads of a body of `kind` (its place in the journal's list of kinds). False when it isn't such a body, or has
 * more of them than the table holds.
 */
export function findSpans(kind: u32, from: usize, to: usize): bool {
  count = 0
  versionStart = versionEnd = 0
  return isOfKind(kind, from, to) && count <= countMax
}

function isOfKind(kind: u32, from: usize, to: usize): bool {
  if (kind == KIND_LINES) {
    lines(from, to)
    return true
  }
  if (kind == KIND_MADE) {
    lines(from, to)
    openLines()
    return true
  }
  const start = spaceEnd(from)
  if (kind == KIND_ARRAY) return load<u8>(start) == ARRAY && containerEnd(start + 1, to, true) != 0
  if (kind == KIND_COLLECTION) return load<u8>(start) == OBJECT && members(start + 1, to)
  add(from, to)
  return true
}

/** The members of a collection whose first begins at or behind `i`: of equal names the last wins. */
function members(i: usize, to: usize): bool {
  i = spaceEnd(i)
  while (load<u8>(i) == QUOTE) {
    const start = i + 1
    i = stringEnd(start, to)
    if (i == 0) return false
    const name = memberOf(start, i - 1, true)
    i = spaceEnd(i)
    if (load<u8>(i) != COLON) return false
    i = spaceEnd(i + 1)
    if (name == DATA) count = 0
    const valueStart = i
    const first = <u32>load<u8>(i)
    if (first == ARRAY || first == OBJECT) i = containerEnd(i + 1, to, name == DATA && first == ARRAY)
    else if (first == QUOTE) i = stringEnd(i + 1, to)
    else i = wordEnd(i, to)
    if (i == 0) return false
    if (name == VERSION) {
      versionStart = valueStart
      versionEnd = i
    }
    i = spaceEnd(i)
    if (load<u8>(i) != COMMA) break
    i = spaceEnd(i + 1)
  }
  return load<u8>(i) == OBJECT + 2 && i < to
}

/** Each line that holds more than white space. */
function lines(from: usize, to: usize): void {
  let start = from
  for (let i = from; i < to; i += 16) {
    let feeds = i8x16.bitmask(i8x16.eq(v128.load(i), i8x16.splat(0x0a)))
    while (feeds != 0) {
      const feed = i + ctz(feeds)
      feeds &= feeds - 1
      if (feed >= to) break
      add(start, feed)
      start = feed + 1
    }
  }
  add(start, to)
}

/** Takes the brace that closes each line out of its span: it is written behind every payload, and such a line is one whole. */
function openLines(): void {
  for (let i = 0; i < min(count, countMax); i++) {
    const at = table + ((<usize>i) << 3)
    store<u32>(at, load<u32>(at, 4) - 1, 4)
  }
}

/**
 * Adds a span without the white space around it, unless that is all there is. Those that the table has no room for are only
 * counted: of two members named `data` the first may be as long as it likes.
 */
function add(start: usize, end: usize): void {
  while (start < end && load<u8>(start) <= 0x20) start++
  if (start == end) return
  while (load<u8>(end - 1) <= 0x20) end--
  if (count < countMax) {
    const at = table + ((<usize>count) << 3)
    store<u32>(at, <u32>start)
    store<u32>(at, <u32>end, 4)
  }
  count++
}

/**
 * The index after the bracket that closes the container whose content starts at `i`, 0 when none does; with `adding`, what
 * stands between its commas is added.
 */
function containerEnd(i: usize, to: usize, adding: bool): usize {
  let start = i
  let depth = 0
  /** All ones while a string goes on into the next 64 bytes. */
  let inString: u64 = 0
  let firstIsEscaped = false
  while (i < to) {
    const a = v128.load(i)
    const b = v128.load(i, 16)
    const c = v128.load(i, 32)
    const d = v128.load(i, 48)
    let quotes = equal(a, b, c, d, i8x16.splat(0x22))
    const backslashes = equal(a, b, c, d, i8x16.splat(0x5c))
    if (backslashes != 0 || firstIsEscaped) {
      const escaped = escapedBytes(backslashes, firstIsEscaped)
      // The last of the 64 escapes what comes after it.
      firstIsEscaped = (backslashes & ~escaped) >> 63 != 0
      quotes &= ~escaped
    }
    const strings = prefixXor(quotes) ^ inString
    inString = <u64>(<i64>strings >> 63)
    // With this bit set, both kinds of bracket are the same.
    const bit = i8x16.splat(0x20)
    const a2 = v128.or(a, bit)
    const b2 = v128.or(b, bit)
    const c2 = v128.or(c, bit)
    const d2 = v128.or(d, bit)
    const opens = equal(a2, b2, c2, d2, i8x16.splat(0x7b)) & ~strings
    const closes = equal(a2, b2, c2, d2, i8x16.splat(0x7d)) & ~strings
    const closing = <i32>popcnt(closes)
    if (depth > closing) {
      // Nothing here is at the container's own depth.
      depth += <i32>popcnt(opens) - closing
      i += 64
      continue
    }
    const commas = equal(a, b, c, d, i8x16.splat(0x2c)) & ~strings
    let events = opens | closes | commas
    while (events != 0) {
      const at = ctz(events)
      const event = (<u64>1) << at
      events &= events - 1
      if ((opens & event) != 0) {
        depth++
      } else if ((closes & event) != 0) {
        if (depth == 0) {
          const end = i + <usize>at
          if (end >= to) return 0
          if (adding) add(start, end)
          return end + 1
        }
        depth--
      } else if (depth == 0 && adding) {
        add(start, i + <usize>at)
        start = i + <usize>at + 1
      }
    }
    i += 64
  }
  return 0
}

/** A bit for each of 64 bytes that equals `wanted`. */
function equal(a: v128, b: v128, c: v128, d: v128, wanted: v128): u64 {
  const low = <u32>i8x16.bitmask(i8x16.eq(a, wanted)) | ((<u32>i8x16.bitmask(i8x16.eq(b, wanted))) << 16)
  const high = <u32>i8x16.bitmask(i8x16.eq(c, wanted)) | ((<u32>i8x16.bitmask(i8x16.eq(d, wanted))) << 16)
  return <u64>low | ((<u64>high) << 32)
}

/** Each bit is the parity of the bits up to it: from a quote up to the byte before the next one. */
function prefixXor(bits: u64): u64 {
  bits ^= bits << 1
  bits ^= bits << 2
  bits ^= bits << 4
  bits ^= bits << 8
  bits ^= bits << 16
  return bits ^ (bits << 32)
}

/** The bytes that a backslash before them escapes. */
function escapedBytes(backslashes: u64, firstIsEscaped: bool): u64 {
  let escaped: u64 = firstIsEscaped ? 1 : 0
  let rest = backslashes & ~escaped
  while (rest != 0) {
    const next = (rest & -rest) << 1
    escaped |= next
    rest &= rest - 1
    rest &= ~next
  }
  return escaped
}

/** The index after the closing quote of the string whose content starts at `i`; 0 when there is none. */
function stringEnd(i: usize, to: usize): usize {
  while (i < to) {
    const c = <u32>load<u8>(i)
    if (c == QUOTE) return i + 1
    i += c == BACKSLASH ? 2 : 1
  }
  return 0
}

/** The index after the number or word at `i`; 0 when it doesn't end. */
function wordEnd(i: usize, to: usize): usize {
  while (i < to) {
    const c = <u32>load<u8>(i)
    if (c == COMMA || c <= 0x20 || c == OBJECT + 2) return i
    i++
  }
  return 0
}

/** In valid JSON every byte up to the space that is not in a string is white space, but for the zeros behind a text. */
function spaceEnd(i: usize): usize {
  while (load<u8>(i) - 1 < 0x20) i++
  return i
}
