/** The checker takes what JSON.parse takes, names the fault of everything else, and no depth is too deep for it. */

import { describe, expect, test } from 'bun:test'
import webhooks from '@octokit/webhooks-examples'
import { checkJson, type JsonFault } from '../../src/json/check.ts'
import { seeded } from '../seeded.ts'
import { damage } from './damage.ts'
import { spaced, valueText } from './random-json.ts'

const encoder = new TextEncoder()
const examples = webhooks.flatMap((event) => event.examples.map((example) => JSON.stringify(example)))

function isParsed(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Compares both on one text, alone and in the middle of a larger buffer. */
function compare(text: string): boolean {
  const valid = isParsed(text)
  const bytes = encoder.encode(text)
  const fault = checkJson(bytes)
  const shown = JSON.stringify(text.slice(0, 200))
  if ((fault === undefined) !== valid)
    throw new Error(`${shown}: JSON.parse says ${valid}, the checker ${fault?.reason}`)
  // What is around the range, be it a digit, white space or a quote, must not count.
  for (const around of [0x31, 0x20, 0x22]) {
    const embedded = new Uint8Array(bytes.length + 6).fill(around)
    embedded.set(bytes, 3)
    expect(checkJson(embedded, 3, 3 + bytes.length)).toEqual(fault as JsonFault)
  }
  if (!fault) return valid
  if (fault.offset < 0 || fault.offset > bytes.length) throw new Error(`${shown}: offset ${fault.offset}`)
  const before = Buffer.from(bytes.subarray(0, fault.offset)).toString().split('\n')
  expect([fault.line, fault.column]).toEqual([before.length, [...(before.at(-1) as string)].length + 1])
  return valid
}

const NUMBERS_GOOD =
  '0 -0 0.0 -0.1 1 12 1.5 1e5 1E5 1e+5 1e-5 1.5E+05 0e0 -1e-0 1e999 -1e999 123456789012345678901'.split(' ')
const NUMBERS_BAD =
  '- -- +1 .5 -.5 1. 1.e5 01 -01 00 0x1 1e 1e+ 1e- 1E 1ee5 1e5.5 1e1e1 1.2.3 1-1 1+1 Infinity -Infinity NaN -NaN 0b1 1_000 1n - 2.e3 １ -a 0e 0e+ 9.3e+'.split(
    ' ',
  )
// biome-ignore format: a table
const STRINGS_GOOD = [
  '""', '"a"', '"\\""', '"\\\\"', '"\\/"', '"\\b\\f\\n\\r\\t"', '"\\u0000"', '"\\uABCD\\uabcd\\u09af"', '"\\ud800"', '"\\udc00"',
  '"\\ud83d\\ude00"', '"\\udc00\\ud800"', '"\u007f"', '"\u0080"', '"\u2028\u2029"', '"\ufeff"', '"\uffff"', '"😀"', '"\'"', '"/"',
]
// biome-ignore format: a table
const STRINGS_BAD = [
  '"', '"a', '"\\"', '"\\', '"\\u', '"\\u1', '"\\u12', '"\\u123', '"\\u1234', '"\\u12"', '"\\u123g"', '"\\uzzzz"', '"\\U0041"', '"\\x41"',
  '"\\a"', '"\\0"', '"\\\'"', '"\\ "', '"\\\n"', '"\\é"', '"\\😀"', "'a'", 'a', '"a""b"', '"\t"', '"\n"', '"\r"', '"\0"', '"\x1f"', '"\x01a"',
  '"\\\u0000"', '"\\u00\n0"', '\\"a"', '"\\v"',
]
// biome-ignore format: a table
const TEXTS_GOOD = [
  '[]', '{}', '[[]]', '[{}]', '{"":0}', '{"a":1,"a":2}', '{"a":[]}', '[1,"a",null,true,false,{}]', ' [ ] ', '\t{\r\n}\t', '[1 ,\n2]',
  '{ "a" : 1 , "b" : 2 }', ' true ', 'null\n', '{"__proto__":1}', '{"\\u0061":1}', '[[[[[[[]]]]]]]', '[true,false]', '{"a":{"b":{}},"c":[{}]}',
]
// biome-ignore format: a table
const TEXTS_BAD = [
  '', ' ', '\n', '[', ']', '{', '}', '[1', '[1,', '[1,]', '[,1]', '[,]', '[1,,2]', '[1 2]', '[1}', '{1}', '{"a"}', '{"a":}', '{"a":1,}',
  '{,}', '{"a" 1}', '{"a"::1}', '{"a":1 "b":2}', '{a:1}', "{'a':1}", '{"a":1]', '{null:1}', '{[]:1}', '{1:1}', '{"a":1,,"b":2}', '{"a',
  '{"a"', '{"a":', '{"a":1', '{"a":1,', '[]]', '{}}', '[][]', '1 2', 'true false', 'tru', 'trux', 'truee', 'nul', 'fals', 'True', 'NULL', 'n',
  'undefined', '//1', '1//', '/**/1', '1/**/', '#', '1;', ',', ':', '1,', '\ufeff1', '1\ufeff', '\ufeff', '\u00a01', '1\u2028', '\u20281', '\v1',
  '\f1', '1\0', '\0', '[1\0]', '\x7f', '[\u3000]', '{"a":1}x', '{"a":tru}', '[-]', '[\\n]', '*', '<x>', '[1,\u0085]', '["a"', '[{]', '[[}', '{"a":[}',
  '[{}', '{}{', '{"a":{}', '[1:2]', '{"a",1}', '[""', '["",', '["a\x00b"]', '{"a\n":1}', '😀', '[é]', '{é:1}', 'tr\u0000e', '{"a"1:2}',
]

describe('the checker and JSON.parse agree', () => {
  const tables = [
    { name: 'valid', texts: [...NUMBERS_GOOD, ...STRINGS_GOOD, ...TEXTS_GOOD], valid: true },
    { name: 'invalid', texts: [...NUMBERS_BAD, ...STRINGS_BAD, ...TEXTS_BAD], valid: false },
  ]
  for (const { name, texts, valid } of tables) {
    test(`on texts known to be ${name}, alone and in every place a value can have`, () => {
      for (const text of texts) {
        expect([text, compare(text)]).toEqual([text, valid])
        for (const around of [
          ['[', ']'],
          ['[1, ', ' ,2]'],
          ['{"a":', '}'],
          ['{"a":[', '],"b":{}}'],
          ['[{"k":[]},', ']'],
        ]) {
          compare(around.join(text))
          compare(around[0] + text)
        }
      }
    })
  }

  test('on every single byte, and on every byte in each place of a small text', () => {
    const small = '[{"a\\n":-1.5e+2,"\\u00e9":[true,null]}, 0]'
    for (let code = 0; code < 0x80; code++) {
      const character = String.fromCharCode(code)
      compare(character)
      for (let at = 0; at <= small.length; at++) {
        compare(small.slice(0, at) + character + small.slice(at))
        compare(small.slice(0, at) + character + small.slice(at + 1))
      }
    }
  })

  test('on every beginning of a real body', () => {
    const text = examples.reduce((short, next) => (next.length < short.length ? next : short))
    for (let length = 0; length < text.length; length++) expect(compare(text.slice(0, length))).toBe(false)
    expect(compare(text)).toBe(true)
  })

  test('on every real webhook, compact and indented', () => {
    expect(examples.length).toBeGreaterThan(100)
    for (const text of examples) {
      expect(checkJson(encoder.encode(text))).toBeUndefined()
      expect(checkJson(encoder.encode(JSON.stringify(JSON.parse(text), null, '\t')))).toBeUndefined()
    }
  })

  test('on values made by the grammar, whole and damaged', () => {
    const random = seeded(1)
    for (let round = 0; round < 4000; round++) {
      const text = spaced(random, valueText(random))
      expect(compare(text)).toBe(true)
      compare(damage(random, text))
    }
  })

  test('on damaged webhooks', () => {
    const random = seeded(2)
    let refused = 0
    for (let round = 0; round < 1500; round++) {
      const text = random.pick(examples).slice(0, 6000)
      if (!compare(damage(random, text))) refused++
    }
    expect(refused).toBeGreaterThan(1000)
  })
})

describe('a fault', () => {
  const cases: [text: string, offset: number, line: number, column: number, reason: string][] = [
    ['', 0, 1, 1, 'expected a value, found the end of input'],
    ['[1,]', 3, 1, 4, "expected a value, found ']'"],
    ['{"a":1,}', 7, 1, 8, "expected a member's name, found '}'"],
    ['{1:2}', 1, 1, 2, "expected a member's name or '}', found '1'"],
    ["{'a':2}", 1, 1, 2, "expected a member's name or '}', found a single quote"],
    ['{"a" 1}', 5, 1, 6, "expected ':' after a member's name, found '1'"],
    ['{"a":1]', 6, 1, 7, "expected ',' or '}', found ']'"],
    ['[1', 2, 1, 3, "expected ',' or ']', found the end of input"],
    ['[1,\n "é" 3]', 10, 2, 6, "expected ',' or ']', found '3'"],
    ['\r\n\r\n"é😀\\x"', 11, 3, 4, 'invalid escape \\x'],
    ['"\\x', 1, 1, 2, 'invalid escape \\x'],
    ['"\\ug123"', 3, 1, 4, "expected four hexadecimal digits after \\u, found 'g'"],
    ['"\x1f"', 1, 1, 2, 'control character 0x1F in a string'],
    ['"\\é"', 1, 1, 2, 'invalid escape \\é'],
    ['"\\u12g4"', 5, 1, 6, "expected four hexadecimal digits after \\u, found 'g'"],
    ['"\\u12', 5, 1, 6, 'unexpected end of input inside a string'],
    ['"ab', 3, 1, 4, 'unexpected end of input inside a string'],
    ['"a\nb"', 2, 1, 3, 'control character 0x0A in a string'],
    ['[-01]', 2, 1, 3, 'leading zero in a number'],
    ['1.x', 2, 1, 3, "expected a digit, found 'x'"],
    ['[trua]', 4, 1, 5, "expected 'true', found 'a'"],
    ['[1]x', 3, 1, 4, 'more input after the value'],
    ['\ufeff1', 0, 1, 1, 'expected a value, found a byte order mark'],
    ['[1\u2028]', 2, 1, 3, "expected ',' or ']', found U+2028"],
    ['[\0]', 1, 1, 2, 'expected a value, found U+0000'],
    ['["😀",漢]', 8, 1, 6, "expected a value, found '漢'"],
  ]
  for (const [text, offset, line, column, reason] of cases) {
    test(`of ${JSON.stringify(text)}: ${reason}`, () => {
      expect(checkJson(encoder.encode(text))).toEqual({ offset, line, column, reason })
    })
  }

  test('is the same whether the text ends with the bytes or the range ends within them', () => {
    const random = seeded(5)
    const texts = ['[{"a\\n" : -10.5e+25 , "\\u00e9":[true,null,false ]}, 0 ]', '00', '1..5', 'truex', '"\\\\"']
    for (let round = 0; round < 200; round++) texts.push(spaced(random, valueText(random)))
    for (const text of texts) {
      const bytes = encoder.encode(text)
      for (let to = 0; to <= bytes.length; to++) {
        expect([text, to, checkJson(bytes, 0, to)]).toEqual([text, to, checkJson(bytes.slice(0, to))])
      }
    }
  })

  test('is counted from the start of the range, and the range ends where it ends', () => {
    const bytes = encoder.encode('\n\n[1,2]\n[1,]')
    expect(checkJson(bytes, 2, 7)).toBeUndefined()
    expect(checkJson(bytes, 2, 6)).toMatchObject({ offset: 4, line: 1, column: 5 })
    expect(checkJson(bytes, 8)).toMatchObject({ offset: 3, line: 1, column: 4 })
  })
})

describe('depth', () => {
  const depth = 16 * 1024 * 1024

  test('of 16 Mi brackets is an answer, and takes a few megabytes', () => {
    const bytes = new Uint8Array(depth).fill(0x5b)
    Bun.gc(true)
    const before = process.memoryUsage.rss()
    expect(checkJson(bytes)).toMatchObject({ offset: depth, reason: 'expected a value, found the end of input' })
    expect(process.memoryUsage.rss() - before).toBeLessThan(32 * 1024 * 1024)
  })

  test('keeps the kind of every level', () => {
    const levels = 100_000
    const random = seeded(3)
    const kinds = Array.from({ length: levels }, () => random.chance(0.5))
    const opened = kinds.map((isObject) => (isObject ? '{"":' : '[')).join('')
    const closers = kinds.map((isObject) => (isObject ? '}' : ']')).reverse()
    expect(checkJson(encoder.encode(`${opened}0${closers.join('')}`))).toBeUndefined()
    for (const at of [0, 31, 32, 2047, 2048, 50_000, levels - 1]) {
      const wrong = closers.with(at, closers[at] === '}' ? ']' : '}').join('')
      expect(checkJson(encoder.encode(`${opened}0${wrong}`))?.offset).toBe(opened.length + 1 + at)
    }
  })
})
