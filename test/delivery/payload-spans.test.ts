/** Payloads are exact: they are the elements, members and lines that JSON.parse finds, and not a byte around them. */

import { describe, expect, test } from 'bun:test'
import webhooks from '@octokit/webhooks-examples'
import type { NewRecord, RecordKind } from '../../src/journal/journal.ts'
import { nameText, space, spaced, stringText, valueText } from '../json/random-json.ts'
import { type Seeded, seeded } from '../seeded.ts'
import { encoded, payloadTexts, recordOf } from './lines-of.ts'

/** Stands between the records: whoever looks past a body's end misreads it. */
const HOSTILE = recordOf('value', '"\\\\{[\\"}]\\",[{"', 1)

/** Takes the payloads out of many bodies of a kind, each between records that look like more of it. */
async function payloadsOf(kind: RecordKind, bodies: readonly { text: string; payloads: number }[]) {
  const records = bodies.flatMap(({ text, payloads }) => [recordOf(kind, text, payloads), HOSTILE])
  const texts = await payloadTexts([HOSTILE, ...records])
  return bodies.map((_, i) => texts[2 * i + 1] as string[])
}

/** As it stands in a line. */
const flat = (text: string) => text.replace(/[\r\n]/g, ' ')

describe('the elements of an array', () => {
  async function expectElements(cases: readonly [text: string, elements: string[]][]) {
    const found = await payloadsOf(
      'array',
      cases.map(([text, elements]) => ({ text, payloads: elements.length })),
    )
    for (const [i, [text, elements]] of cases.entries()) expect([text, found[i]]).toEqual([text, elements.map(flat)])
  }

  const CASES: [text: string, elements: string[]][] = [
    ['[]', []],
    [' \n[ \t] ', []],
    ['[0]', ['0']],
    ['[ 1 ,\r\n-2.5e+3\t, true,null ]', ['1', '-2.5e+3', 'true', 'null']],
    ['[[],{},[[]],{"a":[{}]}]', ['[]', '{}', '[[]]', '{"a":[{}]}']],
    ['["","a","\\"","\\\\","\\\\\\"","]",",[{"]', ['""', '"a"', '"\\""', '"\\\\"', '"\\\\\\""', '"]"', '",[{"']],
    ['[{"\\\\":"}"},{"\\"":"{"},{"a\\\\\\"]":1}]', ['{"\\\\":"}"}', '{"\\"":"{"}', '{"a\\\\\\"]":1}']],
    ['["abc","abcd","abcde","abcdef","é😀"]', ['"abc"', '"abcd"', '"abcde"', '"abcdef"', '"é😀"']],
  ]
  test.each(CASES)('of %j', async (text, elements) => expectElements([[text, elements]]))

  test('are the bytes that were put between the commas, with a space for each line break', async () => {
    const random = seeded(1)
    const cases = Array.from({ length: 3000 }, (): [string, string[]] => {
      const elements = Array.from({ length: random.below(6) }, () => valueText(random))
      const inner = elements.length === 0 ? space(random) : elements.map((text) => spaced(random, text)).join(',')
      return [spaced(random, `[${inner}]`), elements]
    })
    await expectElements(cases)
    expect(cases.filter(([, elements]) => elements.some((text) => flat(text) !== text)).length).toBeGreaterThan(300)
  })

  test('after runs of backslashes of every length, at every place of the 64 bytes that are looked at at once', async () => {
    const cases: [string, string[]][] = []
    for (let before = 0; before < 70; before++) {
      for (let pairs = 0; pairs < 9; pairs++) {
        const text = `"${'x'.repeat(before)}${'\\\\'.repeat(pairs)}`
        const strings = [`${text}"`, `${text}\\","`, `${text}\\"]"`]
        cases.push([`[${strings}]`, strings])
      }
    }
    // Longer than a block: its last byte escapes or doesn't, however far back the run began.
    for (let backslashes = 120; backslashes < 140; backslashes += 2) {
      const strings = [`"${'\\'.repeat(backslashes)}"`, `"${'\\'.repeat(backslashes)}\\""`, '","']
      cases.push([`[${strings}]`, strings])
    }
    await expectElements(cases)
  })

  test('whatever stands at the edges of 16 and 64 bytes', async () => {
    const elements = [
      '"]"',
      '"\\""',
      '"\\\\"',
      '[]',
      '{"a":[{}]}',
      '","',
      '-1',
      '"{\\"["',
      '[["]"],"[["]',
      '{"\\\\":"\\\\"}',
    ]
    const cases: [string, string[]][] = []
    for (const element of elements) {
      for (let offset = 0; offset < 140; offset++) {
        // White space, a string and brackets push the element towards the edge.
        cases.push([`[${' '.repeat(offset)}${element},${element} ]`, [element, element]])
        const string = `"${'s'.repeat(offset)}"`
        cases.push([`[${string},${element},0]`, [string, element, '0']])
        const nested = `${'['.repeat(offset)}${element}${']'.repeat(offset)}`
        cases.push([`[${nested},${element}]`, [nested, element]])
      }
    }
    await expectElements(cases)
  })

  test('of all real webhooks, compact and indented', async () => {
    const examples = webhooks.flatMap((event) => event.examples)
    const texts = examples.map((example) => JSON.stringify(example))
    await expectElements([[`[${texts}]`, texts]])
    const indented = recordOf('array', JSON.stringify(examples, null, 2), examples.length)
    const [found] = await payloadTexts([indented])
    expect(found?.map((text) => JSON.parse(text))).toEqual(examples)
  })
})

