/** The quick check says yes to what is usual, sees in it what the checker sees, and never says yes to anything else. */

import { describe, expect, test } from 'bun:test'
import webhooks from '@octokit/webhooks-examples'
import { checkJson, isJson } from '../../src/json/check.ts'
import { type CollectionFacts, quickChildren, quickLines, quickMembers } from '../../src/json/quick-check.ts'
import { lineSpans, memberName, Spans } from '../../src/json/slice.ts'
import { type Seeded, seeded } from '../seeded.ts'
import { damage } from './damage.ts'
import { nameText, space, spaced, stringText, valueText } from './random-json.ts'

const TEXT_BYTES_MAX = 4 << 20

const encoder = new TextEncoder()
const examples = webhooks.flatMap((event) => event.examples.map((example) => JSON.stringify(example)))

/** What the checker says of a text: undefined when it is no JSON. */
function checked(bytes: Uint8Array): { children: number; members: CollectionFacts } | undefined {
  const outermost = {
    countedDepth: 1,
    children: 0,
    member() {},
    counted(children: number) {
      this.children = children
    },
  }
  const members = { payloads: 0, versionAt: 0, tokenAt: 0, dataAt: 0 }
  let isData = false
  const collection = {
    countedDepth: 2,
    member(bytes: Uint8Array, start: number, end: number, valueAt: number) {
      const name = memberName(bytes, start, end)
      isData = name === 'data'
      if (name !== undefined) members[`${name}At`] = valueAt
    },
    counted(children: number) {
      if (isData) members.payloads = children
    },
  }
  if (checkJson(bytes, 0, bytes.length, outermost)) return undefined
  checkJson(bytes, 0, bytes.length, collection)
  return { children: outermost.children, members }
}

/** How many lines hold JSON; undefined when one that holds something does not. */
function checkedLines(bytes: Uint8Array): number | undefined {
  const spans = new Spans()
  lineSpans(bytes, 0, bytes.length, spans)
  for (let k = 0; k < spans.count; k++) {
    if (!isJson(bytes, spans.starts[k] as number, spans.ends[k] as number)) return undefined
  }
  return spans.count
}

function quickFacts(bytes: Uint8Array): CollectionFacts | undefined {
  // What was there before must not stay.
  const facts = { payloads: 77, versionAt: 77, tokenAt: 77, dataAt: 77 }
  return quickMembers(bytes, facts) ? facts : undefined
}

/** Wherever the quick check says yes the checker does, and says the same. Returns whether it said yes. */
function compare(text: string | Uint8Array): boolean {
  const bytes = typeof text === 'string' ? encoder.encode(text) : text
  const all = checked(bytes)
  const children = quickChildren(bytes)
  const members = quickFacts(bytes)
  const facts = { feeds: -1 }
  const lines = quickLines(bytes, facts)
  const shown = () => JSON.stringify(Buffer.from(bytes.subarray(0, 300)).toString())
  if ((children === undefined) !== (members === undefined)) throw new Error(`${shown()}: two verdicts`)
  if (children !== undefined && members !== undefined) {
    if (all === undefined) throw new Error(`${shown()} is not JSON`)
    // Of a word, a number or a string there is nothing to count.
    if (children !== all.children) throw new Error(`${shown()}: ${children} children, not ${all.children}`)
    const isObject = Buffer.from(bytes).toString().trimStart().startsWith('{')
    if (isObject) expect([shown(), members]).toEqual([shown(), all.members])
  }
  if (lines !== undefined && lines !== checkedLines(bytes)) {
    throw new Error(`${shown()}: ${lines} lines, not ${checkedLines(bytes)}`)
  }
  const feeds = lines === undefined ? -1 : bytes.filter((byte) => byte === 0x0a).length
  if (facts.feeds !== feeds) throw new Error(`${shown()}: ${facts.feeds} line feeds, not ${feeds}`)
  return children !== undefined
}

function expectYes(text: string | Uint8Array) {
  if (!compare(text)) throw new Error(`${JSON.stringify(text.slice(0, 300))} is usual`)
}

function expectNo(text: string | Uint8Array) {
  if (compare(text)) throw new Error(`${JSON.stringify(text.slice(0, 300))} is not for it to judge`)
}

/** A document that is often a collection: members missing, twice, misnamed, of the wrong type. */
function nearCollection(random: Seeded): string {
  const names = ['version', 'token', 'data', 'data', 'Data', 'dat', 'versions', '__proto__']
  const members = Array.from({ length: random.below(7) }, () => {
    const name = random.chance(0.1) ? stringText(random) : nameText(random, random.pick(names))
    return `${spaced(random, name)}:${spaced(random, valueText(random, random.below(6)))}`
  })
  return spaced(random, `{${members.length > 0 ? members.join(',') : space(random)}}`)
}

