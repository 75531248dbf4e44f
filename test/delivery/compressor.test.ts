/** Compressed objects: one frame or member each, the bytes that went in, and the checksum of what came out. */

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import * as zlib from 'node:zlib'
import { createCompressor } from '../../src/delivery/compressor.ts'
import type { Compression } from '../../src/journal/layout.ts'
import { SeededRandom } from '../memory-platform.ts'

/** The length of the zstd frame at the start of `bytes` by its block headers (RFC 8878, 3.1.1), and whether it has a checksum. */
function zstdFrame(bytes: Buffer): { length: number; isChecked: boolean } {
  expect(bytes.readUInt32LE(0)).toBe(0xfd2fb528)
  const descriptor = bytes.readUInt8(4)
  const isSingleSegment = (descriptor >> 5) & 1
  const contentSizeBytes = [isSingleSegment, 2, 4, 8][descriptor >> 6] as number
  const hasChecksum = (descriptor >> 2) & 1
  expect(descriptor & 3).toBe(0)
  let at = 5 + (isSingleSegment ? 0 : 1) + contentSizeBytes
  for (;;) {
    const header = bytes.readUIntLE(at, 3)
    const isRunLength = ((header >> 1) & 3) === 1
    at += 3 + (isRunLength ? 1 : header >> 3)
    if (header & 1) return { length: at + 4 * hasChecksum, isChecked: hasChecksum === 1 }
  }
}

/** The length of the gzip member at the start of `bytes`: ten bytes, deflated data, eight bytes. */
function gzipMemberBytes(bytes: Buffer): number {
  expect([bytes.readUInt16BE(0), bytes.readUInt8(3)]).toEqual([0x1f8b, 0])
  for (let end = 18; end < bytes.length - 1; end++) {
    const isEnd = bytes.readUInt16BE(end) === 0x1f8b
    if (isEnd && succeeds(() => zlib.gunzipSync(bytes.subarray(0, end)))) return end
  }
  return bytes.length
}

function succeeds(act: () => unknown): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}

const OPEN: Record<Compression, (body: Uint8Array) => Buffer> = {
  none: (body) => Buffer.from(body),
  gzip: (body) => zlib.gunzipSync(body),
  zstd: (body) => zlib.zstdDecompressSync(body),
}

const KINDS: readonly Compression[] = ['none', 'gzip', 'zstd']

/** Chunks of all lengths that compress well, badly and not at all. */
function chunksOf(seed: number): Buffer[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: 30 }, (_, i) => {
    if (i % 3 === 0) return Buffer.from(random.bytes(random.below(100_000)))
    if (i % 3 === 1) return Buffer.alloc(random.below(600_000), `{"line":${i}}\n`)
    return Buffer.alloc(random.below(3))
  })
}

describe.each(KINDS)('%s', (kind) => {
  test('gives back what was written, in order, from memory that is used again after each write', async () => {
    const chunks = chunksOf(1)
    const compressor = createCompressor(kind)
    const reused = Buffer.alloc(700_000)
    for (const chunk of chunks) {
      chunk.copy(reused)
      await compressor.write(reused.subarray(0, chunk.length))
      reused.fill(0xaa)
    }
    const { body } = await compressor.end()
    expect(OPEN[kind](body.whole()).equals(Buffer.concat(chunks))).toBe(true)
  })

  test('says the SHA-256 of what comes out', async () => {
    const compressor = createCompressor(kind)
    for (const chunk of chunksOf(2)) await compressor.write(chunk)
    const { body, sha256 } = await compressor.end()
    expect(Buffer.from(sha256)).toEqual(createHash('sha256').update(body.whole()).digest())
    expect(sha256).toHaveLength(32)
  })

  test.each([1, 500, 300_000])(
    'has done a last chunk of %d bytes by the end, alone or behind others',
    async (bytes) => {
      const last = Buffer.alloc(bytes, '{"line":1}\n')
      for (const before of [[], chunksOf(1)]) {
        const compressor = createCompressor(kind)
        for (const chunk of before) await compressor.write(chunk)
        const reused = Buffer.from(last)
        const { body, sha256, release } = await compressor.end(reused)
        reused.fill(0xaa)
        expect(OPEN[kind](body.whole()).equals(Buffer.concat([...before, last]))).toBe(true)
        expect(Buffer.from(sha256)).toEqual(createHash('sha256').update(body.whole()).digest())
        release()
      }
    },
  )

  test('is given up at any time, and others are none the worse for it', async () => {
    const [first = Buffer.alloc(0)] = chunksOf(1)
    for (const chunks of [[], [first]]) {
      const compressor = createCompressor(kind)
      for (const chunk of chunks) void compressor.write(chunk)
      compressor.abandon()
    }
    const other = createCompressor(kind)
    await other.write(first)
    expect(OPEN[kind]((await other.end()).body.whole()).equals(first)).toBe(true)
  })

  test('makes an object of nothing that opens to nothing', async () => {
    const { body } = await createCompressor(kind).end()
    expect(OPEN[kind](body.whole())).toHaveLength(0)
  })
})

