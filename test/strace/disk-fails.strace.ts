/**
 * The program itself on a disk that fails it, in the kernel's own words: strace(1) answers some of its system calls in the
 * disk's place. Needs strace and a machine that lets it trace: `npm test -- ./test/strace/disk-fails.strace.ts`
 */

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { seeded } from '../seeded.ts'

const CLIENTS = 8

/** Of each thread's calls the 25th and every 20th after it: the start is over by then. */
const WHEN = '25+20'

/** A traced call: what it was asked of, and how it ended. */
interface Call {
  name: string
  path: string
  flags: string
  isInjected: boolean
}

/** Calls in the order in which they began, or ended where that matters: a failure counts from its answer on. */
function callsIn(trace: string): Call[] {
  const begun = new Map<string, string>()
  const calls: Call[] = []
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (rest.endsWith('<unfinished ...>')) {
      begun.set(thread, rest.replace(/<unfinished \.\.\.>$/, ''))
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1]
    const text = resumed === undefined ? rest : (begun.get(thread) ?? '') + resumed
    const [, name, args = ''] = /^(\w+)\((.*)\) += /.exec(text) ?? []
    const path = /^AT_FDCWD(?:<[^>]*>)?, "([^"]*)"/.exec(args)?.[1] ?? /^\d+<([^>]*)>/.exec(args)?.[1]
    if (name === undefined || path === undefined) continue
    calls.push({ name, path, flags: args, isInjected: text.endsWith('(INJECTED)') })
  }
  return calls
}

/** Files that were synced again after a sync of them had failed. One that was made anew is another. */
function syncedAgain(calls: readonly Call[]): string[] {
  const failed = new Set<string>()
  const again: string[] = []
  for (const { name, path, flags, isInjected } of calls) {
    if (name === 'openat' && /O_EXCL|O_TRUNC/.test(flags)) failed.delete(path)
    if (name !== 'fdatasync') continue
    if (failed.has(path)) again.push(path)
    if (isInjected) failed.add(path)
  }
  return again
}

test.each([
  { call: 'fdatasync', code: 'EIO', refusal: '503 journal_failed' },
  { call: 'pwrite64', code: 'EIO', refusal: '503 journal_failed' },
  { call: 'pwrite64', code: 'ENOSPC', refusal: '503 disk_full' },
])(
  '$call answers $code now and then: 503, never an ack; it goes on by itself, and what was acked is there once',
  async ({ call, code, refusal }) => {
    using scratch = new Scratch()
    const trace = scratch.at('trace')
    const under = ['strace', '-D', '-f', '-y', '-o', trace, '-e', 'trace=openat,fdatasync,pwrite64', '-s', '0']
    const args = ['--data', scratch.at('data'), '--linger', '50ms']
    const inject = ['-e', `inject=${call}:error=${code}:when=${WHEN}`]
    await using millrace = await Millrace.start(args, {}, [...under, ...inject])
    const ledger = new Ledger(seeded(1))
    for (let time = 1; time <= 3; time++) {
      const refused = ledger.unkept.length
      await ledger.run(millrace.url, CLIENTS, () => ledger.unkept.length > refused)
      const kept = ledger.kept.size
      await ledger.run(millrace.url, CLIENTS, () => ledger.kept.size > kept + 50)
    }
    expect(ledger.unanswered).toBe(0)
    expect(ledger.refusals).toEqual([refusal])
    expect(millrace.output).toContain('the journal can be written again')
    expect(await millrace.stop()).toEqual({ code: 0, signal: null })

    // What the faults kept from being stored in time is stored by a process without them.
    await using well = await Millrace.start(args)
    expect(await well.stop()).toEqual({ code: 0, signal: null })
    ledger.expectKept(readObjectsIn(scratch.at('data/objects')))

    const calls = callsIn(readFileSync(trace, 'utf8'))
    const failed = calls.filter(({ isInjected }) => isInjected)
    expect(failed.filter(({ name }) => name !== call)).toEqual([])
    expect(failed.filter(({ path }) => path.includes('/lane-0/')).length).toBeGreaterThan(0)
    expect(syncedAgain(calls)).toEqual([])
  },
)

test('the trace is read well: a file that is synced again after its sync has failed is found', () => {
  const again = `1 openat(AT_FDCWD</x>, "/d/1.open", O_RDWR|O_CREAT|O_EXCL, 0600) = 9</d/1.open>
1 fdatasync(9</d/1.open> <unfinished ...>
2 fdatasync(8</d/2.open>) = 0
1 <... fdatasync resumed>) = -1 EIO (Input/output error) (INJECTED)
2 fdatasync(9</d/1.open>) = 0
`
  expect(syncedAgain(callsIn(again))).toEqual(['/d/1.open'])
  const anew = again.replace(
    /\n2 fdatasync\(9/,
    '\n2 openat(AT_FDCWD</x>, "/d/1.open", O_RDWR|O_EXCL, 0600) = 9\n2 fdatasync(9',
  )
  expect(syncedAgain(callsIn(anew))).toEqual([])
})