describe('the usual is told at once', () => {
  test('of every real webhook: compact, indented, in arrays and collections, a line each', () => {
    for (const text of examples) {
      expectYes(text)
      expectYes(JSON.stringify(JSON.parse(text), null, '\t'))
      expectYes(`{"version":"1","token":"t","data":[${text},${text}]}`)
    }
    expectYes(`[${examples.slice(0, 50)}]`)
    expect(quickLines(encoder.encode(examples.join('\n')))).toBe(examples.length)
    expect(quickLines(encoder.encode(examples.join(' \r\n\t\n')))).toBe(examples.length)
  })

  test('of values made by the grammar', () => {
    const random = seeded(1)
    for (let round = 0; round < 4000; round++) expectYes(spaced(random, valueText(random)))
  })

  test('of documents that are often collections: which members count, and what is in data', () => {
    const random = seeded(2)
    let payloads = 0
    for (let round = 0; round < 6000; round++) {
      const text = nearCollection(random)
      expectYes(text)
      payloads += quickFacts(encoder.encode(text))?.payloads ?? 0
    }
    expect(payloads).toBeGreaterThan(1000)
  })

  test('of lines', () => {
    const random = seeded(3)
    for (let round = 0; round < 3000; round++) {
      const values = Array.from({ length: random.below(6) }, () => spaced(random, valueText(random)))
      const ends = ['\n', '\r\n', '\n\n', ' \n \r\n']
      const lines = values.map((value) => value.replaceAll('\n', ' ') + random.pick(ends)).join('')
      const text = random.chance(0.5) ? lines : lines.trimEnd()
      compare(text)
      expect([text, quickLines(encoder.encode(text))]).toEqual([text, values.length])
      // Values that go over lines are not lines.
      compare(values.join('\n'))
      compare(damage(random, text))
    }
  })

  test('strings, numbers and white space of any length, wherever they end', () => {
    for (let length = 0; length < 70; length++) {
      for (const text of [
        `"${'s'.repeat(length)}"`,
        `"${'é'.repeat(length)}\\""`,
        `"${'\\\\'.repeat(length)}"`,
        `["${'a'.repeat(length)}\\u00e9\\n",{"${'\\u0041'.repeat(length)}":[]}]`,
        `1${'0'.repeat(length)}`,
        `-0.${'1'.repeat(length + 1)}`,
        `[1e+${'7'.repeat(length + 1)},2]`,
        `${' '.repeat(length)}true${'\n'.repeat(length)}`,
      ]) {
        expectYes(text)
        for (let end = 0; end < text.length; end++) compare(text.slice(0, end))
      }
    }
  })

  test('nested 64 deep, and no deeper', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
      ['[{"a":', '}]'],
    ] as const) {
      for (const levels of [1, 31, 32, 33, 63, 64, 65, 66, 128, 2050]) {
        const times = Math.ceil((levels * 2) / (open.match(/[[{]/g)?.length === 2 ? 4 : 2))
        const text = `${open.repeat(times)}1${close.repeat(times)}`
        const depth = times * (open === '[{"a":' ? 2 : 1)
        if (depth <= 64) expectYes(text)
        else expectNo(text)
        compare(text.slice(0, -1))
        compare(`${text.slice(0, -1)}${text.endsWith('}') ? ']' : '}'}`)
        compare(`[${text},${text}]`)
      }
    }
  })

  test('as long as its memory, and no longer', () => {
    for (const bytes of [TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX]) {
      for (const text of [`"${'x'.repeat(bytes - 2)}"`, '1'.repeat(bytes), `[${' '.repeat(bytes - 2)}]`]) {
        const whole = encoder.encode(text)
        expect([quickChildren(whole), quickFacts(whole)?.payloads, quickLines(whole)]).toEqual([0, 0, 1])
        expect([quickChildren(whole.subarray(0, bytes - 1)) === undefined, text[0] === '1']).toContain(true)
      }
      const open = encoder.encode(`"${'x'.repeat(bytes - 1)}`)
      expect([quickChildren(open), quickFacts(open), quickLines(open)]).toEqual([undefined, undefined, undefined])
    }
    const longer = encoder.encode('1'.repeat(TEXT_BYTES_MAX + 1))
    expect([quickChildren(longer), quickFacts(longer), quickLines(longer)]).toEqual([undefined, undefined, undefined])
    expectYes('1')
  })
})

