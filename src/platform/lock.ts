/** A lock on a file that the kernel gives up by itself when the process ends, however it ends: `flock(2)`. */

import { dlopen } from 'bun:ffi'
import * as fs from 'node:fs'

const LOCK_EX = 2
const LOCK_NB = 4

/** Where the C library is, by platform; the first that loads is used (glibc, then musl). */
const C_LIBRARIES = {
  linux: ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`],
  darwin: ['libSystem.B.dylib'],
} as Record<string, readonly string[]>

/** A lock that is held. */
export interface FileLock {
  /** Its file. A child process that inherits it holds the lock as well, until it ends. */
  readonly fd?: number
  release(): void
}

/** Takes the lock and writes this process's id into the file, or returns what the holder wrote there. */
export function lockFile(path: string): FileLock | { heldBy: string } {
  // Node and Bun have no flock. Opened without truncation: the content belongs to whoever holds the lock.
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  if (flock()(fd, LOCK_EX | LOCK_NB) !== 0) {
    const heldBy = fs.readFileSync(fd, 'latin1').trim()
    fs.closeSync(fd)
    return { heldBy }
  }
  try {
    // Over what stands there, and only then cut: a full disk may not give back a block that was let go of.
    fs.ftruncateSync(fd, fs.writeSync(fd, `${process.pid}\n`, 0))
  } catch {
    // It is for a message alone. A start on a full disk must not fail for want of it: delivering is what makes room.
  }
  return { fd, release: () => fs.closeSync(fd) }
}

let loaded: ((fd: number, operation: number) => number) | undefined

function flock() {
  for (const name of C_LIBRARIES[process.platform] ?? []) {
    try {
      loaded ??= dlopen(name, { flock: { args: ['i32', 'i32'], returns: 'i32' } }).symbols.flock
    } catch {
      // The next name, then.
    }
  }
  if (!loaded) throw new Error(`no flock(2) on ${process.platform}: Millrace runs on Linux and macOS`)
  return loaded
}
