/** Is it JSON: a strict RFC 8259 checker over raw bytes, which names the place and the reason when it is not. */

/** Where a text stops being JSON, and why. */
export interface JsonFault {
  /** Bytes from the start of the checked range to the byte where it goes wrong. */
  offset: number
  /** From 1; lines end with a line feed. */
  line: number
  /** From 1, in characters (not bytes). */
  column: number
  /** One phrase for a reader; never holds more than one character of the input. */
  reason: string
}

/** Looks on while a text is checked, so that nobody has to walk it again. What it heard counts once the check is done. */
export interface Onlooker {
  /** The depth of the containers whose members or elements are counted; the outermost value's is 1. */
  readonly countedDepth: number
  /** The outermost object has a member: its name is `bytes[start, end)`, its value starts at `valueAt`. */
  member(bytes: Uint8Array, start: number, end: number, valueAt: number): void
  /** A container at the counted depth ended. */
  counted(children: number): void
}

/** Whether faults are described; where only the verdict counts, describing a million bad lines would take seconds. */
let describing = true
const UNDESCRIBED: JsonFault = { offset: 0, line: 0, column: 0, reason: '' }

/** Whether `bytes[from, to)` is exactly one JSON value with optional white space around it. */
export function isJson(bytes: Uint8Array, from: number, to: number): boolean {
  describing = false
  const fault = checkJson(bytes, from, to)
  describing = true
  return fault === undefined
}

/** The kinds of the open containers, a bit each (1 = object); covers 2,048 levels, deeper texts get a bigger one. */
const shallowKinds = new Uint32Array(64)

/** 1 for the bytes that end a run of plain bytes inside a string: quote, backslash, controls. */
const endsPlainRun = new Uint8Array(256)
endsPlainRun.fill(1, 0, 0x20)
endsPlainRun[0x22] = 1
endsPlainRun[0x5c] = 1

/** 1 for white space: space, tab, line feed, carriage return. */
const isSpace = new Uint8Array(256)
for (const byte of [0x20, 0x09, 0x0a, 0x0d]) isSpace[byte] = 1

/**
 * Checks that `bytes[from, to)` is exactly one JSON value with optional white space around it: undefined if it is.
 * Agrees with `JSON.parse` on all valid UTF-8; it does not look at the validity of UTF-8 (see `utf8.ts`). Nesting of
 * any depth costs a bit a level and no stack; nothing is allocated for a valid text of up to 2,048 levels. What
 * `onlooker` heard is worth something only when the text turned out valid.
 */
