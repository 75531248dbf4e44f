/** A coded body comes out whole or not at all: never a part of it, never more than the bound, never a tail unseen. */

import { describe, expect, spyOn, test } from 'bun:test'
import zlib, { constants } from 'node:zlib'
import { type DecodedBody, decodeBody } from '../../src/intake/content-encoding.ts'
import { seeded } from '../seeded.ts'

const bytesMax = 1024 * 1024

/** By test name: the header's value and the encoder. */
const codings: Record<string, { header: string; encode: (bytes: Uint8Array) => Uint8Array }> = {
  gzip: { header: 'gzip', encode: (bytes) => zlib.gzipSync(bytes) },
  deflate: { header: 'deflate', encode: (bytes) => zlib.deflateSync(bytes) },
  'deflate without its wrapping': { header: 'deflate', encode: (bytes) => zlib.deflateRawSync(bytes) },
  br: {
    header: 'br',
    encode: (bytes) => zlib.brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  },
  zstd: { header: 'zstd', encode: (bytes) => zlib.zstdCompressSync(bytes) },
  'zstd with a checksum': {
    header: 'zstd',
    encode: (bytes) => zlib.zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  },
}

const random = seeded(1)
const small = Buffer.from(JSON.stringify(Array.from({ length: 20 }, (_, id) => ({ id, at: random.unit() }))))
/** Its coded forms are past the bound up to which decoding is synchronous. */
const big = Buffer.from(
  JSON.stringify(Array.from({ length: 14_000 }, (_, id) => ({ id, at: random.unit(), x: random.unit() }))),
)
/** Codes to next to nothing, decodes to more than is decoded synchronously. */
const swelling = Buffer.alloc(600_000, 0x20)

function concat(...parts: (Uint8Array | number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)))
}

async function kindOf(bytes: Uint8Array, header: string | null, max = bytesMax): Promise<DecodedBody['kind']> {
  return (await decodeBody(bytes, header, max)).kind
}

/** What has to be true of a body of 'ok'. */
async function expectWhole(bytes: Uint8Array, header: string, content: Uint8Array, max = bytesMax): Promise<void> {
  const decoded = await decodeBody(bytes, header, max)
  if (decoded.kind !== 'ok') throw new Error(`${header}: ${JSON.stringify(decoded)}`)
  expect(Buffer.compare(decoded.bytes, content)).toBe(0)
}

for (const [name, { header, encode }] of Object.entries(codings)) {
  describe(name, () => {
    test('gives back bodies of every size, of which only the small are decoded at once', async () => {
      expect(encode(big).length).toBeGreaterThan(64 * 1024)
      expect(encode(swelling).length).toBeLessThan(2_000)
      for (const content of [Buffer.alloc(0), Buffer.from('1'), small, big, swelling]) {
        await expectWhole(encode(content), header, content)
      }
      expect(decodeBody(encode(small), header, bytesMax)).not.toBeInstanceOf(Promise)
      expect(decodeBody(encode(big), header, bytesMax)).toBeInstanceOf(Promise)
      expect(decodeBody(encode(swelling), header, bytesMax)).toBeInstanceOf(Promise)
    })

    test('holds to the bound on decoded bytes, to the byte', async () => {
      for (const content of [small, big, swelling]) {
        const coded = encode(content)
        await expectWhole(coded, header, content, content.length)
        expect(await kindOf(coded, header, content.length - 1)).toBe('too-large')
        expect(await kindOf(coded, header, 10)).toBe('too-large')
      }
    })

    test('of 256 MiB is refused without taking that memory', async () => {
      const coded = encode(Buffer.alloc(256 * 1024 * 1024))
      Bun.gc(true)
      const before = process.memoryUsage.rss()
      expect(await kindOf(coded, header)).toBe('too-large')
      expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024)
    })

    test('is corrupt when cut off anywhere', async () => {
      const coded = encode(small)
      for (let length = 0; length < coded.length; length++) {
        expect([length, await kindOf(coded.subarray(0, length), header)]).toEqual([length, 'corrupt'])
      }
      for (const content of [big, swelling]) {
        const coded = encode(content)
        for (const missing of [1, 2, 4, 5, 9, 100, coded.length >>> 1]) {
          if (missing >= coded.length) continue
          expect([missing, await kindOf(coded.subarray(0, -missing), header)]).toEqual([missing, 'corrupt'])
        }
      }
    })

    test('is corrupt with anything after its end', async () => {
      for (const content of [small, big, swelling]) {
        const coded = encode(content)
        for (const tail of [
          [0],
          [0x0a],
          [1, 2, 3],
          [0, 0, 0, 0, 0, 0, 0, 0, 0],
          Buffer.from('garbage, and more of it'),
        ]) {
          expect([[...tail], await kindOf(concat(coded, tail), header)]).toEqual([[...tail], 'corrupt'])
        }
        expect(await kindOf(concat(coded, coded.subarray(0, -1)), header, 4 * bytesMax)).toBe('corrupt')
      }
    })

    test('is corrupt, or too large, when it is noise', async () => {
      for (let round = 0; round < 300; round++) {
        expect(await kindOf(random.bytes(1 + random.below(300)), header)).toMatch(/^(corrupt|too-large)$/)
      }
    })

    test('never rejects or throws on damage', async () => {
      const coded = encode(small)
      for (let round = 0; round < 500; round++) {
        const damaged = Uint8Array.from(coded)
        damaged[random.below(damaged.length)] = random.below(256)
        expect(await kindOf(damaged, header)).toMatch(/^(ok|corrupt|too-large)$/)
      }
    })
  })
}

