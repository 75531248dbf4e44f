/** Reads a request's body: within its time, within the bound on one body, within the memory set aside for all of them. */

import { type Admission, UNDECLARED_BYTES } from './admission.ts'
import type { BodyPlace } from './body-room.ts'
import { decodeBody } from './content-encoding.ts'
import type { Refusal } from './problem.ts'

/** What reading needs. */
export interface BodyContext {
  admission: Admission
  bodyBytesMax: number
}

/** What one request has set aside of the memory for bodies. */
export interface Charge {
  /** Set aside before reading: the length that the request declares, where it does. */
  entered: number
  /** Set aside since. */
  grown: number
  isDeclared: boolean
  /** Of a long body. */
  place: BodyPlace | undefined
}

const ENCODINGS = 'gzip, deflate, br, zstd'
/** Sent where the rest of a body is not going to be read. */
export const CLOSE = { connection: 'close' }

/** Sets memory aside for a body by the length that it declares (undefined for none), or refuses it before reading. */
export function enter(length: number | undefined, { admission, bodyBytesMax }: BodyContext): Charge | Refusal {
  const isDeclared = length !== undefined
  const entered = length ?? UNDECLARED_BYTES
  if (isDeclared && entered > bodyBytesMax) return tooLarge(bodyBytesMax)
  return admission.enter(entered) ?? { entered, grown: 0, isDeclared, place: undefined }
}

/** Whether a body is what it declares and nothing has to be done to it: the usual case, and the quick one. */
export function isPlain(request: Request, charge: Charge): boolean {
  return charge.isDeclared && request.headers.get('content-encoding') === null
}

/** The decoded body, or why there is none. Rejects when the client goes away. */
export async function readBody(request: Request, context: BodyContext, charge: Charge): Promise<Uint8Array | Refusal> {
  const received = charge.isDeclared
    ? new Uint8Array(await request.arrayBuffer())
    : await receiveChunks(request, context, charge)
  const encoding = request.headers.get('content-encoding')
  return encoding === null || 'code' in received ? received : await decode(received, encoding, context, charge)
}

/** Undoes a body's Content-Encoding; what comes out is set aside, too. */
export async function decode(
  body: Uint8Array,
  encoding: string,
  { admission, bodyBytesMax }: BodyContext,
  charge: Charge,
): Promise<Uint8Array | Refusal> {
  const decoded = await decodeBody(body, encoding, bodyBytesMax)
  if (decoded.kind === 'ok') {
    return grow(admission, charge, Math.max(0, decoded.bytes.length - body.length)) ?? decoded.bytes
  }
  if (decoded.kind === 'too-large') return tooLarge(bodyBytesMax)
  if (decoded.kind === 'corrupt') return { code: 'corrupt_encoding', detail: `${encoding}: ${decoded.reason}` }
  const detail = `'${encoding}' is not one of ${ENCODINGS}, or more than one was applied`
  return { code: 'unsupported_encoding', detail, headers: { 'accept-encoding': ENCODINGS } }
}

/** A body without a declared length: counted as it comes, because nobody knows how long it gets. */
async function receiveChunks(request: Request, context: BodyContext, charge: Charge): Promise<Uint8Array | Refusal> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = request.body?.getReader()
  for (;;) {
    const chunk = await reader?.read()
    if (chunk?.value === undefined) break
    bytes += chunk.value.length
    const refusal =
      bytes > context.bodyBytesMax
        ? tooLarge(context.bodyBytesMax)
        : grow(context.admission, charge, Math.max(0, bytes - UNDECLARED_BYTES - charge.grown))
    if (refusal) {
      await reader?.cancel()
      return refusal
    }
    chunks.push(chunk.value)
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, bytes)
}

function grow(admission: Admission, charge: Charge, bytes: number): Refusal | undefined {
  const refusal = admission.grow(bytes)
  if (!refusal) charge.grown += bytes
  return refusal
}

function tooLarge(bodyBytesMax: number): Refusal {
  // The connection stays open: a client that is still sending would take a reset for a fault of the network, and repeat.
  return { code: 'body_too_large', detail: `the body is longer than ${bodyBytesMax} bytes` }
}
