/** Undoes a compression: pieces of an object in, its lines out, in pieces that are never all in memory. */

import * as zlib from 'node:zlib'
import type { Compression } from '../journal/layout.ts'

const OUTPUT_CHUNK_BYTES = 256 * 1024

/** Takes an object's pieces one at a time. What is no such compression is no fault, and said at the end. */
export interface Decompressor {
  /** Resolves when the piece's memory may be used again, and what came of it was handed on. */
  write(piece: Uint8Array): Promise<void>
  /** Ends the object; false when its bytes are not of this compression, or stop before their end. */
  end(): Promise<boolean>
}

/** A decompressor for one object; `take` gets its lines and keeps none of that memory. */
export function createDecompressor(compression: Compression, take: (plain: Uint8Array) => void): Decompressor {
  if (compression === 'none') return { write: async (piece) => take(piece), end: async () => true }
  const options = { chunkSize: OUTPUT_CHUNK_BYTES }
  const stream = compression === 'gzip' ? zlib.createGunzip(options) : zlib.createZstdDecompress(options)
  const over = new Promise<boolean>((resolve) => {
    stream.once('end', () => resolve(true))
    stream.once('error', () => resolve(false))
  })
  stream.on('data', take)
  return {
    async write(piece) {
      await Promise.race([over, new Promise<void>((resolve) => stream.write(piece, () => resolve()))])
    },
    end() {
      stream.end()
      return over
    },
  }
}
