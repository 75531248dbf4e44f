/** Spans are exact: they hold the lines and members that are there, and not a byte around them. */

import { describe, expect, test } from 'bun:test'
import { lineNumber, lineSpans, memberName, Spans, stringEnd } from '../../src/json/slice.ts'
import { seeded } from '../seeded.ts'
import { nameText, stringText, valueText } from './random-json.ts'

const encoder = new TextEncoder()

function textsOf(bytes: Uint8Array, spans: Spans): string[] {
  return Array.from({ length: spans.count }, (_, k) => {
    return Buffer.from(bytes.subarray(spans.starts[k], spans.ends[k])).toString()
  })
}

/** The text in the middle of a buffer, between bytes that would be misread by whoever looks past an end. */
function embedded(text: string): { bytes: Uint8Array; from: number; to: number } {
  const content = encoder.encode(text)
  const bytes = new Uint8Array(content.length + 20).fill(0x39)
  bytes.set(encoder.encode('"\\{["\\}"]\n'))
  bytes.set(content, 10)
  return { bytes, from: 10, to: 10 + content.length }
}

describe('lineSpans', () => {
  function linesOf(text: string): string[] {
    const { bytes, from, to } = embedded(text)
    const spans = new Spans()
    lineSpans(bytes, from, to, spans)
    return textsOf(bytes, spans)
  }

  const cases: [text: string, lines: string[]][] = [
    ['', []],
    ['\n\r\n \t\n', []],
    ['1', ['1']],
    ['1\n', ['1']],
    ['\n1\n\n2', ['1', '2']],
    ['{"a": 1}\r\n [2] \r\n\r\n"x"\r\n', ['{"a": 1}', '[2]', '"x"']],
    ['a b\rc\nno json', ['a b\rc', 'no json']],
    ['1\n\f\n2', ['1', '\f', '2']],
  ]
  for (const [text, lines] of cases) test(`of ${JSON.stringify(text)}`, () => expect(linesOf(text)).toEqual(lines))

  test('are the values that were written, one a line', () => {
    const random = seeded(3)
    for (let round = 0; round < 1000; round++) {
      const values = Array.from({ length: random.below(6) }, () => valueText(random).replace(/[\r\n]/g, ' '))
      const blank = () => random.pick(['', '', '\n', '\r\n', ' \t\n'])
      const text = values.map(
        (value) => `${blank()}${random.pick(['', ' '])}${value}${random.pick(['\n', '\r\n', ' \n'])}`,
      )
      expect(linesOf(text.join('') + blank())).toEqual(values)
      expect(linesOf(text.join('').replace(/\r?\n$/, ''))).toEqual(values)
    }
  })

  test('end where the range ends, and may start with the buffer', () => {
    const bytes = encoder.encode('\n1\n 2 \n  ')
    const spans = new Spans()
    lineSpans(bytes, 0, bytes.length, spans)
    expect(textsOf(bytes, spans)).toEqual(['1', '2'])
    spans.clear()
    lineSpans(bytes, 0, 4, spans)
    expect(textsOf(bytes, spans)).toEqual(['1'])
  })

  test('have numbers from 1, blank lines counted', () => {
    const { bytes, from } = embedded('a\n\nb\r\nc')
    expect([0, 1, 2, 3, 5, 6].map((at) => lineNumber(bytes, from, from + at))).toEqual([1, 1, 2, 3, 3, 4])
  })
})

test('spans are appended, past any size, and clear gives the memory back', () => {
  const spans = new Spans()
  const bytes = encoder.encode(Array.from({ length: 100_000 }, (_, k) => k).join('\n'))
  lineSpans(bytes, 0, bytes.length, spans)
  lineSpans(bytes, 0, bytes.length, spans)
  expect(spans.count).toBe(200_000)
  expect(textsOf(bytes, spans)).toEqual(Array.from({ length: 200_000 }, (_, k) => String(k % 100_000)))
  spans.clear()
  expect(spans.count).toBe(0)
  expect(spans.starts.length + spans.ends.length).toBeLessThan(10_000)
  lineSpans(bytes, 0, bytes.length, spans, 10)
  expect(spans.count).toBe(10)
})

describe('a string', () => {
  function expectEnd(text: string) {
    const { bytes, from, to } = embedded(text)
    expect([text, stringEnd(bytes, from + 1)]).toEqual([text, to])
  }

  test('ends at its quote, after runs of backslashes of every length', () => {
    for (let before = 0; before < 9; before++) {
      for (let pairs = 0; pairs < 9; pairs++) {
        expectEnd(`"${'x'.repeat(before)}${'\\\\'.repeat(pairs)}"`)
        expectEnd(`"${'x'.repeat(before)}${'\\\\'.repeat(pairs)}\\","`)
      }
    }
    const random = seeded(1)
    for (let round = 0; round < 1000; round++) expectEnd(stringText(random))
  })
})

describe('a member’s name', () => {
  const nameOf = (text: string) => {
    const { bytes, from, to } = embedded(text)
    return memberName(bytes, from + 1, to - 1)
  }

  test('is understood with escapes, as JSON.parse does', () => {
    const random = seeded(2)
    const names = ['version', 'token', 'data', 'Data', 'dat', 'datas', 'versio', 'versions', 'tokem', '__proto__', '']
    for (let round = 0; round < 3000; round++) {
      const text = random.chance(0.2) ? stringText(random) : nameText(random, random.pick(names))
      const name = ['version', 'token', 'data'].find((name) => name === JSON.parse(text))
      expect([text, nameOf(text)]).toEqual([text, name as undefined])
    }
  })

  test.each(['"d\\\\ta"', '"\\"data"', '"\\u0000data"', '"data\\u0000"', '"\\u0164ata"', '"data "'])(
    'is not %s',
    (text) => {
      expect(nameOf(text)).toBeUndefined()
    },
  )
})
