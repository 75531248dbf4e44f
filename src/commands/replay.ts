/**
 * `millrace dead replay`: puts dead records back into the journal. What keeps a crash from putting one back twice:
 *
 * A record's receipt is known before it is appended. The data directory is locked, the journal was just opened, so that its
 * open segment is empty, and a batch is too small to fill it and too quick to grow old: its records get the places 0, 1, 2, …
 * Those receipts are written to `<receipt>.replaying`, durably, before anything is appended. Only after the records are
 * durable in the journal do these files become `<receipt>.replayed`, and the dead records' own files go.
 *
 * A later replay that finds `.replaying` looks for the receipt in it: in the journal, else in the ledger. Found: the append
 * had come through, and only the rest is done. In neither: it had not, since a tag is never used twice. That holds for as
 * long as the ledger goes back (`--ledger-days`) to the try that was cut off.
 */

import type { Command } from '../config/load-command.ts'
import type { DeadLine } from '../delivery/dead-letter.ts'
import { LINE_EXTRA_BYTES_USUAL, Lines } from '../delivery/lines.ts'
import { readMade } from '../intake/made-lines.ts'
import type { Refusal } from '../intake/problem.ts'
import { readCollection, readLines, readValueOrArray, type Shape } from '../intake/shapes.ts'
import { openDataDirectory } from '../journal/data-directory.ts'
import type { Journal, NewRecord } from '../journal/journal.ts'
import { lookAt } from '../journal/look.ts'
import { parseReceipt, parseSegmentName, receiptPrefix } from '../journal/name.ts'
import { openJournal } from '../journal/open-journal.ts'
import { recordBytes } from '../journal/record.ts'
import { Fault } from '../observe/errors.ts'
import type { Event } from '../observe/events.ts'
import { lastSegmentOf } from '../observe/ledger-files.ts'
import { lockFile } from '../platform/lock.ts'
import type { Platform } from '../platform/platform.ts'
import type { FoundData } from './data.ts'
import { choose } from './dead.ts'
import {
  type DeadFile,
  leaveNote,
  REPLAYED_ENDING,
  REPLAYING_ENDING,
  readDead,
  readReplay,
  removeDead,
  siblingOf,
} from './dead-files.ts'
import type { Surroundings } from './terminal.ts'

/** The lane that records go back to. */
const LANE = 0
/** Longer than any batch takes: the journal must not seal a segment in the midst of one. */
const LINGER_MS = 3_600_000

interface Ready {
  file: DeadFile
  record: NewRecord
}

/** Runs the command; returns its exit code. */
export async function replayDead(command: Command, { platform, terminal }: Surroundings): Promise<number> {
  const { data, chosen, missing } = await choose(command, { platform, terminal })
  if (chosen.length === 0) return missing ? 1 : 0
  const directory = await openDataDirectory(platform, lockFile, command.options.data)
  let failed = missing
  const say = (receipt: string, as: string) => terminal.print(`${receipt} replayed as ${as}\n`)
  const refuse = (receipt: string, reason: string) => {
    failed = true
    terminal.note(`millrace: ${receipt}: not replayed: ${reason}\n`)
  }
  try {
    let batch = new Batch(command.options.objectBytesMax)
    const flush = async () => {
      await putBack(platform, command, data, batch.ready, say, refuse)
      batch = new Batch(command.options.objectBytesMax)
    }
    for (const file of chosen) {
      const as = await earlierReplay(platform, data, file)
      if (as !== undefined) {
        await finish(platform, file, as)
        await say(file.receipt, as)
        continue
      }
      const record = await recordOf(platform, file)
      if (typeof record === 'string') {
        refuse(file.receipt, record)
        continue
      }
      if (!batch.hasRoomFor(record)) await flush()
      batch.add({ file, record })
    }
    await flush()
  } finally {
    directory.release()
  }
  return failed ? 1 : 0
}

/** Records that go into one segment. */
class Batch {
  readonly ready: Ready[] = []
  #lineBytes = 0
  readonly #lineBytesMax: number

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  /** One always has room: a journal seals no segment that is empty. */
  hasRoomFor(record: NewRecord): boolean {
    return this.ready.length === 0 || this.#lineBytes + lineBytesOf(record) <= this.#lineBytesMax
  }

  add(one: Ready): void {
    this.ready.push(one)
    this.#lineBytes += lineBytesOf(one.record)
  }
}

/** About what a record's lines come to, as the journal reckons it. */
function lineBytesOf(record: NewRecord): number {
  return recordBytes(record) + record.payloads * LINE_EXTRA_BYTES_USUAL
}

