/** The place where bytes stop being UTF-8, against the strict decoder that says whether they do. */

import { describe, expect, test } from 'bun:test'
import { firstInvalidUtf8 } from '../../src/json/utf8.ts'
import { seeded } from '../seeded.ts'

const encoder = new TextEncoder()
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

describe('firstInvalidUtf8', () => {
  test('names the start of the broken sequence', () => {
    const cases: [bytes: number[], offset: number][] = [
      [[], -1],
      [[0x41, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80], -1],
      [[0xef, 0xbb, 0xbf], -1],
      [[0x41, 0x80], 1],
      [[0xc0, 0x80], 0],
      [[0x41, 0xc3], 1],
      [[0xe2, 0x82, 0x41], 0],
      [[0xc3, 0xa9, 0xe0, 0x9f, 0xbf], 2],
      [[0xed, 0xa0, 0x80], 0],
      [[0xed, 0x9f, 0xbf], -1],
      [[0xf4, 0x8f, 0xbf, 0xbf], -1],
      [[0xf4, 0x90, 0x80, 0x80], 0],
      [[0xf0, 0x8f, 0xbf, 0xbf], 0],
      [[0xf5, 0x80, 0x80, 0x80], 0],
      [[0x41, 0xff], 1],
    ]
    for (const [bytes, offset] of cases)
      expect([bytes, firstInvalidUtf8(Uint8Array.from(bytes))]).toEqual([bytes, offset])
  })

  test('agrees with the strict decoder on every sequence of three and four bytes from the edges of the table', () => {
    const edges = [
      0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
    ]
    edges.push(0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff)
    for (const a of edges)
      for (const b of edges) for (const c of edges) for (const d of edges) agrees(Uint8Array.of(a, b, c, d))
    for (const a of edges) for (const b of edges) for (const c of edges) agrees(Uint8Array.of(a, b, c))
  })

  test('agrees with the strict decoder on damaged text', () => {
    const random = seeded(4)
    for (let round = 0; round < 20_000; round++) {
      const bytes = encoder.encode(
        Array.from({ length: random.below(12) }, () => random.pick([...'aé漢😀\u07ff\uffff'])).join(''),
      )
      if (bytes.length > 0 && random.chance(0.8)) bytes[random.below(bytes.length)] = random.below(256)
      agrees(bytes.subarray(0, bytes.length - random.below(2)))
    }
  })

  function agrees(bytes: Uint8Array): void {
    const at = firstInvalidUtf8(bytes)
    let valid = true
    try {
      strict.decode(bytes)
    } catch {
      valid = false
    }
    if ((at === -1) !== valid) throw new Error(`[${bytes}]: the decoder says ${valid}, we say ${at}`)
    if (at >= 0) strict.decode(bytes.subarray(0, at))
  }
})
