/** Undoes a body's Content-Encoding, within a bound on what comes out, and refuses what is cut off or has a tail. */

import zlib from 'node:zlib'
import { zstdOutline } from './zstd-frames.ts'

/** A body without its coding, or why there is none. `reason` is a phrase about the body for its sender. */
export type DecodedBody =
  | { kind: 'ok'; bytes: Uint8Array }
  | { kind: 'too-large' }
  | { kind: 'unsupported' }
  | { kind: 'corrupt'; reason: string }

/** One coding's two ways to decode; `info` makes both tell how many bytes they consumed. */
interface Decoder {
  now(bytes: Uint8Array, options: DecoderOptions): unknown
  later(bytes: Uint8Array, options: DecoderOptions, done: (error: Error | null, decoded: unknown) => void): void
}

interface DecoderOptions {
  info: true
  maxOutputLength: number
  chunkSize: number
}

/** What a decoder returns with `info: true`; the types of node:zlib don't say so. */
interface Informed {
  buffer: Uint8Array
  engine: { bytesWritten: number }
}

/** Both bounds together keep the event loop's longest stop near a millisecond; past either, the thread pool decodes. */
const SYNC_INPUT_BYTES_MAX = 64 * 1024
const SYNC_OUTPUT_BYTES_MAX = 256 * 1024
/** How much is decoded between two allocations: a small body's few kilobytes, or a big one in few hops to the pool. */
const SYNC_CHUNK_BYTES = 16 * 1024
const ASYNC_CHUNK_BYTES = 256 * 1024
/** RFC 9659: the largest window that this coding may use in HTTP. */
const ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024

/** How many big bodies are decoded at once; the others wait in their coded form, which is what memory was set aside for. */
const BIG_DECODES_MAX = 2

const gzip: Decoder = { now: zlib.gunzipSync, later: (...all) => zlib.gunzip(...all) }
const deflate: Decoder = { now: zlib.inflateSync, later: zlib.inflate }
const deflateRaw: Decoder = { now: zlib.inflateRawSync, later: zlib.inflateRaw }
const br: Decoder = { now: zlib.brotliDecompressSync, later: zlib.brotliDecompress }
const zstd: Decoder = { now: zlib.zstdDecompressSync, later: zlib.zstdDecompress }

/**
 * Decodes `bytes` by the value of a Content-Encoding header (null, empty or `identity`: as they are). One coding only,
 * in any case. More than `bytesMax` decoded bytes are too large, found without holding more than about that many. A
 * small body is decoded at once; for a big one, or a small one that swells, the result is a promise, never rejected:
 * `bytes` must stay as they are until then.
 */
export function decodeBody(
  bytes: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): DecodedBody | Promise<DecodedBody> {
  const coding = encoding === null ? '' : encoding.trim().toLowerCase()
  if (coding === '' || coding === 'identity') {
    return bytes.length > bytesMax ? { kind: 'too-large' } : { kind: 'ok', bytes }
  }
  const decoder = decoderFor(coding, bytes)
  if (!decoder) return { kind: 'unsupported' }
  if (bytes.length === 0) return { kind: 'corrupt', reason: 'it is empty' }
  const refused = decoder === zstd ? refuseZstd(bytes, bytesMax) : undefined
  if (refused) return refused
  if (bytes.length > SYNC_INPUT_BYTES_MAX) return decodeLater(decoder, bytes, bytesMax)
  const now = decodeNow(decoder, bytes, Math.min(bytesMax, SYNC_OUTPUT_BYTES_MAX))
  return now.kind === 'too-large' && bytesMax > SYNC_OUTPUT_BYTES_MAX ? decodeLater(decoder, bytes, bytesMax) : now
}

function decoderFor(coding: string, bytes: Uint8Array): Decoder | undefined {
  if (coding === 'gzip' || coding === 'x-gzip') return gzip
  if (coding === 'deflate') return hasZlibHeader(bytes) ? deflate : deflateRaw
  if (coding === 'br') return br
  if (coding === 'zstd') return zstd
  return undefined
}

/**
 * RFC 9110 says that `deflate` has the zlib wrapping, and some clients send it without. A raw stream can't start like a
 * zlib header unless its encoder puts bits into the padding of a stored block.
 */
function hasZlibHeader(bytes: Uint8Array): boolean {
  const [method = 0, flags = 0] = bytes
  return (method & 0x0f) === 8 && ((method << 8) | flags) % 31 === 0
}

function refuseZstd(bytes: Uint8Array, bytesMax: number): DecodedBody | undefined {
  const outline = zstdOutline(bytes)
  if (outline.kind === 'broken') return { kind: 'corrupt', reason: outline.reason }
  if (outline.contentBytes > bytesMax) return { kind: 'too-large' }
  // A frame of one segment has a window as long as its content, which may well take what a body may take.
  if (outline.windowBytesMax > Math.max(ZSTD_WINDOW_BYTES_MAX, bytesMax)) {
    return { kind: 'corrupt', reason: `its window is larger than ${ZSTD_WINDOW_BYTES_MAX} bytes` }
  }
  return undefined
}

function decodeNow(decoder: Decoder, bytes: Uint8Array, bytesMax: number): DecodedBody {
  try {
    return whole(decoder.now(bytes, options(bytesMax, SYNC_CHUNK_BYTES)), bytes.length)
  } catch (error) {
    return failed(error)
  }
}

let bigDecodes = 0
/** Those whose turn it isn't, in the order they came. */
const waiting: (() => void)[] = []

async function decodeLater(decoder: Decoder, bytes: Uint8Array, bytesMax: number): Promise<DecodedBody> {
  if (bigDecodes === BIG_DECODES_MAX) await new Promise<void>((resolve) => waiting.push(resolve))
  else bigDecodes += 1
  const decoded = await new Promise<DecodedBody>((resolve) => {
    decoder.later(bytes, options(bytesMax, ASYNC_CHUNK_BYTES), (error, decoded) => {
      resolve(error ? failed(error) : whole(decoded, bytes.length))
    })
  })
  // Handed on to the next in line, or given back.
  const next = waiting.shift()
  if (next) next()
  else bigDecodes -= 1
  return decoded
}

function options(bytesMax: number, chunkSize: number): DecoderOptions {
  return { info: true, maxOutputLength: bytesMax, chunkSize }
}

/** The decoders stop without a word where the stream says that it ends, and leave what follows. */
function whole(decoded: unknown, lengthBytes: number): DecodedBody {
  const { buffer, engine } = decoded as Informed
  if (engine.bytesWritten !== lengthBytes) return { kind: 'corrupt', reason: 'bytes after the end of the stream' }
  return { kind: 'ok', bytes: buffer }
}

function failed(error: unknown): DecodedBody {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too-large' }
  if (code === 'Z_BUF_ERROR') return { kind: 'corrupt', reason: 'it is cut off' }
  return { kind: 'corrupt', reason: message }
}