export function checkJson(bytes: Uint8Array, from = 0, to = bytes.length, onlooker?: Onlooker): JsonFault | undefined {
  const countedDepth = onlooker === undefined ? -1 : onlooker.countedDepth
  let children = 0
  let kinds = shallowKinds
  let depth = 0
  let inObject = false
  let wantsName = false
  let i = from

  for (;;) {
    // Here a value has to come, or, with wantsName, a member's name.
    if (i >= to) return fault(bytes, from, to, to, wantsName ? nameExpected : valueExpected)
    let c = bytes[i] as number
    if (c <= 0x20) {
      i = spaceEnd(bytes, i, to)
      if (i >= to) return fault(bytes, from, to, to, wantsName ? nameExpected : valueExpected)
      c = bytes[i] as number
    }

    if (wantsName) {
      if (c !== 0x22) return fault(bytes, from, to, i, nameExpected)
      const nameStart = i + 1
      const end = stringEnd(bytes, nameStart, to)
      if (end < 0) return stringFault(bytes, from, to, ~end)
      i = end
      if (i < to && bytes[i] !== 0x3a) i = spaceEnd(bytes, i, to)
      if (i >= to || bytes[i] !== 0x3a) return fault(bytes, from, to, i, "expected ':' after a member's name")
      i++
      if (i < to && (bytes[i] as number) <= 0x20) i = spaceEnd(bytes, i, to)
      if (i >= to) return fault(bytes, from, to, to, valueExpected)
      c = bytes[i] as number
      wantsName = false
      if (depth === 1 && onlooker !== undefined) onlooker.member(bytes, nameStart, end - 1, i)
    }

    if (c === 0x22) {
      const end = stringEnd(bytes, i + 1, to)
      if (end < 0) return stringFault(bytes, from, to, ~end)
      i = end
    } else if (c === 0x7b || c === 0x5b) {
      if (depth >>> 5 >= kinds.length) kinds = doubled(kinds)
      inObject = c === 0x7b
      if (inObject) kinds[depth >>> 5]! |= 1 << (depth & 31)
      else kinds[depth >>> 5]! &= ~(1 << (depth & 31))
      depth++
      i++
      if (i < to && (bytes[i] as number) <= 0x20) i = spaceEnd(bytes, i, to)
      if (depth === countedDepth) children = 0
      // The closing bracket is c + 2 for both kinds.
      if (i >= to || bytes[i] !== c + 2) {
        if (depth === countedDepth) children = 1
        wantsName = inObject
        if (wantsName && i < to && bytes[i] !== 0x22)
          return fault(bytes, from, to, i, "expected a member's name or '}'")
        continue
      }
    } else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      const end = numberEnd(bytes, i, to)
      if (end < 0) return numberFault(bytes, from, to, ~end)
      i = end
    } else {
      const word = c === 0x74 ? 'true' : c === 0x66 ? 'false' : c === 0x6e ? 'null' : undefined
      if (word === undefined) return fault(bytes, from, to, i, valueExpected)
      for (let k = 1; k < word.length; k++) {
        if (i + k >= to || bytes[i + k] !== word.charCodeAt(k))
          return fault(bytes, from, to, i + k, `expected '${word}'`)
      }
      i += word.length
    }

    // A value ended at i, or an empty container is about to.
    for (;;) {
      if (i < to && (bytes[i] as number) <= 0x20) i = spaceEnd(bytes, i, to)
      if (depth === 0) {
        if (i < to) return faultAt(bytes, from, i, 'more input after the value')
        return undefined
      }
      if (i >= to) return fault(bytes, from, to, to, inObject ? "expected ',' or '}'" : "expected ',' or ']'")
      const next = bytes[i] as number
      if (next === 0x2c) {
        if (depth === countedDepth) children++
        wantsName = inObject
        i++
        break
      }
      if (next !== (inObject ? 0x7d : 0x5d)) {
        return fault(bytes, from, to, i, inObject ? "expected ',' or '}'" : "expected ',' or ']'")
      }
      i++
      if (depth === countedDepth) (onlooker as Onlooker).counted(children)
      depth--
      inObject = depth > 0 && ((kinds[(depth - 1) >>> 5] as number) & (1 << ((depth - 1) & 31))) !== 0
    }
  }
}

function spaceEnd(bytes: Uint8Array, i: number, to: number): number {
  while (i < to && isSpace[bytes[i] as number] === 1) i++
  return i
}

/** The index after the closing quote of the string whose content starts at `i`; `~` the index of a fault. */
function stringEnd(bytes: Uint8Array, i: number, to: number): number {
  for (;;) {
    while (i < to && endsPlainRun[bytes[i] as number] === 0) i++
    if (i >= to) return ~to
    const c = bytes[i] as number
    if (c === 0x22) return i + 1
    if (c !== 0x5c || i + 1 >= to) return ~i
    const escaped = bytes[i + 1] as number
    if (escaped === 0x75) {
      if (i + 6 > to) return ~i
      for (let k = i + 2; k < i + 6; k++) if (!isHex(bytes[k] as number)) return ~i
      i += 6
    } else {
      if (!isEscape(escaped)) return ~i
      i += 2
    }
  }
}

/** The index after the number that starts at `i`; `~` the index of a fault. */
function numberEnd(bytes: Uint8Array, i: number, to: number): number {
  if (bytes[i] === 0x2d) i++
  if (i >= to) return ~i
  const first = bytes[i] as number
  if (!isDigit(first)) return ~i
  i++
  if (first === 0x30) {
    if (i < to && isDigit(bytes[i] as number)) return ~i
  } else {
    while (i < to && isDigit(bytes[i] as number)) i++
  }
  if (i < to && bytes[i] === 0x2e) {
    i++
    if (i >= to || !isDigit(bytes[i] as number)) return ~i
    i++
    while (i < to && isDigit(bytes[i] as number)) i++
  }
  if (i < to && ((bytes[i] as number) | 0x20) === 0x65) {
    i++
    if (i < to && (bytes[i] === 0x2b || bytes[i] === 0x2d)) i++
    if (i >= to || !isDigit(bytes[i] as number)) return ~i
    i++
    while (i < to && isDigit(bytes[i] as number)) i++
  }
  return i
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39
}