describe('the elements of a collection’s data', () => {
  /** The payloads, and the version as it stands in the first line. */
  async function membersOf(record: NewRecord) {
    const { text } = await encoded([[HOSTILE, record, HOSTILE]])
    const lines = text.split('\n').slice(1, -2)
    const version = /,"version":(.*?),"source":"default"/.exec(lines[0] ?? '')?.[1]
    return { version, data: lines.map((line) => line.slice(line.indexOf('"payload":') + 10, -1)) }
  }

  const CASES: [text: string, version: string, data: string[]][] = [
    ['{"version":"1","token":"t","data":[1,{}]}', '"1"', ['1', '{}']],
    ['\n{ "data" : [ 1 ] , "x":{"data":[2],"token":3},"token":null }', 'null', ['1']],
    ['{"data":[1,2],"data":[3]}', 'null', ['3']],
    ['{"data":[1,2],"data":"[4]","data":[ "3"\n,\r5]}', 'null', ['"3"', '5']],
    ['{"\\u0064\\u0061\\u0074\\u0061":[1],"\\u0076\\u0065\\u0072\\u0073\\u0069\\u006F\\u006f":2}', 'null', ['1']],
    ['{"\\u0076\\u0065\\u0072\\u0073\\u0069\\u006F\\u006e":"2","d\\u0061ta":[7]}', '"2"', ['7']],
    ['{"version":"a","versio\\u006e":"\\"}","data":[0]}', '"\\"}"', ['0']],
    [
      '{"data":[0],"data ":1,"Data":[2],"dat":3,"versions":5,"versiom":6,"":8,"d\\\\ta":[9],"\\"data":[1]}',
      'null',
      ['0'],
    ],
    [
      '{"data":[0],"\\u0000data":[1],"\\u0164ata":[2],"data\\u0000":[3],"\\u0064\\u0061\\u0074\\u0061s":[4]}',
      'null',
      ['0'],
    ],
    ['{"a":"\\"data\\":[","data":[" ]"]}', 'null', ['" ]"']],
    ['{"a":tr\\ue,"data":[1]}'.replace('\\', ''), 'null', ['1']],
  ]
  test.each(CASES)('of %s', async (text, version, data) => {
    expect(await membersOf(recordOf('collection', text, data.length))).toEqual({ version, data })
  })

  test('are what JSON.parse sees, in any order, spelling and number', async () => {
    const random = seeded(2)
    const names = ['version', 'token', 'data', 'data', 'Data', 'dat', '__proto__', 'versio\\', 'constructor']
    const bodies = Array.from({ length: 3000 }, () => {
      const members = Array.from({ length: random.below(8) }, () => memberText(random, random.pick(names)))
      members.splice(random.below(members.length + 1), 0, memberText(random, 'data'))
      const text = spaced(random, `{${members.join(',')}}`)
      const data: unknown = JSON.parse(text).data
      return { text, data: Array.isArray(data) ? data : [] }
    })
    const found = await payloadsOf(
      'collection',
      bodies.map(({ text, data }) => ({ text, payloads: data.length })),
    )
    for (const [i, { text, data }] of bodies.entries()) {
      expect([text, found[i]?.map((payload) => JSON.parse(payload))]).toEqual([text, data])
    }
    expect(bodies.filter(({ data }) => data.length > 0).length).toBeGreaterThan(1000)
  })

  function memberText(random: Seeded, name: string): string {
    const written = name.includes('\\') ? stringText(random) : nameText(random, name)
    // It stands in every line as it is, line breaks and all: intake takes strings only.
    if (name === 'version') return `${nameText(random, name)}:${spaced(random, stringText(random))}`
    const value = random.chance(0.5) ? `[${spaced(random, valueText(random))}]` : valueText(random)
    return `${spaced(random, written)}:${spaced(random, value)}`
  }

  test('behind a data with more elements than the table holds, which is not the last', async () => {
    const text = `{"data":[${'0,'.repeat(1_000_001)}0],"version":"1","data":[7]}`
    expect(await membersOf(recordOf('collection', text, 1))).toEqual({ version: '"1"', data: ['7'] })
  })

  test('at every place of the bytes that are looked at at once', async () => {
    const bodies = Array.from({ length: 140 }, (_, length) => {
      const filling = 'x'.repeat(length)
      return { text: `{"${filling}":"${filling}\\"","data":["${filling}",{"${filling}":[]}],"v":1}`, payloads: 2 }
    })
    const found = await payloadsOf('collection', bodies)
    for (const [i, { text }] of bodies.entries()) {
      expect(found[i]?.map((payload) => JSON.parse(payload))).toEqual(JSON.parse(text).data)
    }
  })
})

