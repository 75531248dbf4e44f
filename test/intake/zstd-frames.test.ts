/** A zstd body is whole frames and nothing else, and asks for no more memory than a body may take. */

import { describe, expect, test } from 'bun:test'
import { zstdCompressSync } from 'node:zlib'
import { type DecodedBody, decodeBody } from '../../src/intake/content-encoding.ts'
import { zstdOutline } from '../../src/intake/zstd-frames.ts'
import { seeded } from '../seeded.ts'

const bytesMax = 1024 * 1024
const random = seeded(1)
const small = Buffer.from(random.bytes(700))
const big = Buffer.from(random.bytes(100_000))

function concat(...parts: (Uint8Array | number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)))
}

async function kindOf(bytes: Uint8Array, max = bytesMax): Promise<DecodedBody['kind']> {
  return (await decodeBody(bytes, 'zstd', max)).kind
}

async function expectWhole(bytes: Uint8Array, content: Uint8Array, max = bytesMax): Promise<void> {
  const decoded = await decodeBody(bytes, 'zstd', max)
  if (decoded.kind !== 'ok') throw new Error(JSON.stringify(decoded))
  expect(Buffer.compare(decoded.bytes, content)).toBe(0)
}

describe('zstd frames', () => {
  const frame = (content: Uint8Array) => zstdCompressSync(content)
  const skippable = (content: number[], kind = 0) => [
    0x50 + kind,
    0x2a,
    0x4d,
    0x18,
    content.length,
    0,
    0,
    0,
    ...content,
  ]
  const raw = (header: number[], content: number[]) => [
    0x28,
    0xb5,
    0x2f,
    0xfd,
    ...header,
    1 | (content.length << 3),
    0,
    0,
    ...content,
  ]

  test('may be several, with skippable ones among them', async () => {
    const body = concat(
      skippable([1, 2, 3]),
      frame(small),
      frame(Buffer.alloc(0)),
      skippable([], 15),
      frame(big),
      skippable([9], 7),
    )
    await expectWhole(body, concat(small, big))
    await expectWhole(concat(skippable([1])), Buffer.alloc(0))
    const many = Array.from({ length: 300 }, (_, k) => Buffer.alloc(k * 5, 0x41 + (k % 26)))
    await expectWhole(concat(...many.map(frame)), concat(...many))
  })

  test('are checked to the last: a cut in any of them is seen', async () => {
    const body = concat(frame(small), skippable([1, 2, 3, 4, 5]), frame(small))
    const whole = [frame(small).length, frame(small).length + 13, body.length]
    for (let length = 1; length <= body.length; length++) {
      const kind = await kindOf(body.subarray(0, length))
      expect([length, kind]).toEqual([length, whole.includes(length) ? 'ok' : 'corrupt'])
    }
  })

  test('say what they need: window and content', () => {
    expect(zstdOutline(concat(raw([0x20, 2], [1, 2])))).toEqual({ kind: 'whole', windowBytesMax: 2, contentBytes: 2 })
    expect(zstdOutline(concat(raw([0x00, 0x00], [1])))).toEqual({
      kind: 'whole',
      windowBytesMax: 1024,
      contentBytes: 0,
    })
    expect(zstdOutline(concat(raw([0x00, 0x6b], [1])))).toMatchObject({ windowBytesMax: 2 ** 23 + 3 * 2 ** 20 })
    expect(zstdOutline(concat(raw([0x60, 1, 2], [1])))).toMatchObject({ contentBytes: 513 + 256 })
    expect(zstdOutline(concat(raw([0xa0, 1, 2, 3, 4], [1])))).toMatchObject({ contentBytes: 0x04030201 })
    expect(zstdOutline(concat(raw([0xe3, 9, 9, 9, 9, 0, 0, 0, 0, 1, 0, 0, 0], [1])))).toMatchObject({
      contentBytes: 2 ** 32,
    })
    const two = concat(raw([0x20, 2], [1, 2]), raw([0x20, 3], [1, 2, 3]))
    expect(zstdOutline(two)).toEqual({ kind: 'whole', windowBytesMax: 3, contentBytes: 5 })
    expect(zstdOutline(concat(raw([0x21, 7, 2], [1, 2])))).toMatchObject({ kind: 'whole', contentBytes: 2 })
    expect(zstdOutline(concat(raw([0x22, 7, 7, 2], [1, 2])))).toMatchObject({ kind: 'whole', contentBytes: 2 })
    expect(zstdOutline(concat(skippable([])))).toEqual({ kind: 'whole', windowBytesMax: 0, contentBytes: 0 })
    // A block that repeats one byte 100 times.
    expect(zstdOutline(concat(raw([0x20, 100], []).slice(0, 6), [0x23, 3, 0, 65]))).toMatchObject({ contentBytes: 100 })
  })

  test('that are not whole say why', () => {
    const whole = raw([0x20, 2], [1, 2])
    const cases: [bytes: Uint8Array, reason: string][] = [
      [concat([]), 'it is empty'],
      [concat(whole.slice(0, 7)), 'it is cut off'],
      [concat(whole.slice(0, -1)), 'it is cut off'],
      [concat(skippable([1, 2]).slice(0, -1)), 'it is cut off'],
      [Buffer.from('{"not":"zstd"}'), 'it is not zstd'],
      [concat(whole, [1]), 'bytes after the last frame'],
      [concat(whole, whole.slice(0, 7)), 'bytes after the last frame'],
      [concat(whole, Buffer.from('something else')), 'bytes after the last frame'],
      [concat(raw([0x28, 2], [1, 2])), 'a reserved bit is set in a frame header'],
      [concat(whole.slice(0, 6), [0x27, 3, 0, 65]), 'a block has a reserved type'],
    ]
    for (const [bytes, reason] of cases) expect(zstdOutline(bytes)).toEqual({ kind: 'broken', reason })
  })

  test('with a window past 8 MiB are refused, unless it is the content and a body may be as long', async () => {
    expect(await kindOf(concat(raw([0x00, 0x68], [0x31])))).toBe('ok')
    expect(await decodeBody(concat(raw([0x00, 0x69], [0x31])), 'zstd', bytesMax)).toEqual({
      kind: 'corrupt',
      reason: 'its window is larger than 8388608 bytes',
    })
    // One segment of 72 blocks, each one byte 128 Ki times: a window of 9 MiB.
    const block = (isLast: boolean) => [(isLast ? 1 : 0) | 2, 0, 0x10, 0x20]
    const blocks = Array.from({ length: 72 }, (_, k) => block(k === 71))
    const single = concat([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0x90, 0], ...blocks)
    const length = 9 * 1024 * 1024
    await expectWhole(single, Buffer.alloc(length, 0x20), length)
    expect(await kindOf(single, length - 1)).toBe('too-large')
  })
})
