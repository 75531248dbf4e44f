/** The disk as one process or thread sees it: operations take time, fail when told to, and may be cut off by a crash. */

import { basename, dirname } from 'node:path'
import type { Files, OpenFile, Space } from '../../src/platform/files.ts'
import { systemError } from '../memory-files.ts'
import type { Seeded } from '../seeded.ts'
import { DirectoryNode, type Disk, FileNode } from './disk.ts'
import type { DiskFaults, Operation } from './disk-faults.ts'
import { magnitude, type Strand, type World } from './world.ts'

/** What an operation does: all of it, or what is left of it when it is cut off (or fails, if that makes a difference). */
interface Effect<T> {
  whole(): T
  cut(random: Seeded): void
  failed?(random: Seeded): void
}

/** A process that uses the disk. */
export interface DiskUser {
  strand: Strand
  /** Its number: a file on which a sync failed must not be synced again by the same process. */
  process: number
  /** Hears of each operation that begins; it may end the strand. */
  onOperation(): void
}

/** The operations of one strand. */
export class FaultyFiles implements Files {
  readonly world: World
  readonly disk: Disk
  readonly faults: DiskFaults
  readonly user: DiskUser
  readonly #random: Seeded
  readonly #underWay = new Set<Effect<unknown>>()
  readonly #durableDirectories = new Set<string>()

  constructor(world: World, disk: Disk, faults: DiskFaults, user: DiskUser) {
    this.world = world
    this.disk = disk
    this.faults = faults
    this.user = user
    this.#random = world.fork()
  }

  /** No operation is under way. */
  get isIdle(): boolean {
    return this.#underWay.size === 0
  }

  /** The strand has ended: what was under way happens, in part or not at all. */
  cutOff(): void {
    for (const effect of this.#underWay) effect.cut(this.#random)
    this.#underWay.clear()
  }

  async open(path: string, mode: 'read' | 'create' | 'replace' | 'update'): Promise<OpenFile> {
    const create = () => {
      const directory = this.disk.directory(dirname(path))
      const there = directory.names.get(basename(path))
      if (there instanceof DirectoryNode) throw systemError('EISDIR', path)
      if (there && mode === 'create') throw systemError('EEXIST', path)
      if (there) {
        if (mode === 'replace') there.change({ truncateTo: 0 })
        return there
      }
      if (mode === 'read' || mode === 'update') throw systemError('ENOENT', path)
      const file = new FileNode()
      directory.change({ set: basename(path), node: file })
      return file
    }
    const isMaking = mode === 'create' || mode === 'replace'
    const cut = (random: Seeded) => void (isMaking && random.chance(0.3) && attempt(create))
    const file = await this.operate('open', path, ` ${mode}`, { whole: create, cut })
    return new OpenedFile(this, path, file)
  }

  async list(directory: string): Promise<string[]> {
    await this.reading(directory)
    return this.disk.list(directory)
  }

  async sizeOf(path: string): Promise<number | undefined> {
    await this.reading(path)
    return this.disk.file(path)?.content.length
  }

  rename(from: string, to: string): Promise<void> {
    return this.operate(
      'rename',
      from,
      ` ${basename(to)}`,
      maybe(() => this.disk.rename(from, to)),
    )
  }

  remove(path: string): Promise<void> {
    return this.operate(
      'remove',
      path,
      '',
      maybe(() => this.disk.remove(path)),
    )
  }

  async makeDirectory(path: string): Promise<void> {
    const missing: string[] = []
    for (let made = path; made !== '.' && !this.disk.node(made); made = dirname(made)) missing.unshift(made)
    for (const made of missing) {
      const make = () => {
        const parent = this.disk.directory(dirname(made))
        if (!parent.names.has(basename(made))) parent.change({ set: basename(made), node: new DirectoryNode() })
      }
      await this.operate('mkdir', made, '', maybe(make))
      this.#durableDirectories.delete(made)
    }
    const synced: string[] = []
    for (let made = path; made !== '.' && !this.#durableDirectories.has(made); made = dirname(made)) {
      await this.syncDirectory(dirname(made))
      synced.push(made)
    }
    for (const made of synced) this.#durableDirectories.add(made)
  }

  syncDirectory(path: string): Promise<void> {
    return this.operate(
      'sync-directory',
      path,
      '',
      maybe(() => this.disk.directory(path).sync()),
    )
  }

  async space(): Promise<Space> {
    return { freeBytes: 2 ** 40, totalBytes: 2 ** 41 }
  }

  /** Looks at something: takes no time, may fail. */
  async reading(path: string): Promise<void> {
    if (this.user.strand.dead) return await never()
    const code = this.faults.take('read')
    if (!code) return
    this.world.log(`${this.user.strand.name} read ${path} failed ${code}`)
    throw systemError(code, path)
  }

  /** One operation that changes something: it takes time, and is whole, failed or cut off at the end of it. */
  operate<T>(operation: Operation, path: string, detail: string, effect: Effect<T>): Promise<T> {
    const { strand } = this.user
    if (strand.dead) return never()
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#underWay.delete(effect)
        const code = this.faults.take(operation)
        this.world.log(`${strand.name} ${operation} ${path}${detail}${code ? ` failed ${code}` : ''}`)
        if (code) {
          if (effect.failed) effect.failed(this.#random)
          else effect.cut(this.#random)
          return reject(systemError(code, path))
        }
        try {
          resolve(effect.whole())
        } catch (error) {
          reject(error)
        }
      }
      this.#underWay.add(effect)
      this.world.after(this.#latencyMs(), end, strand)
      this.user.onOperation()
    })
  }

  #latencyMs(): number {
    const isSlow = this.#random.chance(0.03)
    return isSlow ? magnitude(this.#random, 3, 3000) : magnitude(this.#random, 0.02, 3)
  }
}

class OpenedFile implements OpenFile {
  readonly #files: FaultyFiles
  readonly #path: string
  readonly #file: FileNode
  #isClosed = false

