/** Lines that another Millrace has made: what it makes passes, whatever the payloads; all else is refused with its line. */

import { describe, expect, test } from 'bun:test'
import { Lines } from '../../src/delivery/lines.ts'
import { readMade } from '../../src/intake/made-lines.ts'
import { LINES_PATH } from '../../src/observe/forwarding.ts'
import { encoded, recordOf } from '../delivery/lines-of.ts'
import { valueText } from '../json/random-json.ts'
import { seeded } from '../seeded.ts'

const line = (
  payload: string,
  { index = '0', version = 'null', source = '"default"', at = '2026-11-21T01:30:15.007Z' } = {},
) =>
  `{"receipt":"n-0-1-0badcafe-0","index":${index},"received_at":"${at}","version":${version},"source":${source},"payload":${payload}}\n`
const read = (text: string | Uint8Array) => readMade(typeof text === 'string' ? Buffer.from(text) : text)

test('what delivery makes of any records passes, and stays as it is', async () => {
  const random = seeded(1)
  const lines = new Lines()
  for (let round = 0; round < 30; round++) {
    const values = Array.from({ length: 1 + random.below(30) }, () => valueText(random))
    const version = random.pick(['"1.0"', '"\\u00e9 \\" \\\\"', '"mühle"', '""'])
    const records = [
      recordOf('array', `[${values.join(',')}]`, values.length),
      recordOf('collection', `{"version":${version},"token":"t","data":[${values.join(',')}]}`, values.length),
    ]
    const { text, payloads, misfits } = await encoded([records], lines)
    expect(misfits).toEqual([])
    expect(read(text)).toEqual({ kind: 'made', body: Buffer.from(text), payloads })
  }
})

test('of any length and depth: more than is checked at once, and what the quick check leaves', () => {
  const long = line(`"${'x'.repeat(5 << 20)}"`)
  const deep = line(`${'['.repeat(100)}${']'.repeat(100)}`)
  const many = Array.from({ length: 30_000 }, (_, i) => line(`{"n":${i}}`, { index: `${i}` })).join('')
  expect(read(long + deep + many + deep)).toMatchObject({ kind: 'made', payloads: 30_003 })
  expect(read(`${long}${many}${line('{"a":tru}')}`)).toMatchObject({ code: 'invalid_json', members: { line: 30_002 } })
})

describe('refused', () => {
  const good = line('{"a":1}')
  test.each<[string, string | Uint8Array, string, number | undefined]>([
    ['nothing', '', 'wrong_shape', undefined],
    ['a payload alone', '{"a":1}\n', 'wrong_shape', 1],
    ['an empty line', `${good}\n${good}`, 'wrong_shape', 2],
    ['a last line without its end', good + good.trimEnd(), 'wrong_shape', 2],
    ['a space before a line', ` ${good}`, 'wrong_shape', 1],
    ['a space behind one', `${good}${good.trimEnd()} \n`, 'wrong_shape', 2],
    ['a line of Windows', good.replace('\n', '\r\n'), 'wrong_shape', undefined],
    ['members in another order', good.replace(/("receipt":"[^"]*"),("index":0)/, '$2,$1'), 'wrong_shape', 1],
    ['a member more behind the payload', good + line('1,"x":2'), 'invalid_json', 2],
    ['a member more before it', line('1').replace('"source"', '"x":1,"source"'), 'wrong_shape', 1],
    ['no payload', line(''), 'invalid_json', 1],
    ['half a payload', good + line('{"a":'), 'invalid_json', 2],
    ['two payloads', line('1 2'), 'invalid_json', 1],
    ['a version that is a number', line('1', { version: '1' }), 'wrong_shape', 1],
    ['a version that is no string', line('1', { version: '"\\x"' }), 'invalid_json', 1],
    ['a source with a tab in it', line('1', { source: '"a\tb"' }), 'invalid_json', 1],
    ['an index that is none', line('1', { index: '-1' }), 'wrong_shape', 1],
    ['a time that is none', line('1', { at: '"' }), 'wrong_shape', 1],
    ['a string without an end', '{"receipt":"a","index":0,"received_at":"1","version":"x\n', 'wrong_shape', 1],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from(good), Buffer.from([0xff, 0x0a])]),
      'invalid_utf8',
      undefined,
    ],
  ])('%s', (_, text, code, at) => {
    const refusal = read(text)
    expect(refusal).toMatchObject(at === undefined ? { code } : { code, members: { line: at } })
  })

  test('every line cut short at any place', () => {
    const whole = line('{"a":[1,"x\\"y"]}', { version: '"1.0"' })
    for (let end = 1; end < whole.length - 1; end++)
      expect(read(`${good}${whole.slice(0, end)}\n`)).toHaveProperty('code')
  })

  test('with words that say where it belongs', () => {
    expect(read('1\n')).toMatchObject({ detail: expect.stringContaining(LINES_PATH) })
  })
})
