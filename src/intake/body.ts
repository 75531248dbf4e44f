/** Reads a request's body: within its time, within the bound on one body, within the memory set aside for all of them. */

import { type Admission, UNDECLARED_BYTES } from './admission.ts'
import { decodeBody } from './content-encoding.ts'
import type { Deadlines } from './deadlines.ts'
import type { Refusal } from './problem.ts'

/** What reading needs. */
export interface BodyContext {
  admission: Admission
  deadlines: Deadlines
  bodyBytesMax: number
}

/** What one request has set aside of the memory for bodies. */
export interface Charge {
  entered: number
  grown: number
}

const ENCODINGS = 'gzip, deflate, br, zstd'
/** Sent where the rest of a body is not going to be read. */
const CLOSE = { connection: 'close' }

/** Sets memory aside for a request by what it declares, or refuses it before reading. */
export function enter(request: Request, { admission, bodyBytesMax }: BodyContext): Charge | Refusal {
  const length = request.headers.get('content-length')
  const entered = length === null ? UNDECLARED_BYTES : Number(length)
  if (length !== null && entered > bodyBytesMax) return tooLarge(bodyBytesMax)
  return admission.enter(entered) ?? { entered, grown: 0 }
}

/** The decoded body, or why there is none. Rejects when the client goes away. */
export async function readBody(request: Request, context: BodyContext, charge: Charge): Promise<Uint8Array | Refusal> {
  const { deadlines, bodyBytesMax } = context
  const declared = request.headers.get('content-length') !== null
  const received = declared ? receiveWhole(request) : receiveChunks(request, context, charge)
  const body = await deadlines.within(received)
  if (body === 'late') {
    return { code: 'body_timeout', detail: `the body took longer than ${deadlines.limitMs} ms`, headers: CLOSE }
  }
  if ('code' in body) return body
  const encoding = request.headers.get('content-encoding')
  if (encoding === null) return body
  const decoded = await decodeBody(body, encoding, bodyBytesMax)
  if (decoded.kind === 'ok') {
    return grow(context.admission, charge, Math.max(0, decoded.bytes.length - body.length)) ?? decoded.bytes
  }
  if (decoded.kind === 'too-large') return tooLarge(bodyBytesMax)
  if (decoded.kind === 'corrupt') return { code: 'corrupt_encoding', detail: `${encoding}: ${decoded.reason}` }
  const detail = `'${encoding}' is not one of ${ENCODINGS}, or more than one was applied`
  return { code: 'unsupported_encoding', detail, headers: { 'accept-encoding': ENCODINGS } }
}

async function receiveWhole(request: Request): Promise<Uint8Array> {
  return new Uint8Array(await request.arrayBuffer())
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
      return { ...refusal, headers: CLOSE }
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
  return { code: 'body_too_large', detail: `the body is longer than ${bodyBytesMax} bytes`, headers: CLOSE }
}
