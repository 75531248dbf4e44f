/** A body's shape is what `JSON.parse` says it is: which member counts, how many payloads there are. */

import { expect, test } from 'bun:test'
import { readCollection, readValueOrArray, type ShapeOrRefusal } from '../../src/intake/shapes.ts'
import { nameText, spaced, valueText } from '../json/random-json.ts'
import { type Seeded, seeded } from '../seeded.ts'

const encoder = new TextEncoder()

/** A document that is often a collection, and often nearly one: members missing, twice, misnamed, of the wrong type. */
function nearCollection(random: Seeded): string {
  const members = Array.from({ length: random.below(6) }, () => memberText(random, random.pick(NAMES)))
  for (const name of ['version', 'token', 'data']) if (random.chance(0.9)) members.push(memberText(random, name))
  return spaced(random, `{${members.join(',')}}`)
}

const NAMES = ['version', 'token', 'data', 'Data', 'tokens', 'dat', '', 'a quite long name of a member']

function memberText(random: Seeded, name: string): string {
  const string = () => JSON.stringify(random.pick(['', '1', 'x"y\\', '[,]', '}']))
  const array = () => `[${Array.from({ length: random.below(4) }, () => valueText(random)).join(',')}]`
  const usual = name === 'data' ? array() : string()
  return `${nameText(random, name)}:${random.chance(0.9) ? usual : valueText(random)}`
}

function payloadsOf(shape: ShapeOrRefusal): number | string {
  return 'code' in shape ? shape.code : shape.payloads
}

test('of a collection', () => {
  const random = seeded(7)
  const seen = new Map<unknown, number>()
  for (let round = 0; round < 20_000; round++) {
    const text = nearCollection(random)
    const { version, token, data } = JSON.parse(text)
    const isOne = typeof version === 'string' && typeof token === 'string' && Array.isArray(data)
    const expected = isOne ? data.length : 'wrong_shape'
    const found = payloadsOf(readCollection(encoder.encode(text)))
    if (found !== expected) throw new Error(`${text}: ${found}, expected ${expected}`)
    seen.set(expected, (seen.get(expected) ?? 0) + 1)
  }
  for (const outcome of ['wrong_shape', 0, 1, 2, 3]) expect(seen.get(outcome)).toBeGreaterThan(500)
})

test('of no collection at all', () => {
  for (const text of ['1', '"{}"', ' [] ', '[{"version":"1","token":"t","data":[]}]', 'null', '{}']) {
    expect(payloadsOf(readCollection(encoder.encode(text)))).toBe('wrong_shape')
  }
})

test('of a value or an array', () => {
  const random = seeded(8)
  for (let round = 0; round < 5000; round++) {
    const text = spaced(random, valueText(random))
    const value = JSON.parse(text)
    const expected = Array.isArray(value) ? value.length : 1
    const found = payloadsOf(readValueOrArray(encoder.encode(text)))
    if (found !== expected) throw new Error(`${text}: ${found}, expected ${expected}`)
  }
})
