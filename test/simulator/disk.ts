/** What the simulated disk holds: files and names as they are seen, as they are durable, and what a power loss leaves. */

import { basename, dirname } from 'node:path'
import { systemError } from '../memory-files.ts'
import type { Seeded } from '../seeded.ts'

/** A power loss leaves or loses an unsynced write in units of this many bytes. */
const SECTOR_BYTES = 512

type Change = { at: number; bytes: Uint8Array } | { truncateTo: number }
type NameChange = { set: string; node: Node } | { remove: string } | { from: string; to: string; node: Node }

/** Bytes that grow; zeros where nothing was written. */
class Bytes {
  length = 0
  #memory = new Uint8Array(256)

  view(): Uint8Array {
    return this.#memory.subarray(0, this.length)
  }

  apply(change: Change): void {
    if ('truncateTo' in change) {
      this.#reserve(change.truncateTo)
      if (change.truncateTo < this.length) this.#memory.fill(0, change.truncateTo, this.length)
      this.length = change.truncateTo
    } else if (change.bytes.length > 0) {
      const end = change.at + change.bytes.length
      this.#reserve(end)
      this.#memory.set(change.bytes, change.at)
      this.length = Math.max(this.length, end)
    }
  }

  become(other: Bytes): void {
    this.#memory = other.#memory.slice(0, Math.max(256, other.length))
    this.length = other.length
  }

  #reserve(length: number): void {
    if (length <= this.#memory.length) return
    const longer = new Uint8Array(Math.max(length, this.#memory.length * 2))
    longer.set(this.view())
    this.#memory = longer
  }
}

/** A file: what a reader sees is `content`, whatever its name is. */
export class FileNode {
  readonly content = new Bytes()
  /** The process (by number) during which a sync of this file failed: it must not sync it again. */
  syncFailedIn = 0
  readonly #durable = new Bytes()
  #unsynced: Change[] = []

  change(change: Change): void {
    this.content.apply(change)
    this.#unsynced.push(change)
  }

  sync(): void {
    for (const change of this.#unsynced) this.#durable.apply(change)
    this.#unsynced = []
  }

  /** As Linux does it: some of what was to be written is on the disk, the rest never will be, and all of it is readable. */
  failSync(random: Seeded): void {
    this.#keepSome(random)
  }

  losePower(random: Seeded): void {
    this.#keepSome(random)
    this.content.become(this.#durable)
    this.syncFailedIn = 0
  }

  /** Nothing, all, the first changes with the last of them cut or zeroed, or any sectors of any changes. */
  #keepSome(random: Seeded): void {
    const changes = this.#unsynced
    this.#unsynced = []
    if (changes.length === 0) return
    const how = random.below(4)
    if (how === 0) return
    const kept = how === 2 ? changes.slice(0, random.below(changes.length + 1)) : changes
    const last = kept.at(-1)
    for (const change of kept) {
      if (how === 3) this.#keepSectors(change, random)
      else if (how === 2 && change === last) this.#keepBeginning(change, random)
      else this.#durable.apply(change)
    }
  }

  #keepBeginning(change: Change, random: Seeded): void {
    if ('truncateTo' in change) return this.#durable.apply(change)
    const bytes = change.bytes.slice()
    if (random.chance(0.5)) bytes.fill(0, random.below(bytes.length + 1))
    const length = random.chance(0.5) ? bytes.length : random.below(bytes.length + 1)
    this.#durable.apply({ at: change.at, bytes: bytes.subarray(0, length) })
  }

  #keepSectors(change: Change, random: Seeded): void {
    if ('truncateTo' in change) {
      if (random.chance(0.5)) this.#durable.apply(change)
      return
    }
    for (let at = 0; at < change.bytes.length; ) {
      const end = Math.min(change.bytes.length, at + SECTOR_BYTES - ((change.at + at) % SECTOR_BYTES))
      if (random.chance(0.5)) this.#durable.apply({ at: change.at + at, bytes: change.bytes.subarray(at, end) })
      at = end
    }
  }
}

/** A directory: names that are seen, names that are durable, and what was changed in between. */
export class DirectoryNode {
  names = new Map<string, Node>()
  readonly #durable = new Map<string, Node>()
  #unsynced: NameChange[] = []

  change(change: NameChange): void {
    applyName(this.names, change)
    this.#unsynced.push(change)
  }

  sync(): void {
    for (const change of this.#unsynced) applyName(this.#durable, change)
    this.#unsynced = []
  }

  /** Nothing, all, the first changes (a journaling file system's way), or any of them. */
  losePower(random: Seeded): void {
    const changes = this.#unsynced
    this.#unsynced = []
    const how = random.below(4)
    const firsts = how === 0 ? 0 : how === 2 ? random.below(changes.length + 1) : changes.length
    for (const change of changes.slice(0, firsts)) {
      if (how !== 3 || random.chance(0.5)) applyName(this.#durable, change)
    }
    this.names = new Map(this.#durable)
    for (const node of this.names.values()) node.losePower(random)
  }
}

type Node = FileNode | DirectoryNode

function applyName(names: Map<string, Node>, change: NameChange): void {
  if ('set' in change) names.set(change.set, change.node)
  else if ('remove' in change) names.delete(change.remove)
  else {
    // The file that was renamed, whatever has the old name on a disk that lost some of what came before.
    names.set(change.to, change.node)
    if (names.get(change.from) === change.node) names.delete(change.from)
  }
}

/** The disk: it outlives every process. Paths are relative. */
export class Disk {
  readonly #root = new DirectoryNode()

  node(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of path.split('/')) {
      if (name === '.' || name === '') continue
      node = node instanceof DirectoryNode ? node.names.get(name) : undefined
    }
    return node
  }

  file(path: string): FileNode | undefined {
    const node = this.node(path)
    return node instanceof FileNode ? node : undefined
  }

  /** The directory at `path`; throws the system's error when there is none. */
  directory(path: string): DirectoryNode {
    const node = this.node(path)
    if (node instanceof DirectoryNode) return node
    throw systemError(node ? 'ENOTDIR' : 'ENOENT', path)
  }

  /** Names in a directory, sorted. */
  list(path: string): string[] {
    const node = this.node(path)
    return node instanceof DirectoryNode ? [...node.names.keys()].sort() : []
  }

  /** The paths of all files below a directory, relative to it. */
  filesBelow(path: string, prefix = ''): string[] {
    const node = this.node(path)
    if (node instanceof FileNode) return [prefix]
    return this.list(path).flatMap((name) => this.filesBelow(`${path}/${name}`, prefix ? `${prefix}/${name}` : name))
  }

  rename(from: string, to: string): void {
    const directory = this.directory(dirname(from))
    const node = directory.names.get(basename(from))
    if (!node) throw systemError('ENOENT', from)
    directory.change({ from: basename(from), to: basename(to), node })
  }

  remove(path: string): void {
    const directory = this.node(dirname(path))
    if (!(directory instanceof DirectoryNode) || !directory.names.has(basename(path))) return
    directory.change({ remove: basename(path) })
  }

  losePower(random: Seeded): void {
    this.#root.losePower(random)
  }
}
