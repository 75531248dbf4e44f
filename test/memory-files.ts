/** The `Files` of a machine in memory: faults, waits and a crash on request, and a log of what was done in which order. */

import { basename, dirname, normalize } from 'node:path'
import type { Files, OpenFile, Space } from '../src/platform/files.ts'
import {
  applyContent,
  applyName,
  type Content,
  changeContent,
  changeNames,
  type Directory,
  type Entry,
  loseUnsynced,
  newContent,
  newDirectory,
} from './memory-disk.ts'
import type { SeededRandom } from './memory-platform.ts'

/** What a file operation is called in `log`, in `fail` and in `hold`. */
export type Operation = 'open' | 'write' | 'datasync' | 'truncate' | 'rename' | 'remove' | 'mkdir' | 'sync-directory'

interface Fault {
  operation: Operation
  path: RegExp
  code: string
  /** Of a write that fails: how many bytes are written all the same. */
  written: number
  /** How many go well before it. */
  skipped: number
}

/** A disk in memory. Names and contents become durable as on a real one: by `syncDirectory` and by `datasync`. */
export class MemoryFiles implements Files {
  /** Every operation that changed something or tried to, in order: `write lane-0/1.open 64+120`, `… failed EIO`. */
  readonly log: string[] = []
  /** Breaches of what no program may do: a datasync on a file after one that failed, use of a closed file. */
  readonly breaches: string[] = []
  /** How many changing operations may still happen; those after them never end, as in a process that is gone. */
  operationsLeft = Number.POSITIVE_INFINITY
  readonly #root: Directory
  readonly #faults: Fault[] = []
  readonly #holds: { operation: Operation; path: RegExp; free: Promise<void> }[] = []

  constructor(root: Directory = newDirectory()) {
    this.#root = root
  }