  constructor(files: FaultyFiles, path: string, file: FileNode) {
    this.#files = files
    this.#path = path
    this.#file = file
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#use()
    await this.#files.reading(this.#path)
    const piece = this.#file.content.view().subarray(position, position + into.length)
    into.set(piece)
    return piece.length
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    this.#use()
    // A copy: `slice` of a Buffer would be a view of memory that is used again.
    const writeFirst = (count: number) =>
      this.#file.change({ at: position, bytes: new Uint8Array(bytes.subarray(0, count)) })
    return this.#files.operate('write', this.#path, ` ${position}+${bytes.length}`, {
      whole: () => writeFirst(bytes.length),
      cut: (random) => writeFirst(random.below(bytes.length + 1)),
    })
  }

  datasync(): Promise<void> {
    this.#use()
    const { process } = this.#files.user
    if (this.#file.syncFailedIn === process) {
      this.#files.world.breach(`${this.#path} was synced again after a sync of it had failed`)
    }
    return this.#files.operate('datasync', this.#path, '', {
      whole: () => this.#file.sync(),
      // The process is gone, but nothing failed: the next sync finds all that this one had not written.
      cut: (random) => void (random.chance(0.5) && this.#file.sync()),
      failed: (random) => {
        this.#file.failSync(random)
        this.#file.syncFailedIn = process
      },
    })
  }

  truncate(lengthBytes: number): Promise<void> {
    this.#use()
    const effect = maybe(() => this.#file.change({ truncateTo: lengthBytes }))
    return this.#files.operate('truncate', this.#path, ` ${lengthBytes}`, effect)
  }

  async size(): Promise<number> {
    this.#use()
    await this.#files.reading(this.#path)
    return this.#file.content.length
  }

  async close(): Promise<void> {
    this.#use()
    this.#isClosed = true
  }

  #use(): void {
    if (this.#isClosed) this.#files.world.breach(`${this.#path} was used after it was closed`)
  }
}

/** Something that is done or isn't: one that failed is now and then done all the same. */
function maybe(run: () => void): Effect<void> {
  return { whole: run, cut: (random) => void (random.chance(0.3) && attempt(run)) }
}

function attempt(run: () => unknown): void {
  try {
    run()
  } catch {
    // It was going to fail in any case.
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}
