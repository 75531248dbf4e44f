/** What a disk holds: files and directories as they are seen and as they are durable, and what a power loss takes away. */

import type { SeededRandom } from './memory-platform.ts'

export type Change = { at: number; bytes: Uint8Array } | { truncate: number }
export type NameChange = { set: string; entry: Entry } | { remove: string } | { from: string; to: string }
export type Names = Map<string, Entry>

/** Content as a reader sees it, as it is on the disk, and what was changed since; `suspect` after a failed sync. */
export interface Content {
  kind: 'file'
  content: Uint8Array
  durable: Uint8Array
  unsynced: Change[]
  suspect: boolean
}

export interface Directory {
  kind: 'directory'
  names: Names
  durable: Names
  unsynced: NameChange[]
}

export type Entry = Content | Directory

/** A directory with nothing in it. */
export function newDirectory(): Directory {
  return { kind: 'directory', names: new Map(), durable: new Map(), unsynced: [] }
}

/** A file with these bytes, all of them durable. */
export function newContent(bytes: Uint8Array): Content {
  return { kind: 'file', content: bytes.slice(), durable: bytes.slice(), unsynced: [], suspect: false }
}

/** Changes what a reader sees; the disk has it after the next sync. */
export function changeContent(file: Content, change: Change): void {
  file.content = applyContent(file.content, change)
  file.unsynced.push(change)
}

/** The content after a change. */
export function applyContent(content: Uint8Array, change: Change): Uint8Array {
  const length = 'truncate' in change ? change.truncate : Math.max(content.length, change.at + change.bytes.length)
  const changed = new Uint8Array(length)
  changed.set(content.subarray(0, length))
  if ('bytes' in change) changed.set(change.bytes, change.at)
  return changed
}

/** Changes what a directory lists; the disk has it after the next sync. */
export function changeNames(directory: Directory, change: NameChange): void {
  applyName(directory.names, change)
  directory.unsynced.push(change)
}

/** Makes a change to a set of names. */
export function applyName(names: Names, change: NameChange): void {
  if ('set' in change) names.set(change.set, change.entry)
  else if ('remove' in change) names.delete(change.remove)
  else {
    const entry = names.get(change.from)
    if (entry) names.set(change.to, entry)
    names.delete(change.from)
  }
}

/** Undoes what wasn't synced: all of it, or all but the first part, the last write of which may be cut or be zeros. */
export function loseUnsynced(entry: Entry, random: SeededRandom): void {
  const kept = entry.unsynced.slice(0, random.below(entry.unsynced.length + 1))
  if (entry.kind === 'directory') {
    for (const change of kept as NameChange[]) applyName(entry.durable, change)
    entry.unsynced = []
    entry.names = new Map(entry.durable)
    for (const below of entry.names.values()) loseUnsynced(below, random)
    return
  }
  const last = (kept as Change[]).pop()
  for (const change of kept as Change[]) entry.durable = applyContent(entry.durable, change)
  if (last && 'bytes' in last) {
    const bytes = last.bytes.slice()
    if (random.below(2) === 0) bytes.fill(0, random.below(bytes.length + 1))
    const length = random.below(2) === 0 ? bytes.length : random.below(bytes.length + 1)
    entry.durable = applyContent(entry.durable, { at: last.at, bytes: bytes.subarray(0, length) })
  } else if (last) entry.durable = applyContent(entry.durable, last)
  entry.content = entry.durable.slice()
  entry.unsynced = []
  entry.suspect = false
}
