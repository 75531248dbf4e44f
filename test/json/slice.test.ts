/** Spans are exact: they hold the elements, members and lines that JSON.parse finds, and not a byte around them. */

import { describe, expect, test } from 'bun:test'
import webhooks from '@octokit/webhooks-examples'
import {
  arrayElements,
  collectionSpans,
  flatten,
  isFlat,
  lineNumber,
  lineSpans,
  type Span,
  Spans,
  valueSpan,
} from '../../src/json/slice.ts'
import { type Seeded, seeded } from '../seeded.ts'
import { nameText, space, spaced, stringText, valueText } from './random-json.ts'

const encoder = new TextEncoder()

function textOf(bytes: Uint8Array, span: Span | undefined): string | undefined {
  return span && Buffer.from(bytes.subarray(span.start, span.end)).toString()
}

function textsOf(bytes: Uint8Array, spans: Spans): string[] {
  const spanAt = (k: number) => ({ start: spans.starts[k] as number, end: spans.ends[k] as number })
  return Array.from({ length: spans.count }, (_, k) => textOf(bytes, spanAt(k)) as string)
}

/** The text in the middle of a buffer, between bytes that would be misread by whoever looks past an end. */
function embedded(text: string): { bytes: Uint8Array; from: number; to: number } {
  const content = encoder.encode(text)
  const bytes = new Uint8Array(content.length + 20).fill(0x39)
  bytes.set(encoder.encode('"\\{["\\}"]\n'))
  bytes.set(content, 10)
  return { bytes, from: 10, to: 10 + content.length }
}

function elementsOf(text: string): string[] {
  const { bytes, from, to } = embedded(text)
  const spans = new Spans()
  const end = arrayElements(bytes, from, to, spans)
  expect(Buffer.from(bytes.subarray(end, to)).toString().trim()).toBe('')
  expect(bytes[end - 1]).toBe(0x5d)
  return textsOf(bytes, spans)
}

describe('arrayElements', () => {
  const cases: [text: string, elements: string[]][] = [
    ['[]', []],
    [' \n[ \t] ', []],
    ['[0]', ['0']],
    ['[ 1 ,\r\n-2.5e+3\t, true,null ]', ['1', '-2.5e+3', 'true', 'null']],
    ['[[],{},[[]],{"a":[{}]}]', ['[]', '{}', '[[]]', '{"a":[{}]}']],
    ['["","a","\\"","\\\\","\\\\\\"","]",",[{"]', ['""', '"a"', '"\\""', '"\\\\"', '"\\\\\\""', '"]"', '",[{"']],
    ['[{"\\\\":"}"},{"\\"":"{"},{"a\\\\\\"]":1}]', ['{"\\\\":"}"}', '{"\\"":"{"}', '{"a\\\\\\"]":1}']],
    ['["abc","abcd","abcde","abcdef","é😀"]', ['"abc"', '"abcd"', '"abcde"', '"abcdef"', '"é😀"']],
  ]
  for (const [text, elements] of cases) {
    test(`of ${JSON.stringify(text)}`, () => expect(elementsOf(text)).toEqual(elements))
  }

  test('are the bytes that were put between the commas', () => {
    const random = seeded(1)
    for (let round = 0; round < 3000; round++) {
      const elements = Array.from({ length: random.below(6) }, () => valueText(random))
      const inner = elements.length === 0 ? space(random) : elements.map((text) => spaced(random, text)).join(',')
      expect(elementsOf(spaced(random, `[${inner}]`))).toEqual(elements)
    }
  })

  test('after runs of backslashes of every length, at every place in a string', () => {
    for (let before = 0; before < 9; before++) {
      for (let pairs = 0; pairs < 9; pairs++) {
        const strings = [
          `"${'x'.repeat(before)}${'\\\\'.repeat(pairs)}"`,
          `"${'x'.repeat(before)}${'\\\\'.repeat(pairs)}\\","`,
        ]
        expect(elementsOf(`[${strings}]`)).toEqual(strings)
      }
    }
  })

  test('of all real webhooks, compact and indented', () => {
    const examples = webhooks.flatMap((event) => event.examples)
    expect(elementsOf(JSON.stringify(examples))).toEqual(examples.map((example) => JSON.stringify(example)))
    expect(elementsOf(JSON.stringify(examples, null, 2)).map((text) => JSON.parse(text))).toEqual(examples)
  })

  test('are appended, past any size, and clear gives the memory back', () => {
    const spans = new Spans()
    const bytes = encoder.encode(`[${Array.from({ length: 100_000 }, (_, k) => k)}]`)
    arrayElements(bytes, 0, bytes.length, spans)
    arrayElements(bytes, 0, bytes.length, spans)
    expect(spans.count).toBe(200_000)
    expect(textsOf(bytes, spans)).toEqual(Array.from({ length: 200_000 }, (_, k) => String(k % 100_000)))
    spans.clear()
    expect(spans.count).toBe(0)
    expect(spans.starts.length + spans.ends.length).toBeLessThan(10_000)
  })
})

