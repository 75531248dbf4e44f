/** The outline of a zstd body (RFC 8878): do its frames cover it exactly, and what do they ask of the decoder. */

/** What the frames declare, or why the bytes are not whole frames. */
export type ZstdOutline =
  | {
      kind: 'whole'
      /** The largest window a frame needs, in bytes: memory that the decoder takes at once. */
      windowBytesMax: number
      /** The sum of the content sizes that frames declare, in bytes; frames needn't, so the content may be longer. */
      contentBytes: number
    }
  | { kind: 'broken'; reason: string }

const MAGIC = 0xfd2fb528
/** The lowest of the sixteen magic numbers of skippable frames. */
const MAGIC_SKIPPABLE = 0x184d2a50
const BLOCK_RLE = 1
const BLOCK_RESERVED = 3
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const
/** By the frame's content size flag; the first is 1 where the frame has a single segment. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const

/**
 * Walks the headers of frames and blocks without decoding. The decoder returns what it has when its input stops in
 * the middle of a frame, as if that were all: only the outline tells a whole body from one that was cut off.
 */
export function zstdOutline(bytes: Uint8Array): ZstdOutline {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let windowBytesMax = 0
  let contentBytes = 0
  let at = 0
  if (bytes.length === 0) return broken('it is empty')
  while (at < bytes.length) {
    if (at + 8 > bytes.length) return at === 0 ? broken('it is cut off') : broken('bytes after the last frame')
    const magic = view.getUint32(at, true)
    if ((magic & ~0xf) >>> 0 === MAGIC_SKIPPABLE) {
      at += 8 + view.getUint32(at + 4, true)
      if (at > bytes.length) return broken('it is cut off')
      continue
    }
    if (magic !== MAGIC) return at === 0 ? broken('it is not zstd') : broken('bytes after the last frame')

    const descriptor = view.getUint8(at + 4)
    if ((descriptor & 0x08) !== 0) return broken('a reserved bit is set in a frame header')
    const isSingleSegment = (descriptor & 0x20) !== 0
    const windowAt = at + 5
    const dictionaryAt = windowAt + (isSingleSegment ? 0 : 1)
    const contentSizeAt = dictionaryAt + DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3]
    const contentSizeBytes = CONTENT_SIZE_BYTES[(descriptor >>> 6) as 0 | 1 | 2 | 3] || (isSingleSegment ? 1 : 0)
    if (contentSizeAt + contentSizeBytes > bytes.length) return broken('it is cut off')
    const declared = contentSize(view, contentSizeAt, contentSizeBytes)
    contentBytes += declared
    windowBytesMax = Math.max(windowBytesMax, isSingleSegment ? declared : windowSize(view.getUint8(windowAt)))

    const end = blocksEnd(bytes, contentSizeAt + contentSizeBytes)
    if (typeof end === 'string') return broken(end)
    at = end + ((descriptor & 0x04) !== 0 ? 4 : 0)
    if (at > bytes.length) return broken('it is cut off')
  }
  return { kind: 'whole', windowBytesMax, contentBytes }
}

/** The index after the last block of the frame whose blocks start at `at`, or what is wrong. */
function blocksEnd(bytes: Uint8Array, at: number): number | string {
  let next = at
  for (;;) {
    if (next + 3 > bytes.length) return 'it is cut off'
    const header = (bytes[next] as number) | ((bytes[next + 1] as number) << 8) | ((bytes[next + 2] as number) << 16)
    const type = (header >>> 1) & 3
    if (type === BLOCK_RESERVED) return 'a block has a reserved type'
    next += 3 + (type === BLOCK_RLE ? 1 : header >>> 3)
    if (next > bytes.length) return 'it is cut off'
    if ((header & 1) === 1) return next
  }
}

/** RFC 8878, 3.1.1.1.2: an exponent above 2^10 and a mantissa in eighths. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3))
  return base + (base / 8) * (descriptor & 7)
}

/** RFC 8878, 3.1.1.1.4; 0 where the frame doesn't say. */
function contentSize(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes === 0) return 0
  if (lengthBytes === 1) return view.getUint8(at)
  if (lengthBytes === 2) return view.getUint16(at, true) + 256
  if (lengthBytes === 4) return view.getUint32(at, true)
  return Number(view.getBigUint64(at, true))
}

function broken(reason: string): ZstdOutline {
  return { kind: 'broken', reason }
}
