/** Steps through JSON text, sixteen bytes at a time. AssemblyScript: an index is an address in the module's memory. */

export const QUOTE: u32 = 0x22
export const COMMA: u32 = 0x2c
export const COLON: u32 = 0x3a
export const BACKSLASH: u32 = 0x5c
export const ARRAY: u32 = 0x5b
export const OBJECT: u32 = 0x7b

/** What has to be readable behind a text's end, with zeros in it where the text is not known to be valid. */
export const PADDING_BYTES: usize = 64

/** The index of the first byte at or behind `i` that is no white space; with `inLine`, a line feed is none. */
export function spaceEnd(i: usize, inLine: bool): usize {
  let c = <u32>load<u8>(i)
  while (c == 0x20 || c == 0x09 || c == 0x0d || (c == 0x0a && !inLine)) c = load<u8>(++i)
  return i
}

/** A bit for each of 16 bytes at `i` that ends a run of plain bytes in a string: quote, backslash, controls. */
export function stopsAt(i: usize): u32 {
  const bytes = v128.load(i)
  const quotes = i8x16.eq(bytes, i8x16.splat(0x22))
  const backslashes = i8x16.eq(bytes, i8x16.splat(0x5c))
  return i8x16.bitmask(v128.or(v128.or(quotes, backslashes), i8x16.lt_u(bytes, i8x16.splat(0x20))))
}

/** The length of the escape sequence at `i`; 0 when it is none. */
export function escapeLength(i: usize): usize {
  const c = <u32>load<u8>(i, 1)
  if (c == 0x75) {
    const isHexes = isHex(load<u8>(i, 2)) && isHex(load<u8>(i, 3)) && isHex(load<u8>(i, 4)) && isHex(load<u8>(i, 5))
    return isHexes ? 6 : 0
  }
  // " \ / b f n r t
  const isEscape = c == 0x22 || c == 0x5c || c == 0x2f || c == 0x62 || c == 0x66 || c == 0x6e || c == 0x72 || c == 0x74
  return isEscape ? 2 : 0
}

/** The index after the digits that begin at `i`. */
export function digitsEnd(i: usize): usize {
  let others = nonDigitsAt(i)
  while (others == 0) {
    i += 16
    others = nonDigitsAt(i)
  }
  return i + ctz(others)
}

function nonDigitsAt(i: usize): u32 {
  const fromZero = i8x16.sub(v128.load(i), i8x16.splat(0x30))
  return i8x16.bitmask(i8x16.ge_u(fromZero, i8x16.splat(10)))
}

/** A digit, either case of a to f. */
export function isHex(c: u32): bool {
  return c - 0x30 < 10 || (c | 0x20) - 0x61 < 6
}

/** The members of a collection that matter. */
export const OTHER = 0
export const DATA = 1
export const TOKEN = 2
export const VERSION = 3

/** Which of a collection's members the name whose content is `[start, end)` means, escapes understood. */
export function memberOf(start: usize, end: usize, isEscaped: bool): i32 {
  const length = end - start
  if (length == 4 && load<u32>(start) == 0x61746164) return DATA
  if (length == 5 && load<u32>(start) == 0x656b6f74 && load<u8>(start, 4) == 0x6e) return TOKEN
  if (length == 7 && load<u32>(start) == 0x73726576 && load<u32>(start, 3) == 0x6e6f6973) return VERSION
  return isEscaped ? escapedMember(start, end) : OTHER
}

/** Letters can only be written as \u00XX: the name is decoded to at most eight letters of one number, and compared. */
function escapedMember(start: usize, end: usize): i32 {
  let letters: u64 = 0
  let count = 0
  for (let i = start; i < end; count++) {
    let c = <u32>load<u8>(i)
    if (c == BACKSLASH) {
      if (load<u8>(i, 1) != 0x75 || load<u8>(i, 2) != 0x30 || load<u8>(i, 3) != 0x30) return OTHER
      c = (hexValue(load<u8>(i, 4)) << 4) | hexValue(load<u8>(i, 5))
      i += 6
    } else {
      i++
    }
    if (count == 7) return OTHER
    letters = (letters << 8) | c
  }
  if (letters == 0x64617461 && count == 4) return DATA
  if (letters == 0x746f6b656e && count == 5) return TOKEN
  if (letters == 0x76657273696f6e && count == 7) return VERSION
  return OTHER
}

function hexValue(c: u32): u32 {
  return c < 0x40 ? c - 0x30 : (c | 0x20) - 0x57
}
