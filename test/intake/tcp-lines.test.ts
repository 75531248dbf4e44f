/** Lines out of a byte stream: the same ones in the same order, however the stream is cut into chunks. */

import { expect, test } from 'bun:test'
import { LineBuffer, type Piece } from '../../src/intake/tcp-lines.ts'
import { seeded } from '../seeded.ts'

const LINE_BYTES_MAX = 20
const ALL = Number.POSITIVE_INFINITY
/** What is freed is soon somebody else's. */
const used = (bytes: Uint8Array) => void bytes.fill(0x21)

/** Every piece that is there, settled one after the other: text, or what stands for a line too long. */
function taken(lines: LineBuffer, linesMax = ALL, bytesMax = ALL): string[] {
  const texts: string[] = []
  for (let piece = lines.peek(linesMax, bytesMax); piece; piece = lines.peek(linesMax, bytesMax)) {
    texts.push(textOf(piece))
    lines.settle(piece)
  }
  return texts
}

function textOf({ kind, bytes, lines }: Piece): string {
  const text = Buffer.from(bytes).toString()
  if (lines !== undefined) expect(text.split('\n').length - 1).toBe(lines)
  return kind === 'lines' ? text : '<too long>'
}

const STREAM = `{"a":1}\r\n\n  \n[1,2]\n${'x'.repeat(21)}\n"${'y'.repeat(18)}"\n{"ü":"😀"}\n${'z'.repeat(300)}\n7\n`
const LINES = [
  '{"a":1}\r\n',
  '\n',
  '  \n',
  '[1,2]\n',
  '<too long>',
  `"${'y'.repeat(18)}"\n`,
  '{"ü":"😀"}\n',
  '<too long>',
  '7\n',
]

test('a stream cut at every byte, and byte by byte, gives the same lines', () => {
  const bytes = Buffer.from(STREAM)
  for (let cut = 0; cut <= bytes.length; cut++) {
    const lines = new LineBuffer(LINE_BYTES_MAX, used)
    const texts: string[] = []
    for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      lines.add(Buffer.from(chunk))
      texts.push(...taken(lines, 1))
    }
    expect(texts).toEqual(LINES)
    expect([lines.bytes, lines.isInLine, lines.hasLine]).toEqual([0, false, false])
  }
  const lines = new LineBuffer(LINE_BYTES_MAX, used)
  const texts: string[] = []
  for (const byte of bytes) {
    lines.add(Uint8Array.of(byte))
    texts.push(...taken(lines, 1))
    expect(lines.bytes).toBeLessThanOrEqual(LINE_BYTES_MAX + 1)
  }
  expect(texts).toEqual(LINES)
})

test('chunks of any length, pieces of any length: nothing is lost, doubled or moved', () => {
  const random = seeded(7)
  for (let round = 0; round < 200; round++) {
    const sent = Array.from({ length: 1 + random.below(60) }, (_, i) => `${i}:${'.'.repeat(random.below(9000))}`)
    const bytes = Buffer.from(`${sent.join('\n')}\n`)
    const lines = new LineBuffer(10_000, used)
    let got = ''
    for (let at = 0; at < bytes.length; ) {
      const length = random.pick([1, 10, 3000, 20_000, 100_000])
      lines.add(Buffer.from(bytes.subarray(at, at + length)))
      at += length
      if (random.chance(0.5)) continue
      for (const text of taken(lines, 1 + random.below(10), random.below(20_000))) got += text
    }
    got += taken(lines).join('')
    expect(got).toBe(bytes.toString())
    expect(lines.bytes).toBe(0)
  }
})

test('a piece has as many lines and bytes as may be, but one line at least, and stays until it is settled', () => {
  const lines = new LineBuffer(LINE_BYTES_MAX, used)
  lines.add(Buffer.from('12345\n12\n34\n5'))
  expect(textOf(lines.peek(ALL, 3) as Piece)).toBe('12345\n')
  expect(textOf(lines.peek(2, ALL) as Piece)).toBe('12345\n12\n')
  expect(textOf(lines.peek(ALL, 9) as Piece)).toBe('12345\n12\n')
  expect(textOf(lines.peek(ALL, ALL) as Piece)).toBe('12345\n12\n34\n')
  expect(taken(lines, ALL, 9)).toEqual(['12345\n12\n', '34\n'])
  lines.add(Buffer.from('6\n'))
  expect(taken(lines)).toEqual(['56\n'])
})

test('a line that is too long is thrown away as it comes', () => {
  const lines = new LineBuffer(LINE_BYTES_MAX, used)
  lines.add(Buffer.from('1\n'))
  for (let i = 0; i < 100; i++) {
    lines.add(Buffer.alloc(1000, 'x'))
    expect(lines.bytes).toBe(2 + LINE_BYTES_MAX + 1)
  }
  expect(lines.skippedBytes).toBe(100_000 - LINE_BYTES_MAX - 1)
  expect(taken(lines)).toEqual(['1\n'])
  lines.add(Buffer.from('xx\n2\n'))
  expect(lines.skippedBytes).toBe(0)
  expect(taken(lines)).toEqual(['<too long>', '2\n'])
})

test('the end: a last line without its line feed is one, a number without it is dropped', () => {
  for (const [last, expected] of [
    ['', ['1\n']],
    ['{"a":1}', ['1\n{"a":1}\n']],
    ['{"a":', ['1\n{"a":\n']],
    ['true\r', ['1\ntrue\r\n']],
  ] as const) {
    const lines = new LineBuffer(LINE_BYTES_MAX, used)
    lines.add(Buffer.from(`1\n${last}`))
    expect(lines.end()).toBe(true)
    expect(taken(lines)).toEqual([...expected])
  }
  for (const number of ['1', '-1.5e3', ' \t12 ']) {
    for (const before of ['', '"a"\n']) {
      const lines = new LineBuffer(LINE_BYTES_MAX, used)
      for (const byte of Buffer.from(before + number)) lines.add(Uint8Array.of(byte))
      expect(lines.end()).toBe(false)
      expect(taken(lines)).toEqual(before === '' ? [] : [before])
    }
  }
  const long = new LineBuffer(LINE_BYTES_MAX, used)
  long.add(Buffer.alloc(100, '1'))
  expect(long.end()).toBe(true)
  expect(taken(long)).toEqual(['<too long>'])
})

test('memory is freed once its lines are settled, all of it, and nothing else', () => {
  const freed: Uint8Array[] = []
  const lines = new LineBuffer(10_000, (bytes) => freed.push(bytes))
  const chunks = ['1\n2\n', `3\n"${'x'.repeat(5000)}`, `${'y'.repeat(5000)}"\n4`].map((text) => Buffer.from(text))
  const [first, second, third] = chunks as [Buffer, Buffer, Buffer]
  lines.add(first)
  const one = lines.peek(1, ALL) as Piece
  lines.settle(one)
  expect(freed).toEqual([])
  lines.settle(lines.peek(1, ALL) as Piece)
  expect(freed).toEqual([first])
  lines.add(second)
  lines.settle(lines.peek(1, ALL) as Piece)
  expect(freed).toEqual([first, second])
  lines.add(third)
  expect(taken(lines)).toEqual(['<too long>'])
  // The line's beginning was copied, and what it was put together in is done with, too.
  expect(freed.slice(2, 4).map(({ length }) => length)).toEqual([5001, third.length])
  expect(freed).toHaveLength(5)
})
