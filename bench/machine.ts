/** What a figure depends on beside the code: the machine, its kernel, the runtime, and the disk that is synced to. */

import { execFileSync } from 'node:child_process'
import { cpus, release, tmpdir, totalmem, type } from 'node:os'

/** Where a result was measured. */
export interface Machine {
  cpu: string
  cores: number
  memoryBytes: number
  kernel: string
  bun: string
  /** The file system of the data directories, as `stat -f` names it. */
  disk: string
}

/** The state of the code that was measured. */
export interface Commit {
  commit: string
  /** Whether files under src/ differ from that commit. */
  changed: boolean
}

/** This machine. */
export function thisMachine(): Machine {
  const processors = cpus()
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    bun: Bun.version,
    disk: said('stat', ['-f', '-c', '%T', tmpdir()]),
  }
}

/** The code as it is checked out. */
export function thisCommit(): Commit {
  return {
    commit: said('git', ['rev-parse', '--short=10', 'HEAD']),
    changed: said('git', ['status', '--porcelain', '--', 'src']) !== '',
  }
}

/** A machine in a few words. */
export function machineWords({ cpu, cores, memoryBytes, kernel, bun, disk }: Machine): string {
  return `${cpu}, ${cores} cores, ${Math.round(memoryBytes / 2 ** 30)} GiB, ${kernel}, ${disk}, Bun ${bun}`
}

function said(command: string, args: string[]): string {
  try {
    return execFileSync(command, args, {
      cwd: import.meta.dir,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