  /** What a new process finds after a kill: everything that was written, the system is still up. */
  killed(): MemoryFiles {
    return new MemoryFiles(structuredClone(this.#root))
  }

  /** What is there after a power loss: what was synced, and by chance some of what wasn't. */
  crash(random: SeededRandom): MemoryFiles {
    const root = structuredClone(this.#root)
    loseUnsynced(root, random)
    return new MemoryFiles(root)
  }

  /** The next `operation` on a path that matches fails with `code`; or one after it, once `skipped` others went well. */
  fail(operation: Operation, path: RegExp, code: string, written = 0, skipped = 0): void {
    this.#faults.push({ operation, path, code, written, skipped })
  }

  /** Operations on paths that match wait until the returned function is called. */
  hold(operation: Operation, path: RegExp): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    const hold = { operation, path, free: promise }
    this.#holds.push(hold)
    return () => {
      this.#holds.splice(this.#holds.indexOf(hold), 1)
      resolve()
    }
  }

  /** Puts a file there, durably, its directories made. */
  put(path: string, bytes: Uint8Array): void {
    let directory = this.#root
    for (const name of segmentsOf(dirname(path))) {
      const next = directory.names.get(name) ?? newDirectory()
      if (next.kind !== 'directory') throw new Error(`${path}: ${name} is a file`)
      directory.names.set(name, next)
      directory.durable.set(name, next)
      directory = next
    }
    const file = newContent(bytes)
    directory.names.set(basename(path), file)
    directory.durable.set(basename(path), file)
  }

  /** Removes an empty directory, durably; no program of ours does. */
  removeDirectory(path: string): void {
    const above = this.#directory(dirname(path))
    above.names.delete(basename(path))
    above.durable.delete(basename(path))
  }

  /** A file's bytes; undefined when there is none. */
  get(path: string): Uint8Array | undefined {
    const entry = this.#entry(path)
    return entry?.kind === 'file' ? entry.content.slice() : undefined
  }

  /** Every file with its bytes, by path. */
  all(): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>()
    const walk = (directory: Directory, prefix: string) => {
      for (const [name, entry] of directory.names) {
        if (entry.kind === 'file') found.set(prefix + name, entry.content.slice())
        else walk(entry, `${prefix}${name}/`)
      }
    }
    walk(this.#root, '')
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  async open(path: string, mode: 'read' | 'create' | 'replace' | 'update'): Promise<OpenFile> {
    if (mode === 'create' || mode === 'replace') await this.step('open', path)
    const directory = this.#directory(dirname(path))
    const there = directory.names.get(basename(path))
    if (there?.kind === 'directory') throw systemError('EISDIR', path)
    if (mode === 'create' && there) throw systemError('EEXIST', path)
    if (there && mode === 'replace') changeContent(there, { truncate: 0 })
    if (there) return new MemoryFile(this, path, there)
    if (mode === 'read' || mode === 'update') throw systemError('ENOENT', path)
    const file = newContent(new Uint8Array(0))
    changeNames(directory, { set: basename(path), entry: file })
    return new MemoryFile(this, path, file)
  }

  async list(directory: string): Promise<string[]> {
    const entry = this.#entry(directory)
    return entry?.kind === 'directory' ? [...entry.names.keys()].sort() : []
  }

  async sizeOf(path: string): Promise<number | undefined> {
    const entry = this.#entry(path)
    return entry?.kind === 'file' ? entry.content.length : undefined
  }

  async rename(from: string, to: string): Promise<void> {
    if (dirname(from) !== dirname(to)) throw new Error('renames between directories are not modelled')
    await this.step('rename', from, ` ${to}`)
    const directory = this.#directory(dirname(from))
    if (!directory.names.has(basename(from))) throw systemError('ENOENT', from)
    changeNames(directory, { from: basename(from), to: basename(to) })
  }

  async remove(path: string): Promise<void> {
    await this.step('remove', path)
    const directory = this.#directory(dirname(path))
    if (directory.names.has(basename(path))) changeNames(directory, { remove: basename(path) })
  }

  async makeDirectory(path: string): Promise<void> {
    const missing: string[] = []
    let deepest = normalize(path)
    for (; !this.#entry(deepest); deepest = dirname(deepest)) missing.unshift(deepest)
    // Each is durable before the next is made; whoever made the deepest that is there may have been cut off before that.
    if (segmentsOf(deepest).length > 0) await this.syncDirectory(dirname(deepest))
    for (const made of missing) {
      await this.step('mkdir', made)
      changeNames(this.#directory(dirname(made)), { set: basename(made), entry: newDirectory() })
      await this.syncDirectory(dirname(made))
    }
  }

  async syncDirectory(path: string): Promise<void> {
    await this.step('sync-directory', path)
    const directory = this.#directory(path)
    for (const change of directory.unsynced.splice(0)) applyName(directory.durable, change)
  }

  async space(): Promise<Space> {
    return { freeBytes: 2 ** 40, totalBytes: 2 ** 41 }
  }

  /** One changing operation begins: logged, held, failed or lost as a test asked for. */
  async step(operation: Operation, path: string, detail = '', write?: (bytes: number) => void): Promise<void> {
    const isAsked = (on: { operation: Operation; path: RegExp }) => on.operation === operation && on.path.test(path)
    for (let hold = this.#holds.find(isAsked); hold; hold = this.#holds.find(isAsked)) await hold.free
    await Promise.resolve()
    if (this.operationsLeft-- <= 0) return await new Promise(() => {})
    const fault = this.#faults.find(isAsked)
    if (!fault || fault.skipped-- > 0) {
      this.log.push(`${operation} ${path}${detail}`)
      return
    }
    this.#faults.splice(this.#faults.indexOf(fault), 1)
    write?.(fault.written)
    this.log.push(`${operation} ${path}${detail} failed ${fault.code}`)
    throw systemError(fault.code, path)
  }

  #entry(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#root
    for (const name of segmentsOf(path)) entry = entry?.kind === 'directory' ? entry.names.get(name) : undefined
    return entry
  }

  #directory(path: string): Directory {
    const entry = this.#entry(path)
    if (!entry) throw systemError('ENOENT', path)
    if (entry.kind !== 'directory') throw systemError('ENOTDIR', path)
    return entry
  }
}

class MemoryFile implements OpenFile {
  readonly #files: MemoryFiles
  readonly #path: string
  readonly #file: Content
  #closed = false

  constructor(files: MemoryFiles, path: string, file: Content) {
    this.#files = files
    this.#path = path
    this.#file = file
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#use()
    const piece = this.#file.content.subarray(position, position + into.length)
    into.set(piece)
    return piece.length
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#use()
    // A copy: `slice` of a Buffer would be a view of memory that is used again.
    const write = (count: number) =>
      changeContent(this.#file, { at: position, bytes: new Uint8Array(bytes.subarray(0, count)) })
    await this.#files.step('write', this.#path, ` ${position}+${bytes.length}`, write)
    write(bytes.length)
  }

  async datasync(): Promise<void> {
    this.#use()
    const file = this.#file
    if (file.suspect) this.#files.breaches.push(`${this.#path} was synced again after a failed sync`)
    try {
      await this.#files.step('datasync', this.#path)
    } catch (error) {
      // As Linux does it: what was to be written stays readable, is called clean, and is never on the disk.
      file.suspect = true
      file.unsynced.length = 0
      throw error
    }
    for (const change of file.unsynced.splice(0)) file.durable = applyContent(file.durable, change)
  }

  async truncate(lengthBytes: number): Promise<void> {
    this.#use()
    await this.#files.step('truncate', this.#path, ` ${lengthBytes}`)
    changeContent(this.#file, { truncate: lengthBytes })
  }

  async size(): Promise<number> {
    this.#use()
    return this.#file.content.length
  }

  async close(): Promise<void> {
    this.#use()
    this.#closed = true
  }

  #use(): void {
    if (this.#closed) this.#files.breaches.push(`${this.#path} was used after it was closed`)
  }
}

/** An error as the system makes it. */
export function systemError(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: a fault of the test's disk, '${path}'`), { code })
}

function segmentsOf(path: string): string[] {
  return normalize(path)
    .split('/')
    .filter((name) => name !== '' && name !== '.')
}
