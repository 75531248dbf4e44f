/** A small disk of its own for a test, to be filled: mounted, so that this needs root. */

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Large enough for a file system's own needs, small enough to be filled in no time. */
const DISK_BYTES = 16 * 1024 * 1024

/** What the disk is: memory, or a file with a file system that has blocks, extents and a log of its own. */
export type DiskKind = 'tmpfs' | 'ext4'

/** A mounted file system; unmounted and gone when its scope is left. */
export class SmallDisk implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
  readonly #mount = join(this.#directory, 'mount')

  constructor(kind: DiskKind) {
    mkdirSync(this.#mount)
    try {
      if (kind === 'tmpfs') run('mount', '-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'none', this.#mount)
      else this.#mountExt4()
    } catch (error) {
      rmSync(this.#directory, { recursive: true })
      throw error
    }
  }

  /** A path on the disk. */
  at(...names: string[]): string {
    return join(this.#mount, ...names)
  }

  /** The share of the disk that is free. */
  get freeShare(): number {
    const { bavail, blocks } = statfsSync(this.#mount)
    return bavail / blocks
  }

  /** Takes all the room that is left, to the last block, but for a share of the disk. */
  fill(shareLeft = 0): void {
    const file = openSync(this.at('filler'), 'a')
    try {
      for (let bytes = 1 << 20; bytes >= 512; ) {
        try {
          writeSync(file, Buffer.alloc(bytes, 1))
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
          bytes /= 2
        }
      }
    } finally {
      closeSync(file)
    }
    const { size } = statSync(this.at('filler'))
    truncateSync(this.at('filler'), Math.max(0, size - shareLeft * DISK_BYTES))
  }

  /** Gives back what `fill` took. */
  free(): void {
    rmSync(this.at('filler'))
  }

  #mountExt4(): void {
    const image = join(this.#directory, 'image')
    writeFileSync(image, '')
    truncateSync(image, DISK_BYTES)
    // Without blocks kept for root, which the program may be running as.
    run('mkfs.ext4', '-q', '-m', '0', image)
    run('mount', '-o', 'loop', image, this.#mount)
  }

  [Symbol.dispose](): void {
    run('umount', '-l', this.#mount)
    rmSync(this.#directory, { recursive: true })
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === 0) return
  throw new Error(`no small disk to test on, which takes root and mount(8): ${command}: ${error?.message ?? stderr}`)
}