test('gzip of several members is all of them', async () => {
  await expectWhole(concat(zlib.gzipSync(small), zlib.gzipSync(''), zlib.gzipSync(big)), 'gzip', concat(small, big))
  const damaged = Uint8Array.from(zlib.gzipSync(small))
  damaged[damaged.length - 8] = (damaged.at(-8) as number) ^ 1
  expect(await decodeBody(damaged, 'gzip', bytesMax)).toEqual({ kind: 'corrupt', reason: 'incorrect data check' })
})

test('deflate with and without its wrapping is told apart, whatever the content and the level', async () => {
  for (let round = 0; round < 400; round++) {
    const content = random.bytes(random.below(100))
    const level = round % 10
    await expectWhole(zlib.deflateRawSync(content, { level }), 'deflate', content)
    await expectWhole(zlib.deflateSync(content, { level }), 'deflate', content)
  }
})

describe('the header', () => {
  const gzipped = zlib.gzipSync(small)

  test('is read in any case, with white space around it', async () => {
    for (const header of ['gzip', 'GZIP', 'x-gzip', 'X-GZip', ' gzip ', '\tgzip'])
      await expectWhole(gzipped, header, small)
    await expectWhole(zlib.brotliCompressSync(small), 'BR', small)
    await expectWhole(zlib.zstdCompressSync(small), 'Zstd', small)
    await expectWhole(zlib.deflateSync(small), 'Deflate', small)
  })

  test('without a coding leaves the body as it is, within the bound', () => {
    for (const header of [null, '', ' ', 'identity', 'Identity']) {
      expect(decodeBody(gzipped, header, bytesMax)).toEqual({ kind: 'ok', bytes: gzipped })
      expect(decodeBody(gzipped, header, gzipped.length)).toEqual({ kind: 'ok', bytes: gzipped })
      expect(decodeBody(gzipped, header, gzipped.length - 1)).toEqual({ kind: 'too-large' })
      expect(decodeBody(new Uint8Array(0), header, bytesMax)).toEqual({ kind: 'ok', bytes: new Uint8Array(0) })
    }
  })

  test('with another coding, or more than one, is unsupported', () => {
    const headers = [
      'compress',
      'gzip, br',
      'gzip,gzip',
      'gzip, identity',
      ',gzip',
      'gzip;q=1',
      'toString',
      'constructor',
      '*',
    ]
    for (const header of headers) {
      expect([header, decodeBody(gzipped, header, bytesMax)]).toEqual([header, { kind: 'unsupported' }])
    }
  })
})

test('of many big bodies at once only two are decoded: the others wait in their coded form', async () => {
  const coded = zlib.gzipSync(swelling)
  const gunzip = zlib.gunzip as (...all: unknown[]) => void
  let underWay = 0
  let most = 0
  const spy = spyOn(zlib, 'gunzip').mockImplementation(((bytes: Uint8Array, options: object, done: () => void) => {
    most = Math.max(most, ++underWay)
    gunzip(bytes, options, (...results: []) => {
      underWay -= 1
      done(...results)
    })
  }) as never)
  const all = await Promise.all(Array.from({ length: 20 }, () => decodeBody(coded, 'gzip', bytesMax)))
  spy.mockRestore()
  expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['ok']))
  expect(most).toBe(2)
})
