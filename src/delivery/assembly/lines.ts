/**
 * A frame's records to lines of objects: the quick half of `lines.ts`, compiled to WebAssembly for its 16-byte instructions.
 * `run` goes on until its owner has something to do, says what in `state`, and is called again.
 */

import { copy, copyFlat, digits, twoDigits } from './bytes'
import { count, endOf, findSpans, KIND_LINES, KIND_MADE, placeTable, startOf, versionEnd, versionStart } from './spans'

/** What its owner and `run` tell each other, a u32 each; the numbers are their places in `FIELDS` of `lines.ts`. */
export const state: usize = memory.data(64)
const POSITION = 0
const FRAME_END = 4
const PLACE = 8
const INDEX = 12
const OBJECT_BYTES = 16
const OBJECT_BYTES_MAX = 20
const OUTPUT_BYTES = 24
const TALLIES = 28
const RECORD_BYTES = 32
const LONG_START = 36
const LONG_END = 40
/** How many of the tallies are of records that are at their end. */
const ENDED = 44
/** Not 0: each record holds its own place. */
const HOLD_PLACES = 48

/** Why `run` came back; their places in `STATUSES` of `lines.ts`. */
const FRAME_DONE = 0
const OUTPUT_FULL = 1
const OBJECT_FULL = 2
const NEW_GROUP = 3
const MISFIT = 4
const LONG_PAYLOAD = 5

/** Texts that many lines share, each a length (u32) and then its bytes. */
export const prefix: usize = memory.data(256)
export const received: usize = memory.data(256)
export const sourceText: usize = memory.data(2048)
/** Of the group, as the journal has it: a length (u32), and then its bytes. */
const sourceName: usize = memory.data(260)
/** When `received` is, and when the group's hour begins. */
let receivedAtMs: f64 = NaN
let hourAtMs: f64 = NaN
/** Its lines are made already: nothing comes before a payload, which is a line without its last brace. */
let isMade = false

/** What comes before the index and after it, made once for each record. */
const head: usize = memory.data(512)
const middle: usize = memory.data(12_288)
let headBytes: usize = 0
let middleBytes: usize = 0

/** The longest version: what intake takes is far shorter. */
const VERSION_BYTES_MAX: usize = 8192
/** Digits of an index, what closes a line, and what a copy of 16 bytes a time writes too much. */
const LINE_ROOM_BYTES: usize = 48

const RECORD_HEADER_BYTES = 24
const HOUR_MS: f64 = 3_600_000
/** What `received` ends with, and what comes before that and changes within an hour: `MM:SS.mmm`. */
const RECEIVED_END_BYTES: usize = 13
const WITHIN_HOUR_BYTES: usize = 9
/** A tally is a record's place and how many lines of it were made, u32 each. */
const TALLY_SHIFT: usize = 3

let output: usize = 0
let outputMax: usize = 0
let tallies: usize = 0
let talliesMax: u32 = 0
/** The record whose spans are in the table; 0 for none. */
let found: usize = 0

/** Says where things are. */
export function place(spans: usize, spansMax: i32, tallyTable: usize, tallyMax: u32, out: usize, outMax: usize): void {
  placeTable(spans, spansMax)
  tallies = tallyTable
  talliesMax = tallyMax
  output = out
  outputMax = outMax
}

/** The frame in memory is another one. */
export function forget(): void {
  found = 0
  // No record came in this hour.
  receivedAtMs = hourAtMs = NaN
}

/** The next records are those of the hour and the source of the next one. */
export function group(): void {
  const record: usize = load<u32>(state, POSITION)
  const bytes = <u32>load<u8>(record, 17)
  receivedAtMs = load<f64>(record, 8)
  hourAtMs = Math.floor(receivedAtMs / HOUR_MS) * HOUR_MS
  isMade = load<u8>(record, 16) == KIND_MADE
  store<u32>(sourceName, bytes)
  memory.copy(sourceName + 4, record + RECORD_HEADER_BYTES, bytes)
}

/** How many payloads the body at `[from, to)` holds; -1 when it isn't of its kind. */
export function countPayloads(kind: u32, from: usize, to: usize): i32 {
  found = 0
  // Of lines that are made already each is one payload, as a whole.
  return findSpans(kind == KIND_MADE ? KIND_LINES : kind, from, to) ? count : -1
}

