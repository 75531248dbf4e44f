/** Reads objects back as another system would: decompress, split into lines, cut each payload's bytes out of its line. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { OutgoingObject } from '../src/destination/destination.ts'

/** An object as one put it, its bytes in a row. */
export interface WholeObject extends Omit<OutgoingObject, 'body'> {
  body: Uint8Array
}

/** One line of an object. */
export interface Line {
  receipt: string
  index: number
  received_at: string
  version: string | null
  source: string
  /** The payload's bytes, as text. */
  payload: string
}

/** An object that holds one payload, as its name says. */
export interface PayloadObject {
  source: string
  /** `2026-11-21T01`. */
  hour: string
  receipt: string
  index: number
  /** The payload's bytes, as text. */
  payload: string
}

/** An object of format `payload`; undefined when its name says that it is of lines. */
export function readPayloadObject(name: string, body: Uint8Array): PayloadObject | undefined {
  const match = /^(.*)\/date=([\d-]{10})\/hour=(\d\d)\/([a-z0-9]+-\d+-\d+-[0-9a-f]{8}-\d+)-(\d+)$/s.exec(name)
  if (!match) return undefined
  const [, source = '', date, hour, receipt = '', index] = match
  return { source, hour: `${date}T${hour}`, receipt, index: Number(index), payload: Buffer.from(body).toString() }
}

/** The lines of one object's body; its name tells how it is compressed. An object of one payload is read as its one line. */
export function readObject(name: string, body: Uint8Array): Line[] {
  const alone = readPayloadObject(name, body)
  if (alone) return [{ ...alone, received_at: alone.hour, version: null }]
  const plain = name.endsWith('.zst') ? zstdDecompressSync(body) : name.endsWith('.gz') ? gunzipSync(body) : body
  const lines = Buffer.from(plain).toString('utf8').split('\n')
  if (lines.pop() !== '') throw new Error(`${name} does not end with a line feed`)
  return lines.map((line) => ({ ...JSON.parse(line), payload: payloadOf(line) }))
}

/** All lines below a directory of objects. */
export function readObjectsIn(directory: string): Line[] {
  return objectNamesIn(directory).flatMap((name) => readObject(name, readFileSync(join(directory, name))))
}

/** The names of all whole objects below a directory. */
export function objectNamesIn(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .filter((name) => /\.ndjson(\.zst|\.gz)?$|-[0-9a-f]{8}-\d+-\d+$/.test(name))
    .sort()
}

/** What stands between `"payload":` and the line's closing brace: payload is the last member, so that this is enough. */
function payloadOf(line: string): string {
  const match =
    /^\{"receipt":"[^"]*","index":\d+,"received_at":"[^"]*","version":(?:null|"(?:[^"\\]|\\.)*"),"source":"[^"]*","payload":/.exec(
      line,
    )
  if (!match) throw new Error(`not a line of an object: ${line.slice(0, 200)}`)
  return line.slice(match[0].length, -1)
}