describe('collectionSpans', () => {
  const spans = new Spans()

  function membersOf(text: string) {
    const { bytes, from, to } = embedded(text)
    const { version, token, data } = collectionSpans(bytes, from, to, spans)
    const texts = { version: textOf(bytes, version), token: textOf(bytes, token), data: textOf(bytes, data) }
    return { ...texts, elements: textsOf(bytes, spans) }
  }

  const none = { version: undefined, token: undefined, data: undefined, elements: [] as string[] }
  const cases: [text: string, expected: Partial<typeof none> | Record<string, unknown>][] = [
    ['{}', {}],
    [' { } ', {}],
    [
      '{"version":"1","token":"t","data":[1,{}]}',
      { version: '"1"', token: '"t"', data: '[1,{}]', elements: ['1', '{}'] },
    ],
    [
      '\n{ "data" : [ 1 ] , "x":{"data":[2],"token":3},"token":null }',
      { token: 'null', data: '[ 1 ]', elements: ['1'] },
    ],
    ['{"data":[1,2],"data":[3]}', { data: '[3]', elements: ['3'] }],
    ['{"data":[1,2],"d\\u0061ta":{}}', { data: '{}' }],
    [
      '{"\\u0064\\u0061\\u0074\\u0061":[1],"\\u0076\\u0065\\u0072\\u0073\\u0069\\u006F\\u006f":2}',
      { data: '[1]', elements: ['1'] },
    ],
    ['{"\\u0076\\u0065\\u0072\\u0073\\u0069\\u006F\\u006e":2,"to\\u006ben":[]}', { version: '2', token: '[]' }],
    [
      '{"data ":1,"Data":2,"dat":3,"tokem":4,"versions":5,"versiom":6,"__proto__":{"data":[7]},"":8,"d\\\\ta":9,"\\"data":1}',
      {},
    ],
    ['{"a":"\\"data\\":[","data":[" ]"]}', { data: '[" ]"]', elements: ['" ]"'] }],
  ]
  for (const [text, expected] of cases) {
    test(`of ${JSON.stringify(text)}`, () => expect(membersOf(text)).toEqual({ ...none, ...expected }))
  }

  test('are what JSON.parse sees, in any order, spelling and number', () => {
    const random = seeded(2)
    const names = ['version', 'token', 'data', 'data', 'Data', 'dat', '__proto__', 'versio\\', 'constructor']
    for (let round = 0; round < 3000; round++) {
      const members = Array.from({ length: random.below(8) }, () => memberText(random, random.pick(names)))
      const text = spaced(random, `{${members.length > 0 ? members.join(',') : space(random)}}`)
      const parsed = new Map(Object.entries(JSON.parse(text)))
      const found = membersOf(text)
      for (const name of ['version', 'token', 'data'] as const) {
        const span = found[name]
        expect([text, span !== undefined && JSON.parse(span)]).toEqual([text, parsed.has(name) && parsed.get(name)])
        expect(span).toBe(span?.trim() as string)
      }
      const data = parsed.get('data')
      expect(found.elements.map((element) => JSON.parse(element))).toEqual(Array.isArray(data) ? data : [])
    }
  })

  function memberText(random: Seeded, name: string): string {
    const written = name.includes('\\') ? stringText(random) : nameText(random, name)
    const value = random.chance(0.5) ? `[${spaced(random, valueText(random))}]` : valueText(random)
    return `${spaced(random, written)}:${spaced(random, value)}`
  }
})

describe('valueSpan', () => {
  test('trims JSON white space and nothing else', () => {
    for (const [text, inner] of [
      [' \t\r\n1 \n', '1'],
      ['1', '1'],
      ['', ''],
      [' \n ', ''],
      ['\u00a01\f', '\u00a01\f'],
      ['"a "', '"a "'],
    ]) {
      const { bytes, from, to } = embedded(text as string)
      expect(textOf(bytes, valueSpan(bytes, from, to))).toBe(inner as string)
    }
  })
})

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
    expect(valueSpan(bytes, 6, 8)).toEqual({ start: 8, end: 8 })
  })

  test('have numbers from 1, blank lines counted', () => {
    const { bytes, from } = embedded('a\n\nb\r\nc')
    expect([0, 1, 2, 3, 5, 6].map((at) => lineNumber(bytes, from, from + at))).toEqual([1, 1, 2, 3, 3, 4])
  })
})

describe('line breaks between tokens', () => {
  test('are found in the span only', () => {
    for (const [text, flat] of [
      ['[1, 2]', true],
      ['[1,\n2]', false],
      ['[1,\r2]', false],
      ['"\\n"', true],
      ['\n', false],
      ['\r', false],
    ] as const) {
      const { bytes, from, to } = embedded(`\n${text}\r`)
      expect([text, isFlat(bytes, from + 1, to - 1)]).toEqual([text, flat])
    }
  })

  test('become spaces, every other byte stays, and so does the value', () => {
    const random = seeded(4)
    let broken = 0
    for (let round = 0; round < 1000; round++) {
      const text = valueText(random)
      const { bytes, from, to } = embedded(text)
      if (!isFlat(bytes, from, to)) broken++
      const target = new Uint8Array(to - from + 8).fill(0x78)
      flatten(bytes, from, to, target, 5)
      const flat = Buffer.from(target).toString()
      expect(flat).toBe(`xxxxx${text.replace(/[\r\n]/g, ' ')}xxx`)
      expect(JSON.parse(flat.slice(5, -3))).toEqual(JSON.parse(text))
    }
    expect(broken).toBeGreaterThan(100)
  })
})