/** Writes lines of the group's records to the output. */
export function run(): u32 {
  let record: usize = load<u32>(state, POSITION)
  const frameEnd: usize = load<u32>(state, FRAME_END)
  const objectBytesMax = load<u32>(state, OBJECT_BYTES_MAX)
  let objectBytes = load<u32>(state, OBJECT_BYTES)
  let index = load<i32>(state, INDEX)
  let place = load<u32>(state, PLACE)
  const holdPlaces = load<u32>(state, HOLD_PLACES) != 0
  let tally: u32 = 0
  let ended: u32 = 0
  let recordBytes: u32 = 0
  let out = output
  const outEnd = output + outputMax
  let status: u32 = FRAME_DONE
  while (record < frameEnd) {
    if (holdPlaces) place = load<u32>(record, 20)
    if (tally == talliesMax) {
      status = OUTPUT_FULL
      break
    }
    const noteAt = record + RECORD_HEADER_BYTES + <usize>load<u8>(record, 17)
    const body = noteAt + <usize>load<u16>(record, 18)
    const bodyBytes = <usize>load<u32>(record)
    const end = body + bodyBytes
    if (found != record) {
      // One that does not fit its frame is a bug, which its owner finds when it reads it.
      if (body > frameEnd || bodyBytes > frameEnd - body || !isOfGroup(record)) {
        status = NEW_GROUP
        break
      }
      if (!findSpans(load<u8>(record, 16), body, end) || <u32>count != load<u32>(record, 4) || !begin(place)) {
        status = MISFIT
        break
      }
      found = record
    }
    const first = index
    while (index < count) {
      const start = startOf(index)
      const bytes = endOf(index) - start
      const needed = headBytes + middleBytes + bytes + LINE_ROOM_BYTES
      if (out + needed > outEnd) {
        status = needed > outputMax ? LONG_PAYLOAD : OUTPUT_FULL
        break
      }
      const lineAt = out
      out = beforePayload(out, index)
      copyFlat(out, start, bytes)
      out += bytes
      // A closing brace and a line feed.
      store<u16>(out, 0x0a7d)
      out += 2
      objectBytes += <u32>(out - lineAt)
      index++
      if (objectBytes >= objectBytesMax) {
        status = OBJECT_FULL
        break
      }
    }
    const tallyAt = tallies + ((<usize>tally) << TALLY_SHIFT)
    store<u32>(tallyAt, place)
    store<u32>(tallyAt, <u32>(index - first), 4)
    tally++
    if (index < count) {
      if (status == LONG_PAYLOAD && out == output) out = beginLong(index)
      else if (status == LONG_PAYLOAD) status = OUTPUT_FULL
      break
    }
    recordBytes += <u32>(end - record)
    record = end
    ended = tally
    place++
    index = 0
    found = 0
    if (status == OBJECT_FULL) break
  }
  store<u32>(state, <u32>record, POSITION)
  store<u32>(state, place, PLACE)
  store<u32>(state, index, INDEX)
  store<u32>(state, objectBytes, OBJECT_BYTES)
  store<u32>(state, <u32>(out - output), OUTPUT_BYTES)
  store<u32>(state, tally, TALLIES)
  store<u32>(state, ended, ENDED)
  store<u32>(state, recordBytes, RECORD_BYTES)
  return status
}

/** Writes what a line has before its payload; returns the address behind it. */
function beforePayload(to: usize, index: i32): usize {
  if (isMade) return to
  copy(to, head, headBytes)
  const out = digits(to + headBytes, index)
  copy(out, middle, middleBytes)
  return out + middleBytes
}

/** Begins the line of a payload that is longer than the output; its owner copies the payload and closes the line. */
function beginLong(index: i32): usize {
  store<u32>(state, <u32>startOf(index), LONG_START)
  store<u32>(state, <u32>endOf(index), LONG_END)
  return beforePayload(output, index)
}

/**
 * Whether a record came in the group's hour and from its source, with lines to be made as well or with none: `received` is
 * then its own.
 */
function isOfGroup(record: usize): bool {
  if ((load<u8>(record, 16) == KIND_MADE) != isMade) return false
  const bytes = <u32>load<u8>(record, 17)
  if (bytes != load<u32>(sourceName)) return false
  if (memory.compare(record + RECORD_HEADER_BYTES, sourceName + 4, bytes) != 0) return false
  const atMs = load<f64>(record, 8)
  return atMs == receivedAtMs || isWithinHour(atMs)
}

/** Writes a moment of the group's hour into `received`. */
function isWithinHour(atMs: f64): bool {
  const sinceMs = atMs - hourAtMs
  // Of NaN neither is true.
  if (!(sinceMs >= 0 && sinceMs < HOUR_MS)) return false
  receivedAtMs = atMs
  const ms = <u32>sinceMs
  const at = received + 4 + <usize>load<u32>(received) - RECEIVED_END_BYTES - WITHIN_HOUR_BYTES
  twoDigits(at, ms / 60_000)
  twoDigits(at + 3, (ms / 1000) % 60)
  store<u8>(at + 6, 0x30 + (ms % 1000) / 100)
  twoDigits(at + 7, ms % 100)
  return true
}

/** Makes what the lines of the record at `place` of its segment share. */
function begin(place: u32): bool {
  const versionBytes = versionEnd - versionStart
  if (versionBytes > VERSION_BYTES_MAX) return false
  let out = head
  out = text(out, prefix)
  out = digits(out, place)
  // `","index":`
  store<u64>(out, 0x7865646e69222c22)
  store<u16>(out, 0x3a22, 8)
  headBytes = out + 10 - head
  out = text(middle, received)
  if (versionBytes == 0) {
    // null
    store<u32>(out, 0x6c6c756e)
    out += 4
  } else {
    copy(out, versionStart, versionBytes)
    out += versionBytes
  }
  out = text(out, sourceText)
  middleBytes = out - middle
  return true
}

/** Copies one of the shared texts; returns the address behind it. */
function text(to: usize, from: usize): usize {
  const bytes = <usize>load<u32>(from)
  copy(to, from + 4, bytes)
  return to + bytes
}
