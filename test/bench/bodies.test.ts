/** What the load is made of. */

import { expect, test } from 'bun:test'
import { constants, zstdCompressSync } from 'node:zlib'
import { makeBodies } from '../../bench/bodies.ts'

test('bodies are the same every time, and have the payloads they should', () => {
  for (const payloadsEach of [1, 100, 10_000]) {
    const bodies = makeBodies(payloadsEach)
    expect(makeBodies(payloadsEach)).toEqual(bodies)
    for (const body of bodies.slice(0, 5)) expect(JSON.parse(body).data).toHaveLength(payloadsEach)
  }
})

test('sent twice they are twice as long compressed: nobody finds one again', () => {
  const bytesOf = (text: string) =>
    zstdCompressSync(Buffer.from(text), { params: { [constants.ZSTD_c_compressionLevel]: 1 } }).length
  for (const payloadsEach of [1, 100]) {
    const text = makeBodies(payloadsEach).join('\n')
    expect(bytesOf(text + text) / bytesOf(text)).toBeGreaterThan(1.99)
  }
})