test.each([false, true])(
  'a zstd object is one frame, however much is written; with a checksum: %p',
  async (isChecked) => {
    const compressor = createCompressor('zstd', isChecked)
    for (const chunk of chunksOf(3)) await compressor.write(chunk)
    const body = Buffer.from((await compressor.end()).body.whole())
    expect(body.length).toBeGreaterThan(500_000)
    expect(zstdFrame(body)).toEqual({ length: body.length, isChecked })
    const whole = Buffer.from((await createCompressor('zstd', isChecked).end(Buffer.alloc(9999, 'lines'))).body.whole())
    expect(zstdFrame(whole)).toEqual({ length: whole.length, isChecked })
  },
)

test('a gzip object is one member, however much is written', async () => {
  const compressor = createCompressor('gzip')
  for (const chunk of chunksOf(4)) await compressor.write(chunk)
  const body = Buffer.from((await compressor.end()).body.whole())
  expect(body.length).toBeGreaterThan(500_000)
  expect(gzipMemberBytes(body)).toBe(body.length)
  expect(gzipMemberBytes(Buffer.concat([zlib.gzipSync('first'), body.subarray(0, 100)]))).toBeLessThan(100)
})

test.each(KINDS)('a body stays as it is until it is released, whatever is made meanwhile: %s', async (kind) => {
  const made = async (seed: number) => {
    const compressor = createCompressor(kind)
    const chunks = chunksOf(seed)
    for (const chunk of chunks) await compressor.write(chunk)
    const compressed = await compressor.end()
    return { ...compressed, isWhole: () => OPEN[kind](compressed.body.whole()).equals(Buffer.concat(chunks)) }
  }
  const [first, second] = [await made(6), await made(7)]
  expect(first.body.pieces.length).toBeGreaterThan(1)
  expect(first.body.pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(first.body.length)
  first.release()
  // Its memory is given back at once, and not when a collector finds it.
  expect(first.body.pieces.map(({ buffer }) => buffer.byteLength)).toEqual(first.body.pieces.map(() => 0))
  const third = await made(8)
  expect([second, third].map(({ isWhole }) => isWhole())).toEqual([true, true])
})

test.each(KINDS)('a body holds little more memory than its length, however short it is: %s', async (kind) => {
  const random = new SeededRandom(9)
  for (const noise of [0, 100, 20_000, 70_000, 300_000]) {
    const compressor = createCompressor(kind)
    const chunks = [Buffer.from(random.bytes(noise)), Buffer.alloc(600_000, '{"line":1}\n'), Buffer.from('end')]
    for (const chunk of chunks) await compressor.write(chunk)
    const { body, sha256 } = await compressor.end()
    const buffers = new Set(body.pieces.map(({ buffer }) => buffer))
    const memoryBytes = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
    expect(memoryBytes).toBeLessThanOrEqual(4 * body.length)
    expect(OPEN[kind](body.whole()).equals(Buffer.concat(chunks))).toBe(true)
    expect(Buffer.from(sha256)).toEqual(createHash('sha256').update(body.whole()).digest())
  }
})

test('the same chunks make the same bytes', async () => {
  for (const kind of KINDS) {
    const bodies: Uint8Array[] = []
    for (let repeat = 0; repeat < 2; repeat++) {
      const compressor = createCompressor(kind)
      for (const chunk of chunksOf(5)) await compressor.write(chunk)
      bodies.push((await compressor.end()).body.whole())
    }
    expect(Buffer.from(bodies[0] ?? []).equals(Buffer.from(bodies[1] ?? []))).toBe(true)
  }
})
