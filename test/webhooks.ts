/** Real input: every example of GitHub's webhooks, posted in every shape and encoding, and what must come back. */

import { expect } from 'bun:test'
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import webhooks from '@octokit/webhooks-examples'
import type { Millrace } from './millrace.ts'
import type { Line } from './objects.ts'

/** What was posted: receipt → the payloads' texts as they have to stand in the objects, in order. */
export type Posted = Map<string, string[]>

const ENCODERS: Readonly<Record<string, (text: string) => Uint8Array<ArrayBuffer>>> = {
  identity: (text) => new Uint8Array(Buffer.from(text)),
  gzip: (text) => gzipSync(text),
  deflate: (text) => deflateSync(text),
  br: (text) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
  zstd: (text) => zstdCompressSync(text),
}

/** Values that a parser and a printer between the POST and the object would change. */
const DELICATE = [
  '123456789012345678901234567890',
  '-0',
  '1.0',
  '1E400',
  '0.1000000000000000055511151231257827',
  '"\\u00e9\\/\\ud83d\\ude00 é 😀 \\ud800"',
  '{"a":1,"a":2,"\\u0061":3}',
  '{"b":1,"a":2,"10":3,"9":4,"__proto__":5}',
  '[ 1 ,\t2 ]',
  '{ "payload" : {"payload":null} }',
  '"\u2028\u2029\u007f"',
  'true',
  'null',
  '""',
  '{}',
  '[]',
]

/** The examples' texts. */
export function webhookTexts(): string[] {
  return webhooks.flatMap(({ examples }) => examples).map((example) => JSON.stringify(example))
}

/** Posts every example in collections, as single values, as arrays and as NDJSON, compressed and not. */
export async function postWebhooks(millrace: Millrace): Promise<Posted> {
  const texts = [...webhookTexts(), ...DELICATE]
  const posted: Posted = new Map()
  for (const [encoding, encode] of Object.entries(ENCODERS)) {
    const post = async (path: string, type: string, body: string, expected: string[]) => {
      const headers = encoding === 'identity' ? undefined : { 'content-encoding': encoding }
      const response = await millrace.post(path, type, encode(body), headers)
      const answer = (await response.json()) as { receipt: string }
      expect({ status: response.status, ...answer }).toEqual({
        status: 202,
        receipt: expect.any(String),
        accepted: expected.length,
        ack: 'disk',
      } as never)
      posted.set(answer.receipt, expected)
    }
    for (const group of groupsOf(texts, 25)) {
      // The members in another order than usual, one of them unknown.
      const collection = `{"data":[${group.join(',')}],"token":"tok","sent":{"data":[0]},"version":"2.\\u0031"}`
      await post('/payload', 'application/json', collection, group)
      await post('/payloads', 'application/json', ` [\n${group.join(' ,\r\n')}\n] `, group)
      await post('/payloads', 'application/x-ndjson', group.join('\n'), group)
    }
    // An array at the top would be many payloads.
    const singles = texts.filter((text) => !text.startsWith('['))
    await eachAtOnce(singles, 16, async (text) => {
      const broken = text.startsWith('{"action"') ? indented(text) : text
      await post('/payloads', 'application/json', `${broken}\n`, [
        broken.replace(/\r?\n/g, (end) => ' '.repeat(end.length)),
      ])
    })
  }
  return posted
}

/** Everything posted is there, byte for byte, in order, once, and nothing else is. */
export function expectEveryByte(lines: readonly Line[], posted: Posted): void {
  const found = new Map<string, Line[]>()
  for (const line of lines) {
    const same = found.get(line.receipt)
    if (same) same.push(line)
    else found.set(line.receipt, [line])
  }
  expect(found.size).toBe(posted.size)
  for (const [receipt, payloads] of posted) {
    const sorted = (found.get(receipt) ?? []).sort((a, b) => a.index - b.index)
    expect(sorted.map(({ index }) => index)).toEqual(payloads.map((_, index) => index))
    expect(sorted.map(({ payload }) => payload)).toEqual(payloads)
  }
}

/** Does something with each item, with up to `width` of them at once. */
async function eachAtOnce<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

function indented(text: string): string {
  return JSON.stringify(JSON.parse(text), null, 2).replaceAll('\n', '\r\n')
}

function* groupsOf<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}
