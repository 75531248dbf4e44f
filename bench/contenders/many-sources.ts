/**
 * Millrace as a program, with records of as many sources as SOURCES says: until tokens have names they all come from one, so
 * that they are given others where the journal takes them.
 */

import { join } from 'node:path'
import { FileJournal } from '../../src/journal/group-commit.ts'
import type { NewRecord, Waiter } from '../../src/journal/journal.ts'

const sources = Number(process.env['SOURCES'])
const append = FileJournal.prototype.append
/** A linear congruential generator: the order of sources has none, and is the same every time. */
let state = 1

FileJournal.prototype.append = function (record: NewRecord, waiter: Waiter) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  append.call(this, { ...record, source: `source-${(state >>> 8) % sources}` }, waiter)
}

await import(join(import.meta.dir, '../../src/cli.ts'))
