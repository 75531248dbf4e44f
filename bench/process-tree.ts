/** What a process and all below it have used, from Linux's own accounts: CPU seconds of every thread, and the peak of memory. */

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** One line of /proc/PID/stat, as far as it matters here. */
export interface ProcessStat {
  pid: number
  parent: number
  /** Clock ticks of the process, its threads (those that ended, too), and its children that ended. */
  ticks: number
}

/** Reads a line of /proc/PID/stat. The name in brackets may hold anything, brackets and spaces too. */
export function parseStat(line: string): ProcessStat {
  const pid = Number.parseInt(line, 10)
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  // utime, stime, cutime, cstime: see proc(5).
  return { pid, parent: field(4), ticks: field(14) + field(15) + field(16) + field(17) }
}

/** `root` and everything below it. */
export function treeOf(root: number, all: readonly ProcessStat[]): ProcessStat[] {
  const tree = all.filter(({ pid }) => pid === root)
  // Grows while it is walked: children of children are found, too.
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid))
  return tree
}

/** The value of a line such as `VmHWM:   79104 kB`, in bytes; 0 when there is none (a process that is ending). */
export function parseKilobytes(status: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)
  return match ? Number(match[1]) * 1024 : 0
}

/** CPU seconds, user and system, of `root`'s tree since it began. */
export function cpuSeconds(root: number): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const ticks = treeOf(root, everyProcess()).reduce((sum, stat) => sum + stat.ticks, 0)
  return ticks / ticksPerSecond
}

/** The most memory that `root`'s tree had resident: each process's own peak, added up. */
export function rssPeakBytes(root: number): number {
  return memoryOf(root, 'VmHWM')
}

/** The memory that `root`'s tree has resident now. */
export function rssBytes(root: number): number {
  return memoryOf(root, 'VmRSS')
}

let ticksPerSecond: number | undefined

function memoryOf(root: number, name: string): number {
  const bytes = treeOf(root, everyProcess()).map(({ pid }) => parseKilobytes(procFile(pid, 'status') ?? '', name))
  return bytes.reduce((sum, one) => sum + one, 0)
}

function everyProcess(): ProcessStat[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    const line = procFile(Number(pid), 'stat')
    return line === undefined ? [] : parseStat(line)
  })
}

/** Undefined when the process is gone. */
function procFile(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return undefined
  }
}