function isHex(c: number): boolean {
  return isDigit(c) || ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x66)
}

/** `"` `\` `/` `b` `f` `n` `r` `t` */
function isEscape(c: number): boolean {
  return c === 0x22 || c === 0x5c || c === 0x2f || c === 0x62 || c === 0x66 || c === 0x6e || c === 0x72 || c === 0x74
}

function doubled(kinds: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const bigger = new Uint32Array(kinds.length * 2)
  bigger.set(kinds)
  return bigger
}

// From here on: the error path, where clarity matters and speed doesn't.

const valueExpected = 'expected a value'
const nameExpected = "expected a member's name"

/** `expected …, found …` */
function fault(bytes: Uint8Array, from: number, to: number, at: number, expected: string): JsonFault {
  if (!describing) return UNDESCRIBED
  return faultAt(bytes, from, at, `${expected}, found ${characterAt(bytes, at, to)}`)
}

function stringFault(bytes: Uint8Array, from: number, to: number, at: number): JsonFault {
  if (!describing) return UNDESCRIBED
  if (at >= to) return faultAt(bytes, from, to, 'unexpected end of input inside a string')
  const c = bytes[at] as number
  if (c !== 0x5c) {
    const hex = c.toString(16).toUpperCase().padStart(2, '0')
    return faultAt(bytes, from, at, `control character 0x${hex} in a string`)
  }
  if (at + 1 >= to) return faultAt(bytes, from, to, 'unexpected end of input inside a string')
  if (bytes[at + 1] !== 0x75) return faultAt(bytes, from, at, `invalid escape \\${bare(bytes, at + 1, to)}`)
  let bad = at + 2
  while (bad < to && isHex(bytes[bad] as number)) bad++
  if (bad >= to) return faultAt(bytes, from, to, 'unexpected end of input inside a string')
  return fault(bytes, from, to, bad, 'expected four hexadecimal digits after \\u')
}

function numberFault(bytes: Uint8Array, from: number, to: number, at: number): JsonFault {
  if (!describing) return UNDESCRIBED
  // Only after a first 0 can a digit be what is wrong.
  if (at < to && isDigit(bytes[at] as number)) return faultAt(bytes, from, at - 1, 'leading zero in a number')
  return fault(bytes, from, to, at, 'expected a digit')
}

function faultAt(bytes: Uint8Array, from: number, at: number, reason: string): JsonFault {
  if (!describing) return UNDESCRIBED
  let line = 1
  let lineStart = from
  for (let i = from; i < at; i++) {
    if (bytes[i] !== 0x0a) continue
    line++
    lineStart = i + 1
  }
  let column = 1
  // Continuation bytes of UTF-8 are 10xxxxxx; every other byte starts a character.
  for (let i = lineStart; i < at; i++) if (((bytes[i] as number) & 0xc0) !== 0x80) column++
  return { offset: at - from, line, column, reason }
}

/** The character at `at` for a reader: quoted, or by its name. */
function characterAt(bytes: Uint8Array, at: number, to: number): string {
  if (at >= to) return 'the end of input'
  const shown = bare(bytes, at, to)
  if (shown === 'U+FEFF') return 'a byte order mark'
  if (shown === "'") return 'a single quote'
  return shown.startsWith('U+') ? shown : `'${shown}'`
}

/** The character at `at` itself, or U+… for one that can't be seen. */
function bare(bytes: Uint8Array, at: number, to: number): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  // Four bytes hold one whole character; what comes after it is left.
  const code = decoder.decode(bytes.subarray(at, Math.min(at + 4, to))).codePointAt(0) as number
  const character = String.fromCodePoint(code)
  // Letters, marks, numbers, punctuation and symbols can be shown; the rest moves or hides text.
  if (/[\p{L}\p{N}\p{P}\p{S}]/u.test(character)) return character
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
}
