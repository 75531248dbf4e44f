/** What Linux says of processes is read right: odd names, children of children, peaks of memory. */

import { expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { cpuSeconds, parseKilobytes, parseStat, rssPeakBytes, treeOf } from '../../bench/process-tree.ts'

const stat = (pid: number, parent: number) => ({ pid, parent, ticks: 1 })

test('a process whose name has brackets and spaces is read, with the ticks of its ended children', () => {
  const line =
    '42 (a) R (b) 7) S 41 42 42 0 -1 4194560 8 0 1 0 100 20 3000 4 20 0 1 0 15 3891200 545 18446744073709551615 1 1'
  expect(parseStat(line)).toEqual({ pid: 42, parent: 41, ticks: 3124 })
})

test('a tree has its children’s children, in whatever order they are listed, and nobody else', () => {
  const all = [stat(9, 5), stat(2, 1), stat(5, 3), stat(3, 1), stat(1, 0), stat(7, 6)]
  const pids = (root: number) => treeOf(root, all).map(({ pid }) => pid)
  expect(pids(1).toSorted()).toEqual([1, 2, 3, 5, 9])
  expect(pids(3)).toEqual([3, 5, 9])
  expect(pids(8)).toEqual([])
})

test('memory is read in bytes, and a process that is ending has none', () => {
  const status = 'Name:\tbun\nVmPeak:\t  999 kB\nVmHWM:\t   79104 kB\nVmRSS:\t   70000 kB\n'
  expect(parseKilobytes(status, 'VmHWM')).toBe(79_104 * 1024)
  expect(parseKilobytes(status, 'VmRSS')).toBe(70_000 * 1024)
  expect(parseKilobytes('Name:\tbun\nState:\tZ\n', 'VmHWM')).toBe(0)
})

test.if(process.platform === 'linux')('a running process’s CPU and memory are those of its children, too', async () => {
  // The shell waits; a child of it works until it has used a tenth of a second, and then waits as well.
  const work =
    'const wanted = 100_000; while (process.cpuUsage().user < wanted); console.log("done"); setInterval(() => {}, 1e6)'
  const shell = spawn('sh', ['-c', '"$0" -e "$1" & wait', process.execPath, work], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await new Promise((resolve) => shell.stdout.once('data', resolve))
    const pid = shell.pid as number
    expect(cpuSeconds(pid)).toBeGreaterThanOrEqual(0.09)
    expect(rssPeakBytes(pid)).toBeGreaterThan(10_000_000)
  } finally {
    process.kill(-(shell.pid as number), 'SIGKILL')
  }
})