async function putBack(
  platform: Platform,
  { options }: Command,
  data: FoundData,
  ready: readonly Ready[],
  say: (receipt: string, as: string) => Promise<void>,
  refuse: (receipt: string, reason: string) => void,
): Promise<void> {
  if (ready.length === 0) return
  const { files, clock } = platform
  const { format, compression, objectBytesMax } = options
  const lane = { directory: data.laneDirectory(LANE), node: data.node, lane: LANE, lingerMs: LINGER_MS }
  const isStored = async ({ number, tag }: { number: number; tag: string }) =>
    (await data.entryOf(LANE, number, tag)) !== undefined
  let trouble = ''
  const observe = (event: Event) => {
    if (event.kind === 'journal-trouble') trouble = `${event.code}: ${event.reason}`
  }
  // For ever: how long notes are needed is for the server to say.
  const noteWindowMs = Number.MAX_SAFE_INTEGER
  const opening = {
    ...lane,
    format,
    compression,
    objectBytesMax,
    noteWindowMs,
    // Receipts are told before the records are in: no record may need another segment.
    takesMade: ready.some(({ record }) => record.kind === 'made'),
    lineExtraBytes: LINE_EXTRA_BYTES_USUAL,
    isStored,
    lastNumberGone: await lastSegmentOf(files, data.ledger, LANE),
  }
  // What is sealed is delivered after the server's next start, which sees to what is empty as well.
  const journal = await openJournal(platform, opening, observe, () => {})
  const kept: { file: DeadFile; as: string }[] = []
  try {
    const prefix = await nextReceiptPrefix(platform, data)
    if (prefix === undefined || journal.trouble)
      throw new Fault('data_unusable', `${lane.directory}: the journal takes no records: ${trouble}`)
    const at = new Date(clock.nowMs()).toISOString()
    for (const [place, { file }] of ready.entries()) {
      await leaveNote(files, siblingOf(file, REPLAYING_ENDING), { receipt: file.receipt, as: prefix + place, at })
    }
    const answers = await Promise.all(ready.map(({ record }) => append(journal, record)))
    for (const [place, { file }] of ready.entries()) {
      const answer = answers[place]
      if (answer?.kept === prefix + place) kept.push({ file, as: answer.kept })
      else if (answer?.kept !== undefined)
        throw new Error(`${file.receipt} became ${answer.kept}, not ${prefix + place}`)
      else refuse(file.receipt, `${answer?.refused} (${trouble})`)
    }
  } finally {
    await journal.close()
  }
  for (const { file, as } of kept) {
    await finish(platform, file, as)
    await say(file.receipt, as)
  }
}

function append(journal: Journal, record: NewRecord): Promise<{ kept?: string; refused?: string }> {
  return new Promise((resolve) => {
    journal.append(record, { kept: (kept) => resolve({ kept }), refused: (refused) => resolve({ refused }) })
  })
}

/** The receipts' beginning in the segment that was just opened: it has the highest number. */
async function nextReceiptPrefix({ files }: Platform, data: FoundData): Promise<string | undefined> {
  const directory = data.laneDirectory(LANE)
  const numbers = (await files.list(directory)).flatMap((name) => parseSegmentName(name)?.number ?? [])
  const look = await lookAt(files, directory, Math.max(...numbers))
  return look.kind === 'segment' && look.records === 0 ? receiptPrefix(look.header) : undefined
}

/** The receipt that an earlier try put this record back under; undefined when there was none, or it didn't come through. */
async function earlierReplay({ files }: Platform, data: FoundData, file: DeadFile): Promise<string | undefined> {
  const done = await readReplay(files, siblingOf(file, REPLAYED_ENDING))
  // Its file came back: a crash before the ledger's line of its old segment has that delivered, and buried, once more.
  if (done) return done.as
  const begun = await readReplay(files, siblingOf(file, REPLAYING_ENDING))
  const parts = begun && parseReceipt(begun.as)
  if (!begun || !parts) return undefined
  if (await data.holds(parts)) return begun.as
  // It may have been stored, and its file removed, while that was looked at.
  const entry = await data.entryOf(parts.lane, parts.segment, parts.tag)
  return entry && parts.place < entry.records ? begun.as : undefined
}

/** The record is in the journal: what is left is to say so, and to remove the dead one. */
async function finish({ files, clock }: Platform, file: DeadFile, as: string): Promise<void> {
  const at = new Date(clock.nowMs()).toISOString()
  await leaveNote(files, siblingOf(file, REPLAYED_ENDING), { receipt: file.receipt, as, at })
  await removeDead(files, file)
  await files.remove(siblingOf(file, REPLAYING_ENDING))
}

/** The record to put back, or why it can't be: the body has to pass what intake asks of a new one, and encode. */
async function recordOf({ files }: Platform, { path }: DeadFile): Promise<NewRecord | string> {
  const dead = await readDead(files, path)
  if (!dead) return 'its file is damaged'
  const { line, body } = dead
  const shape = reading(line, body)
  if ('code' in shape) return `${shape.code}: ${shape.detail}`
  if (shape.kind !== line.kind) return `wrong_shape: its line says ${line.kind}, and its body is ${shape.kind}`
  const [bad] = shape.rejected?.errors ?? []
  if (bad) return `${bad.code}: line ${bad.line}, ${bad.detail}`
  const receivedAtMs = Date.parse(line.received_at)
  const record = { kind: shape.kind, body, payloads: shape.payloads, receivedAtMs, source: line.source }
  return new Lines().misfit(record) ?? record
}

function reading({ kind }: DeadLine, body: Buffer): Shape | Refusal {
  if (kind === 'collection') return readCollection(body)
  if (kind === 'made') return readMade(body)
  return kind === 'lines' ? readLines(body) : readValueOrArray(body)
}
