/**
 * A name that is taken at the destination, and what is there: this object, put by an earlier try or an earlier process; or
 * another one, which a copy of this data directory has put. Whoever called that one stored would lose this one's payloads.
 */

import { createHash } from 'node:crypto'
import type { Destination, OutgoingObject } from '../destination/destination.ts'
import type { Compression, ObjectFormat } from '../journal/layout.ts'
import type { Decompressor } from './decompressor.ts'

const LF = 0x0a

/** A stored object as it is at the destination. */
export interface There {
  bytes: number
  sha256: Uint8Array
  /** How many lines follow this object's own: those of a last frame that nobody was promised, and that is gone now. */
  linesBeyond: number
  /** Which of several places it is at. */
  at?: string
}

/** What there is to say of a name that is taken. */
export type Looked =
  | { kind: 'stored'; there: There }
  /** It could not be seen now, or is not there after all: put it again. */
  | { kind: 'retry'; reason: string }
  /** It is another object, or nobody can tell: somebody has to see to this one, whatever becomes of others. */
  | { kind: 'taken'; reason: string }

/** What looking needs. */
export interface LookContext {
  destination: Destination
  /** `createDecompressor`. */
  decompress: (compression: Compression, take: (plain: Uint8Array) => void) => Decompressor
  format: ObjectFormat
  signal: AbortSignal
}

/** Looks at what is there under the name of an object. Holds no more of it than a piece. */
export async function lookAtTaken(object: OutgoingObject, context: LookContext): Promise<Looked> {
  const { destination, format, signal } = context
  const digest = createHash('sha256')
  const found = await destination.read(object.name, (piece) => void digest.update(piece), signal)
  if (found.kind === 'found' && digest.digest().equals(object.sha256)) return { kind: 'stored', there: asPut(object) }
  if (found.kind !== 'found' || format === 'payload') return judged(object, found, undefined, destination)
  // Other bytes can be the same lines: another version compresses otherwise, and a tail may have been there once.
  const own = new PlainBytes(Number.POSITIVE_INFINITY)
  const ownBytes = context.decompress(object.contentEncoding ?? 'none', (plain) => own.add(plain))
  for (const piece of object.body.pieces) await ownBytes.write(piece)
  await ownBytes.end()
  const other = new PlainBytes(own.bytes)
  const otherBytes = context.decompress(object.contentEncoding ?? 'none', (plain) => other.add(plain))
  const hash = createHash('sha256')
  const take = async (piece: Uint8Array) => {
    hash.update(piece)
    await otherBytes.write(piece)
  }
  const read = await destination.read(object.name, take, signal)
  const isWhole = await otherBytes.end()
  if (read.kind !== 'found') return judged(object, read, undefined, destination)
  const there = { bytes: read.bytes, sha256: hash.digest(), linesBeyond: other.linesBeyond }
  return judged(object, read, isWhole && other.beginsWith(own) ? there : undefined, destination)
}

function judged(
  { name, body }: OutgoingObject,
  found: Awaited<ReturnType<Destination['read']>>,
  there: There | undefined,
  { url }: Destination,
): Looked {
  if (there) return { kind: 'stored', there }
  if (found.kind === 'missing') return { kind: 'retry', reason: `${url}/${name} is said to be there, and is not` }
  if (found.kind === 'failed') {
    const reason = `${url}/${name} is there, and whether it is this object can not be seen: ${found.reason}`
    return { kind: found.passing ? 'retry' : 'taken', reason }
  }
  const reason =
    `${url}/${name} is there with other content (${found.bytes} bytes, this one has ${body.length}): another copy of this ` +
    'data directory has delivered to the same place. Move that object away, and this one is stored'
  return { kind: 'taken', reason }
}

/** What is at the destination once an object was put. */
export function asPut({ body, sha256 }: OutgoingObject): There {
  return { bytes: body.length, sha256, linesBeyond: 0 }
}

/** An object's lines as they come: a checksum of the first `most` bytes, and how many lines end behind them. */
class PlainBytes {
  bytes = 0
  linesBeyond = 0
  readonly #most: number
  readonly #hash = createHash('sha256')

  constructor(most: number) {
    this.#most = most
  }

  add(piece: Uint8Array): void {
    const own = Math.min(piece.length, Math.max(0, this.#most - this.bytes))
    this.bytes += piece.length
    this.#hash.update(piece.subarray(0, own))
    for (let at = piece.indexOf(LF, own); at >= 0; at = piece.indexOf(LF, at + 1)) this.linesBeyond += 1
  }

  /** To be asked once, when both are complete, of one whose `most` is the other's length. */
  beginsWith(other: PlainBytes): boolean {
    return this.bytes >= other.bytes && this.#hash.digest().equals(other.#hash.digest())
  }
}