test('a value loses the white space around it and keeps what is within', async () => {
  const random = seeded(4)
  const texts = Array.from({ length: 1000 }, () => valueText(random))
  const bodies = texts.map((text) => ({ text: spaced(random, text), payloads: 1 }))
  expect(await payloadsOf('value', bodies)).toEqual(texts.map((text) => [flat(text)]))
  expect(texts.filter((text) => flat(text) !== text).length).toBeGreaterThan(100)
})

describe('the lines of NDJSON', () => {
  const CASES: [text: string, lines: string[]][] = [
    ['', []],
    ['\n\r\n \t\n', []],
    ['1', ['1']],
    ['1\n', ['1']],
    ['\n1\n\n2', ['1', '2']],
    ['{"a": 1}\r\n [2] \r\n\r\n"x"\r\n', ['{"a": 1}', '[2]', '"x"']],
    ['[1,\r2]\n\r', ['[1, 2]']],
  ]
  test.each(CASES)('of %j', async (text, lines) => {
    expect(await payloadsOf('lines', [{ text, payloads: lines.length }])).toEqual([lines])
  })

  test('are the values that were written, one a line', async () => {
    const random = seeded(3)
    const blank = () => random.pick(['', '', '\n', '\r\n', ' \t\n'])
    const values = Array.from({ length: 1000 }, () => {
      return Array.from({ length: random.below(6) }, () => valueText(random).replaceAll('\n', ' '))
    })
    const bodies = values.map((of) => {
      const lines = of.map(
        (value) => `${blank()}${random.pick(['', ' '])}${value}${random.pick(['\n', '\r\n', ' \n'])}`,
      )
      const text = lines.join('') + blank()
      return { text: random.chance(0.5) ? text : text.replace(/\r?\n$/, ''), payloads: of.length }
    })
    expect(await payloadsOf('lines', bodies)).toEqual(values.map((of) => of.map(flat)))
  })

  test('break at every place of the bytes that are looked at at once', async () => {
    const values = Array.from({ length: 70 }, (_, length) => [
      `"${'a'.repeat(length)}"`,
      '0',
      `"${'b'.repeat(length)}"`,
    ])
    const bodies = values.map((lines) => ({ text: lines.join('\n'), payloads: 3 }))
    expect(await payloadsOf('lines', bodies)).toEqual(values)
  })
})
