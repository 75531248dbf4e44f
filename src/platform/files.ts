/** The disk: every file operation the program makes, with the real implementation; the simulator replaces it. */

import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'

/** One open file. Positions and lengths are in bytes. */
export interface OpenFile {
  /** Reads up to `into.length` bytes at `position`; returns how many, 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>
  /**
   * Writes all of `bytes` at `position`, where they are a piece of `wholeBytes` at once: a long whole is no work for the caller's
   * own thread. Rejects with the system's error (`ENOSPC`, `EIO`, …).
   */
  write(bytes: Uint8Array, position: number, wholeBytes?: number): Promise<void>
  /** `fdatasync`: content and length are on the disk when it resolves. Never call it again after it rejected. */
  datasync(): Promise<void>
  truncate(lengthBytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

/** Space on the file system that holds a path, in bytes. */
export interface Space {
  freeBytes: number
  totalBytes: number
}

/** The file system. All paths are absolute or relative to the working directory. */
export interface Files {
  /** `create` fails with `EEXIST` when the path exists; `replace` truncates what is there. */
  open(path: string, mode: 'read' | 'create' | 'replace' | 'update'): Promise<OpenFile>
  /** Names in a directory, sorted; empty when the directory doesn't exist. */
  list(directory: string): Promise<string[]>
  /** The file's length, or undefined when there is none. */
  sizeOf(path: string): Promise<number | undefined>
  rename(from: string, to: string): Promise<void>
  /** Removes a file; no error when there is none. */
  remove(path: string): Promise<void>
  /** Makes a directory and its parents, each made durable in its parent. */
  makeDirectory(path: string): Promise<void>
  /** Makes renames, creations and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>
  space(path: string): Promise<Space>
}

/**
 * Up to here a write is done on the calling thread: it only copies into the page cache (0.2 ms a MiB), which takes less
 * than handing it to another thread and back. What waits for the disk is the sync.
 */
const INLINE_WRITE_BYTES_MAX = 1 << 20

/** Directories whose names this process has seen made durable. */
const durableDirectories = new Set<string>()

/** The machine's own file system. */
export const systemFiles: Files = {
  open(path, mode) {
    // A pipe that stands where a file should be has nothing in it, and nobody waits for its other end.
    const read = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK
    const flags = { read, create: 'wx+', replace: 'w+', update: 'r+' }[mode]
    return new Promise((resolve, reject) => {
      fs.open(path, flags, 0o600, (error, fd) => (error ? reject(error) : resolve(new SystemFile(fd, path))))
    })
  },
  async list(directory) {
    try {
      return (await fs.promises.readdir(directory)).sort()
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  },
  async sizeOf(path) {
    try {
      return (await fs.promises.stat(path)).size
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  },
  rename: (from, to) => fs.promises.rename(from, to),
  remove: (path) => fs.promises.rm(path, { force: true }),
  async makeDirectory(path) {
    const target = resolve(path)
    const firstMade = await fs.promises.mkdir(target, { recursive: true, mode: 0o700 })
    const isNew = (directory: string) => firstMade !== undefined && directory.length >= firstMade.length
    for (let made = target; isNew(made); made = dirname(made)) durableDirectories.delete(made)
    const synced: string[] = []
    // Also what was there: an earlier process may have made it and not lived to sync it. Once for each is enough.
    for (let made = target; made !== dirname(made); made = dirname(made)) {
      if (durableDirectories.has(made)) break
      try {
        await this.syncDirectory(dirname(made))
      } catch (error) {
        // A directory above that we may pass through but not read: nothing of ours can have been made in it.
        if (isNew(made) || !isForbidden(error)) throw error
      }
      synced.push(made)
    }
    for (const directory of synced) durableDirectories.add(directory)
  },
  async syncDirectory(path) {
    const handle = await fs.promises.open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  async space(path) {
    const stat = await fs.promises.statfs(path)
    return { freeBytes: stat.bavail * stat.bsize, totalBytes: stat.blocks * stat.bsize }
  },
}

class SystemFile implements OpenFile {
  readonly #fd: number
  readonly #path: string

  constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, into, 0, into.length, position, (error, count) => {
        if (!error) return resolve(count)
        // A directory can be opened; only its reading says what it is, and not its name.
        reject(Object.assign(error, { path: this.#path, message: `${error.message} '${this.#path}'` }))
      })
    })
  }

  async write(bytes: Uint8Array, position: number, wholeBytes = bytes.length): Promise<void> {
    if (wholeBytes > INLINE_WRITE_BYTES_MAX) return this.#writeBeside(bytes, position)
    for (let done = 0; done < bytes.length; ) {
      done += fs.writeSync(this.#fd, bytes, done, bytes.length - done, position + done)
    }
  }

  #writeBeside(bytes: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (done: number) => {
        fs.write(this.#fd, bytes, done, bytes.length - done, position + done, (error, count) => {
          if (error) reject(error)
          else if (done + count < bytes.length) step(done + count)
          else resolve()
        })
      }
      step(0)
    })
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => fs.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve())))
  }

  truncate(lengthBytes: number): Promise<void> {
    return new Promise((resolve, reject) =>
      fs.ftruncate(this.#fd, lengthBytes, (error) => (error ? reject(error) : resolve())),
    )
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) =>
      fs.fstat(this.#fd, (error, stat) => (error ? reject(error) : resolve(stat.size))),
    )
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => fs.close(this.#fd, (error) => (error ? reject(error) : resolve())))
  }
}

/** Whether an error says that the file or directory doesn't exist. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}

function isForbidden(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EACCES' || code === 'EPERM'
}

/** The bytes of a file from `from` on, `length` of them or fewer at its end. */
export async function readStretch(files: Files, path: string, from: number, length: number): Promise<Buffer> {
  const file = await files.open(path, 'read')
  try {
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const count = await file.read(bytes.subarray(done), from + done)
      if (count === 0) break
      done += count
    }
    return bytes.subarray(0, done)
  } finally {
    await file.close()
  }
}
