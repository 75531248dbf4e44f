/** With a function behind the journal: what was acked is given to it until it has taken it, whatever happens to the process. */

import { expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseReceipt } from '../../src/journal/name.ts'
import { readLedger } from '../../src/observe/ledger-files.ts'
import { systemFiles } from '../../src/platform/files.ts'
import { millrace } from '../commands/run-command.ts'
import { Load } from '../load.ts'
import { Scratch } from '../millrace.ts'
import { seeded } from '../seeded.ts'

/** How often it is killed; more of them is a matter of patience. */
const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 5)
const PROGRAM = join(import.meta.dir, 'handler-program.ts')

interface Taken {
  receipt: string
  index: number
  payloads: string[]
}

/** Starts the program and waits until it listens. */
async function start(args: readonly string[]) {
  const { PATH, HOME } = process.env
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH, HOME },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (text) => resolve(/listens on (\S+)/.exec(`${text}`)?.[1] ?? ''))
    void exited.then((code) => reject(new Error(`it ended with ${code}`)))
  })
  return { url, child, exited }
}

const linesIn = (path: string) =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line): Taken => JSON.parse(line))
    : []

/** Segments that are over for good. */
async function overIn(data: string): Promise<Set<string>> {
  const over = new Set<string>()
  for await (const { segment, tag } of readLedger(systemFiles, join(data, 'ledger'))) over.add(`${segment}-${tag}`)
  return over
}

test.each(['record', 'payload'])(
  'kill -9 under load, again and again, a call for each %s: all that was acked is taken, and nothing again that was over',
  async (batch) => {
    using scratch = new Scratch()
    const [data, path] = [scratch.at('data'), scratch.at('taken')]
    const random = seeded(batch.length)
    const load = new Load()
    const again: string[] = []
    let over = new Set<string>()
    let seen = 0
    const look = async () => {
      const fresh = linesIn(path).slice(seen)
      seen += fresh.length
      for (const { receipt } of fresh) {
        const parts = parseReceipt(receipt)
        if (over.has(`${parts?.segment}-${parts?.tag}`)) again.push(receipt)
      }
      over = await overIn(data)
    }
    for (let round = 0; round < ROUNDS; round++) {
      const { url, child, exited } = await start([data, path, batch])
      const before = load.acked.size
      const wanted = 100 + random.below(400)
      await load.run(url, 8, () => {
        // From inside the load, so that requests and calls are under way when it strikes.
        if (load.acked.size - before > wanted) child.kill('SIGKILL')
        return false
      })
      expect(await exited).toBeNull()
      await look()
    }
    const last = await start([data, path, batch])
    last.child.kill('SIGTERM')
    expect(await last.exited).toBe(0)
    await look()
    expect(again).toEqual([])
    expect(over.size).toBeGreaterThan(5)

    const taken = new Set(linesIn(path).flatMap(({ payloads }) => payloads))
    expect([...load.acked].filter((payload) => !taken.has(payload))).toEqual([])
    const unknown = [...taken].filter((payload) => !load.acked.has(payload) && !load.unanswered.has(payload))
    expect(unknown).toEqual([])
    expect(load.refusals).toEqual([])
    // The same call is the same payloads, however often it is made: a name to know repeats by.
    const byName = new Map<string, string>()
    for (const { receipt, index, payloads } of linesIn(path)) {
      const name = `${receipt}-${index}`
      expect(byName.get(name) ?? `${payloads}`).toBe(`${payloads}`)
      byName.set(name, `${payloads}`)
    }
    if (ROUNDS > 5)
      console.log(
        `${batch}: ${load.acked.size} payloads acked, ${linesIn(path).length} calls, ${byName.size} of them different`,
      )
    const { code, out } = await millrace(['verify', '--data', data])
    expect([code, out]).toEqual([0, expect.stringContaining('All that was accepted is there.')])
  },
  60_000 + ROUNDS * 10_000,
)
