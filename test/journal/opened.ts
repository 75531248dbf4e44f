/** A journal over a machine in memory, with everything that it told and everyone who waits for it written down. */

import type { Journal, NewRecord, SealedSegment, Sender } from '../../src/journal/journal.ts'
import { HEADER_BYTES, SEAL_BYTES } from '../../src/journal/layout.ts'
import { openJournal } from '../../src/journal/open-journal.ts'
import type { Event } from '../../src/observe/events.ts'
import { type MemoryPlatform, memoryPlatform } from '../memory-platform.ts'
import { type FoundRecord, recordsIn, valueRecord } from './segment-files.ts'

/** The lane's directory in these tests. */
export const LANE = 'data/lane-0'

const OPTIONS = {
  directory: LANE,
  node: 'k3v9x2ab',
  lane: 0,
  lingerMs: 5000,
  format: 'lines',
  compression: 'none',
  objectBytesMax: 1 << 26,
  lineExtraBytes: 100,
  noteWindowMs: 600_000,
  isStored: async () => false,
  lastNumberGone: 0,
} as const

/** What became of an append so far: a receipt, a refusal's code, or nothing yet. */
export interface Answer {
  text: string
  receipt?: string
  refusal?: string
}

/** An opened journal and what a test watches. */
export class Opened {
  readonly platform: MemoryPlatform
  readonly events: Event[]
  readonly sealed: SealedSegment[]
  /** Announced segments that never held a record. */
  readonly empty: SealedSegment[]
  readonly answers: Answer[] = []
  readonly journal: Journal

  constructor(
    platform: MemoryPlatform,
    journal: Journal,
    events: Event[],
    sealed: SealedSegment[],
    empty: SealedSegment[],
  ) {
    this.empty = empty
    this.platform = platform
    this.journal = journal
    this.events = events
    this.sealed = sealed
  }

  /** Appends one value; its answer is filled in when it comes, and noted among the file operations. */
  append(text: string, more: Partial<NewRecord> = {}, sender?: Sender): Answer {
    const answer: Answer = { text }
    this.answers.push(answer)
    const { log } = this.platform.files
    const record = valueRecord(text, more)
    this.journal.append(record, {
      sender,
      // Its memory is somebody else's from then on.
      copied: () => record.body.fill(0x20),
      kept(receipt) {
        answer.receipt = receipt
        log.push(`receipt for ${text}`)
      },
      refused(refusal) {
        answer.refusal = refusal
        log.push(`refusal for ${text}`)
      },
    })
    return answer
  }

  /** The kinds of events so far. */
  get kinds(): string[] {
    return this.events.map(({ kind }) => kind)
  }

  /** The records in all segment files, by path order. */
  async records(): Promise<FoundRecord[]> {
    const { files } = this.platform
    const found: FoundRecord[] = []
    for (const path of files.all().keys()) {
      if (/\.(open|sealed)$/.test(path)) found.push(...(await recordsIn(files, path)))
    }
    return found
  }

  /** What the segment files hold and will hold: their length, with the room that an open one keeps for its seal. */
  async onDisk(): Promise<{ payloads: number; bytes: number }> {
    let bytes = 0
    for (const [path, content] of this.platform.files.all()) {
      // What can't be sealed keeps its name, and no room for a seal.
      if (path.endsWith('.sealed') || this.sealed.some((segment) => segment.path === path)) bytes += content.length
      else if (path.endsWith('.open')) bytes += Math.max(content.length, HEADER_BYTES) + SEAL_BYTES
    }
    const payloads = (await this.records()).reduce((sum, record) => sum + record.payloads, 0)
    return { payloads, bytes }
  }

  /** What the journal says of itself. */
  get counted(): { payloads: number; bytes: number } {
    return { payloads: this.journal.payloads, bytes: this.journal.bytes }
  }
}

/** Opens the journal on `platform`. */
export async function opened(
  platform = memoryPlatform(),
  options: Partial<typeof OPTIONS> | object = {},
): Promise<Opened> {
  const events: Event[] = []
  const sealed: SealedSegment[] = []
  const empty: SealedSegment[] = []
  const journal = await openJournal(
    platform,
    { ...OPTIONS, ...options },
    (event) => events.push(event),
    (segment) => (segment.isEmpty ? empty : sealed).push(segment),
  )
  return new Opened(platform, journal, events, sealed, empty)
}
