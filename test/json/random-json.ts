/** JSON texts made by the grammar, in all the ways that one value can be written. */

import type { Seeded } from '../seeded.ts'

const SPACES = ['', '', '', ' ', '\n', '\r\n', '\t', ' \r', '  \n\t ']
const NUMBERS = [
  '0',
  '-0',
  '1',
  '-17',
  '0.5',
  '-1.25e3',
  '1E+9',
  '2e-7',
  '1e999',
  '123456789012345678901234567890',
  '10.0',
]
const CHARACTERS = [
  'a',
  'Z',
  '0',
  ' ',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '/',
  "'",
  'é',
  '漢',
  '😀',
  '\u2028',
  '\u007f',
  '\ufeff',
]
const ESCAPES = [
  '\\"',
  '\\\\',
  '\\/',
  '\\b',
  '\\f',
  '\\n',
  '\\r',
  '\\t',
  '\\u0000',
  '\\u005c',
  '\\u0022',
  '\\uD83D',
  '\\ude00',
]

/** White space as it may stand between two tokens, line breaks included. */
export function space(random: Seeded): string {
  return random.pick(SPACES)
}

/** A string's text, quotes included. */
export function stringText(random: Seeded): string {
  let text = ''
  for (let left = random.below(random.chance(0.1) ? 40 : 6); left > 0; left--) {
    text += random.pick(random.chance(0.4) ? ESCAPES : CHARACTERS)
  }
  return `"${text}"`
}

/** A value's text without white space around it. */
export function valueText(random: Seeded, depth = 0): string {
  const kind = random.below(depth > 5 ? 4 : 8)
  if (kind === 0) return random.pick(NUMBERS)
  if (kind === 1) return random.pick(['true', 'false', 'null'])
  if (kind <= 3) return stringText(random)
  const parts = Array.from({ length: random.below(5) }, () => {
    const value = spaced(random, valueText(random, depth + 1))
    return kind <= 5 ? value : `${spaced(random, stringText(random))}:${value}`
  })
  const inner = parts.length === 0 ? space(random) : parts.join(',')
  return kind <= 5 ? `[${inner}]` : `{${inner}}`
}

/** `text` with some white space before and after it. */
export function spaced(random: Seeded, text: string): string {
  return space(random) + text + space(random)
}

/** `name` as a member's name, some of its characters written as escapes. */
export function nameText(random: Seeded, name: string): string {
  const escaped = Array.from(name, (character) => {
    if (!random.chance(0.3)) return character
    const hex = (character.codePointAt(0) as number).toString(16).padStart(4, '0')
    return `\\u${random.chance(0.5) ? hex : hex.toUpperCase()}`
  })
  return `"${escaped.join('')}"`
}
