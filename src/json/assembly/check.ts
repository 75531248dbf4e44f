/**
 * Is it JSON: the quick half of `check.ts`, compiled to WebAssembly for its 16-byte instructions. It says yes, or leaves it
 * to the other half, which knows why not.
 */

import {
  ARRAY,
  BACKSLASH,
  COLON,
  COMMA,
  DATA,
  digitsEnd,
  escapeLength,
  memberOf,
  OBJECT,
  PADDING_BYTES,
  QUOTE,
  spaceEnd,
  stopsAt,
  TOKEN,
  VERSION,
} from './text'

/** How deep a text may be nested here: a bit each. */
const DEPTH_MAX = 64

/** What the last text was, a u32 each: children (of lines their line feeds), then where the values of version, token and data begin (0: nowhere). */
export const facts: usize = memory.data(16)

/** How many strings of an element have a place in `guesses`; after so many it begins anew. */
const GUESSES: usize = 64
/** For each string of the last element, how far into its last 16 bytes it ended. */
const guesses: usize = memory.data(64)

/**
 * Whether `[from, to)` is one JSON value. Counts the children of the containers at `countedDepth` (1 is the outermost), at
 * depth 2 only in the member `data`; of equal names the last wins. Writes zeros behind the text.
 */
export function checkValue(from: usize, to: usize, countedDepth: i32): bool {
  memory.fill(to, 0, PADDING_BYTES)
  store<u64>(facts, 0)
  store<u64>(facts, 0, 8)
  const end = valueEnd(spaceEnd(from, false), countedDepth, false)
  return end != 0 && spaceEnd(end, false) == to
}

/** How many lines of `[from, to)` hold more than white space, when all of them are JSON; -1 when one is not. Also tells the line feeds. */
export function checkLines(from: usize, to: usize): i32 {
  memory.fill(to, 0, PADDING_BYTES)
  let lines = 0
  let feeds: u32 = 0
  let i = from
  while (true) {
    i = spaceEnd(i, true)
    if (i < to && load<u8>(i) != 0x0a) {
      i = valueEnd(i, 0, true)
      if (i == 0) return -1
      i = spaceEnd(i, true)
      lines++
    }
    if (i == to) {
      store<u32>(facts, feeds)
      return lines
    }
    if (load<u8>(i) != 0x0a) return -1
    feeds++
    i++
  }
}

/** The index after the value that starts at `i`; 0 when it is none, or nested too deep. */
function valueEnd(i: usize, countedDepth: i32, inLine: bool): usize {
  let depth = 0
  /** The kinds of the open containers, the innermost last: 1 is an object. */
  let kinds: u64 = 0
  let wantsName = false
  let children = 0
  let isData = false
  /** How many strings this element has had, among the guesses. */
  let turn: usize = 0
  while (true) {
    // Here a value has to come, or, with wantsName, a member's name.
    let c = <u32>load<u8>(i)
    // Many write one space behind each colon and comma.
    if (c == 0x20) c = load<u8>(++i)
    if (c <= 0x20) {
      i = spaceEnd(i, inLine)
      c = load<u8>(i)
    }
    if (c == QUOTE) {
      const start = i + 1
      let isEscaped = false
      // The string's end. Written out, not called: most of the time goes here.
      i = start
      while (true) {
        const stops = stopsAt(i)
        if (stops == 0) {
          i += 16
          continue
        }
        i = stopAfter(i, stops, guesses + turn)
        const stop = <u32>load<u8>(i)
        if (stop == QUOTE) break
        const length = stop == BACKSLASH ? escapeLength(i) : 0
        if (length == 0) return 0
        isEscaped = true
        i += length
      }
      i++
      turn = (turn + 1) & (GUESSES - 1)
      if (wantsName) {
        const end = i - 1
        if (load<u8>(i) != COLON) i = spaceEnd(i, inLine)
        if (load<u8>(i) != COLON) return 0
        i++
        wantsName = false
        if (depth == 1 && countedDepth == 2) {
          i = spaceEnd(i, inLine)
          const name = memberOf(start, end, isEscaped)
          isData = name == DATA
          if (name == VERSION) store<u32>(facts, <u32>i, 4)
          else if (name == TOKEN) store<u32>(facts, <u32>i, 8)
          else if (isData) store<u32>(facts, <u32>i, 12)
        }
        continue
      }
    } else if (wantsName) {
      return 0
    } else if (c == OBJECT || c == ARRAY) {
      if (depth == DEPTH_MAX) return 0
      kinds = (kinds << 1) | <u64>(c == OBJECT)
      depth++
      i++
      let next = <u32>load<u8>(i)
      if (next <= 0x20) {
        i = spaceEnd(i, inLine)
        next = load<u8>(i)
      }
      children = depth == countedDepth ? 0 : children
      // The closing bracket is c + 2 for both kinds.
      if (next != c + 2) {
        if (depth == countedDepth) children = 1
        wantsName = c == OBJECT
        continue
      }
    } else if (c == 0x2d || c - 0x30 < 10) {
      i = numberEnd(i)
      if (i == 0) return 0
    } else {
      const word = load<u32>(i)
      // true, null, fals-e
      if (word == 0x65757274 || word == 0x6c6c756e) i += 4
      else if (word == 0x736c6166 && load<u8>(i, 4) == 0x65) i += 5
      else return 0
    }

    // A value ended at i, or an empty container is about to.
    while (true) {
      if (depth == 0) return i
      c = load<u8>(i)
      if (c <= 0x20) {
        i = spaceEnd(i, inLine)
        c = load<u8>(i)
      }
      const inObject = (kinds & 1) != 0
      i++
      if (c == COMMA) {
        if (depth == countedDepth) {
          children++
          turn = 0
        }
        wantsName = inObject
        break
      }
      if (c != (inObject ? OBJECT : ARRAY) + 2) return 0
      if (depth == countedDepth && (countedDepth == 1 || isData)) store<u32>(facts, <u32>children)
      depth--
      kinds >>= 1
    }
  }
}

/**
 * The index of the first of `stops` behind `i`. Elements of a collection are much alike, so that it is often where the same
 * string of the last element ended. Added from there, the processor goes on with what comes next before it knows the stops,
 * which takes a third off the whole check; to add what `ctz` says has it wait for them at each string.
 */
function stopAfter(i: usize, stops: u32, guess: usize): usize {
  const guessed = <u32>load<u8>(guess)
  const stop = <u32>ctz(stops)
  if (stop == guessed) return i + guessed
  store<u8>(guess, stop)
  return i + stop
}

/** The index after the number that starts at `i`; 0 when it is none. */
function numberEnd(i: usize): usize {
  if (load<u8>(i) == 0x2d) i++
  let end = digitsEnd(i)
  if (end == i || (load<u8>(i) == 0x30 && end > i + 1)) return 0
  let c = <u32>load<u8>(end)
  if (c == 0x2e) {
    i = end + 1
    end = digitsEnd(i)
    if (end == i) return 0
    c = load<u8>(end)
  }
  if ((c | 0x20) != 0x65) return end
  i = end + 1
  c = load<u8>(i)
  if (c == 0x2b || c == 0x2d) i++
  end = digitsEnd(i)
  return end == i ? 0 : end
}