describe('what the checker refuses is never told to be good', () => {
  test('every beginning of real bodies', () => {
    const short = examples.toSorted((a, b) => a.length - b.length).slice(0, 3)
    for (const text of [...short, '{"version":"1","token":"t","data":[1,"\\u00e9\\\\",{"a":[null]}]}']) {
      for (let length = 0; length < text.length; length++) expectNo(text.slice(0, length))
      expectYes(text)
    }
  })

  test('every byte in every place of a small text', () => {
    const small = encoder.encode('{"a\\n":-1.5e+2,"\\u00e9":[true,null,false]}')
    for (let at = 0; at <= small.length; at++) {
      for (const byte of [...Array(0x80).keys(), 0x80, 0xa9, 0xc3, 0xff]) {
        compare(Uint8Array.from([...small.subarray(0, at), byte, ...small.subarray(at)]))
        compare(Uint8Array.from([...small.subarray(0, at), byte, ...small.subarray(at + 1)]))
      }
    }
  })

  test('damaged webhooks and damaged values', () => {
    const random = seeded(4)
    let refused = 0
    for (let round = 0; round < 2000; round++) {
      const text = round % 2 === 0 ? random.pick(examples).slice(0, 1500) : nearCollection(random)
      const bytes = encoder.encode(damage(random, text))
      if (!compare(bytes)) refused++
      // Bytes, not characters: also what is no UTF-8.
      bytes[random.below(bytes.length)] = random.below(256)
      compare(bytes)
    }
    expect(refused).toBeGreaterThan(1000)
  })

  // biome-ignore format: a table
  const BAD = [
    '', ' ', '\n', '\0', '1\0', '\x001', '[1\0]', '"\0"', '{"a\0":1}', '{"a":1}\0', '[]\0\0', '"a\nb"', '"a\tb"', '"\x1f"', '"\\', '"\\"', '"\\a"', '"\\u"',
    '"\\u12"', '"\\u123"', '"\\u123g"', '"\\u 123"', '"\\U0041"', '"\\\n"', '"\\0"', '"\\u00', '"\\u00e9', '01', '-01', '00', '1.', '.5', '-', '-.5', '+1', '1e',
    '1e+', '1E-', '1.e5', '1..2', '1.2.3', '--1', '-a', '0x1', '1_0', 'NaN', 'tru', 'truee', 'True', 'nul', 'nulll', 'fals', 'falsy', 'falsee', 't', 'n', 'f', '[',
    ']', '{', '}', '[1,]', '[,1]', '[1 2]', '[1}', '{"a":1]', '{"a"}', '{"a":}', '{"a":1,}', '{,}', '{1:2}', '{a:1}', "{'a':1}", '{"a"::1}', '{"a":1 "b":2}', '1 2',
    '[][]', '{}{}', '1,', ',', ':', '\ufeff1', '1\u00a0', '\v1', '\f1', '[1]x', '"a"b', '{"a":1}}', '[]]', '/**/1', '"a" "b"', '{"data":[1,],"token":"t"}',
  ]
  test('texts known to be bad, alone and within others, behind any length of white space', () => {
    for (const bad of BAD) {
      for (const before of [0, 1, 15, 16, 48, 63, 64]) expectNo(' '.repeat(before) + bad)
      for (const [before, after] of [
        ['[', ']'],
        ['[1,', ',2]'],
        ['{"a":', '}'],
        ['{"data":[', '],"token":"t"}'],
        ['"', '"'],
        ['1\n', '\n2'],
      ] as const) {
        compare(before + bad + after)
        compare(before + bad)
        compare(bad + after)
      }
    }
  })

  test('what an earlier, longer text left behind the end', () => {
    const long = [
      `"${'x'.repeat(300)}"`,
      `${'"]}'.repeat(100)}`,
      '9'.repeat(300),
      `tru${'e'.repeat(300)}`,
      `[${'1,'.repeat(150)}1]`,
      '\\"'.repeat(150),
    ]
    const short = [
      '"',
      '"x',
      '[',
      '[1',
      '[1,',
      '{"a":',
      '1',
      'tru',
      'true',
      '-',
      '1.',
      '1e',
      '"\\',
      '"\\u0',
      '"\\u00e',
      ' ',
      '',
      '{"a":1',
      'fals',
    ]
    for (const before of long) {
      for (const text of short) {
        for (const repeats of [1, 5, 16, 21, 64]) {
          const bytes = encoder.encode(text.repeat(repeats))
          for (const quick of [quickChildren, quickFacts, quickLines]) {
            quick(encoder.encode(before))
            const isYes = quick(bytes) !== undefined
            const isGood = (quick === quickLines ? checkedLines(bytes) : checked(bytes)) !== undefined
            expect([text, repeats, before.slice(0, 9), quick.name, isYes]).toEqual([
              text,
              repeats,
              before.slice(0, 9),
              quick.name,
              isGood,
            ])
          }
        }
      }
    }
  })
})
