/**
 * The files that say how far a function has come with a segment: `handled/<number>-<tag>.<generation>`, a line with a CRC for
 * each time that it was written. A file that failed, or has grown, is followed by one that says everything once more.
 */

import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { HANDLED, type SegmentState, segmentDigits, segmentPath } from '../journal/name.ts'
import { type Files, type OpenFile, readStretch } from '../platform/files.ts'
import type { Batch } from './handler.ts'
import type { Range } from './ranges.ts'

/** How long a file gets beyond what it began with. */
const GROWTH_BYTES_MAX = 256 * 1024

/** A record, or one of its payloads, that is never to be given again. */
export interface Verdict {
  place: number
  /** Undefined for all of the record. */
  index?: number
  reason: string
  attempts: number
}

/** What a line says. */
export type ProgressLine =
  /** The first of each file. */
  | { kind: 'begun'; batch: Batch }
  | { kind: 'verdict'; verdict: Verdict }
  /** Records that are over, and of others the payloads that are. Every verdict on them stands before it. */
  | { kind: 'state'; over: readonly Range[]; partly: readonly [place: number, indexes: readonly Range[]][] }

/** A segment's. */
export class ProgressFile {
  readonly #files: Files
  readonly #directory: string
  readonly #name: string
  /** Those that are there, or half there. */
  #generations: number[]
  #open: OpenFile | undefined
  #bytes = 0
  #bytesMax = 0

  /** `generations` are those that an earlier process has left. */
  constructor(files: Files, laneDirectory: string, name: string, generations: readonly number[]) {
    this.#files = files
    this.#directory = join(laneDirectory, HANDLED)
    this.#name = name
    this.#generations = [...generations]
  }

  /** Writes lines and makes them durable; into a new file `everything`. After a rejection it goes to a new one. */
  async append(lines: readonly ProgressLine[], everything: () => readonly ProgressLine[]): Promise<void> {
    try {
      if (this.#open === undefined || this.#bytes > this.#bytesMax) return await this.#begin(everything())
      await this.#write(this.#open, lines)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** The lines that were left, up to the first that can't be read. */
  async read(): Promise<ProgressLine[]> {
    const lines: ProgressLine[] = []
    for (const generation of this.#generations) {
      const path = this.#path(generation)
      const bytes = await readStretch(this.#files, path, 0, (await this.#files.sizeOf(path)) ?? 0)
      for (const text of bytes.toString().split('\n')) {
        const line = parseLine(text)
        if (!line) break
        lines.push(line)
      }
    }
    return lines
  }

  async remove(): Promise<void> {
    for (const generation of this.#generations) await this.#files.remove(this.#path(generation))
    this.#generations = []
  }

  async close(): Promise<void> {
    const file = this.#open
    this.#open = undefined
    await file?.close().catch(() => {})
  }

  async #begin(lines: readonly ProgressLine[]): Promise<void> {
    await this.close()
    const before = this.#generations
    const generation = (before.at(-1) ?? -1) + 1
    await this.#files.makeDirectory(this.#directory)
    this.#generations = [...before, generation]
    const file = await this.#files.open(this.#path(generation), 'create')
    this.#open = file
    this.#bytes = 0
    await this.#write(file, lines)
    this.#bytesMax = this.#bytes + GROWTH_BYTES_MAX
    await this.#files.syncDirectory(this.#directory)
    for (const old of before) await this.#files.remove(this.#path(old))
    this.#generations = [generation]
  }

  async #write(file: OpenFile, lines: readonly ProgressLine[]): Promise<void> {
    const bytes = Buffer.from(lines.map(lineOf).join(''))
    await file.write(bytes, this.#bytes)
    await file.datasync()
    this.#bytes += bytes.length
  }

  #path(generation: number): string {
    return join(this.#directory, `${this.#name}.${generation}`)
  }
}

/** What the files of a segment's progress begin with. */
export function progressName(number: number, tag: string): string {
  return `${segmentDigits(number)}-${tag}`
}

/** The generations that earlier processes have left, by name; what is left of segments that are gone is removed. */
export async function leftProgress(files: Files, laneDirectory: string): Promise<Map<string, number[]>> {
  const left = new Map<string, number[]>()
  const directory = join(laneDirectory, HANDLED)
  for (const file of await files.list(directory)) {
    const [, name, number, generation] = /^((\d{16})-[0-9a-f]*)\.(\d+)$/.exec(file) ?? []
    if (name === undefined) continue
    const isThere = async (state: SegmentState) =>
      (await files.sizeOf(segmentPath(laneDirectory, Number(number), state))) !== undefined
    // What could not be sealed on a full disk is delivered under the name of an open one.
    if ((await isThere('sealed')) || (await isThere('open')))
      left.set(
        name,
        [...(left.get(name) ?? []), Number(generation)].sort((a, b) => a - b),
      )
    else await files.remove(join(directory, file))
  }
  return left
}

function lineOf(line: ProgressLine): string {
  const text = JSON.stringify(line)
  return `${crc32(text)} ${text}\n`
}

function parseLine(text: string): ProgressLine | undefined {
  const [, sum, json] = /^(\d+) (.*)$/.exec(text) ?? []
  return json !== undefined && crc32(json) === Number(sum) ? (JSON.parse(json) as ProgressLine) : undefined
}
