/**
 * What got a 2xx is stored once, however often the program is killed: `kill -9` at moments that a seed chooses, under load
 * in every shape, with an S3 store behind a proxy that fails half of all requests. A few rounds in `npm test`; the full run:
 *
 *   KILL_ROUNDS=200 npm test -- test/promises/kill-rounds.test.ts
 *
 * `KILL_SEED`, which a failure prints, brings back the same plan: moments, options, faults and payloads. How processes
 * interleave is the machine's choice, so that a failure may take a few repeats to come back.
 */

import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { millrace } from '../commands/run-command.ts'
import { FaultProxy } from '../fault-proxy.ts'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { BUCKET, S3Store, s3Env } from '../s3-store.ts'
import { type Seeded, seeded } from '../seeded.ts'

const ROUNDS_USUAL = 12
const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? ROUNDS_USUAL)
const SEED = Number(process.env['KILL_SEED'] ?? crypto.getRandomValues(new Uint32Array(1))[0])
const CLIENTS = 16
/**
 * How many posts a round takes before each further one waits for a put: with half of its requests failing the store takes
 * less than clients can post, and what is left over would grow from round to round. More than any moment waits for.
 */
const POSTS_FREE_MAX = 400
/** Bounds on what is waited for; all of it usually takes a fraction. */
const ROUND_MS_MAX = 30_000
const REST_MS_MAX = 180_000

/** When a program is killed: at what, of all that happens to it. They take turns. */
const MOMENTS: Readonly<Record<string, (on: Program, random: Seeded) => void>> = {
  ack: (on, random) => on.ack(1 + random.below(300), on.kill),
  'put seen': (on, random) => on.put('seen', 1 + random.below(60), on.kill),
  'put stored': (on, random) => on.put('stored', 1 + random.below(30), on.kill),
  start: (on, random) => on.after(random.below(300), on.kill),
  listening: (on) => on.printed(/listens on/, on.kill),
  stop: (on, random) => {
    const last = random.pick([
      () => on.printed(/stopping/, on.kill),
      () => on.put('seen', 1 + random.below(8), on.kill),
      () => on.put('stored', 1 + random.below(4), on.kill),
      () => on.after(random.below(100), on.kill),
    ])
    on.ack(1 + random.below(300), () => {
      on.stop()
      last()
    })
  },
}

test(
  `kill -9 in ${ROUNDS} rounds, S3 failing half of the time: what was acked is stored once, byte for byte`,
  async () => {
    using scratch = new Scratch()
    await using store = new S3Store()
    // Each its own source: what is decided for one doesn't depend on how much the others got done.
    await using proxy = await FaultProxy.start(store.endpoint, seeded(SEED + 1))
    const ledger = new Ledger(seeded(SEED + 2))
    const random = seeded(SEED)
    const args = ['--data', scratch.at('data'), '--to', `s3://${BUCKET}/killed`, '--stop-grace', '2m']
    const endings: Record<string, number> = {}
    const errors: string[] = []
    const startedMs = performance.now()
    let output = ''
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const moment = Object.keys(MOMENTS)[round % Object.keys(MOMENTS).length] as string
        await using program = new Program([...args, ...options(random)], proxy, ledger)
        MOMENTS[moment]?.(program, random)
        const { signal, code } = await program.underLoad()
        output = program.millrace.output
        errors.push(...(output.match(/^.* error: .*$/gm) ?? []))
        // A stop may be done before the kill.
        expect({ moment, signal, code }).toEqual(
          code === 0 && program.isStopping
            ? { moment, signal: null, code: 0 }
            : { moment, signal: 'SIGKILL', code: null },
        )
        const ending = `${moment}${code === 0 ? ', done before the kill' : ''}`
        endings[ending] = (endings[ending] ?? 0) + 1
      }

      proxy.heal()
      await using last = await Millrace.start(args, s3Env(proxy.endpoint))
      expect((await fetch(`${last.url}/healthz`)).status).toBe(200)
      const exit = await last.stop()
      output = last.output
      expect(exit).toEqual({ code: 0, signal: null })
      expect(output).toContain('stopped; everything accepted is stored')
      // What the dead have sent and the proxy holds back is still to come.
      await proxy.quiet()

      expect(store.wrongs).toEqual([])
      // Of the store it may say what it likes; journal and ledger are whole.
      const { out } = await millrace(['verify', '--data', scratch.at('data'), '--json'], s3Env(store.endpoint))
      const { problems } = JSON.parse(out) as { problems: { kind: string }[] }
      expect(problems.filter(({ kind }) => !/^(object|not_checked)/.test(kind))).toEqual([])
      ledger.expectKept(store.lines())
      expect(errors).toEqual([])
      // One empty segment, which keeps the number: nothing undelivered, nothing set aside.
      expect(readdirSync(scratch.at('data/lane-0'))).toEqual([expect.stringMatching(/^\d{16}\.open$/)])
      // It was no walk in the park.
      expect(ledger.keptPayloads).toBeGreaterThan(ROUNDS * 10)
      const { passed: _, ...faults } = proxy.counts
      if (ROUNDS >= ROUNDS_USUAL) expect(Object.values(faults).reduce((sum, count) => sum + count)).toBeGreaterThan(20)
      if (ROUNDS > ROUNDS_USUAL) expect(Object.values(faults)).not.toContain(0)
    } catch (error) {
      console.error(`KILL_SEED=${SEED} KILL_ROUNDS=${ROUNDS}\n${JSON.stringify(endings)}\n${output}`)
      throw error
    }
    if (ROUNDS > ROUNDS_USUAL) {
      console.log({
        seed: SEED,
        seconds: Math.round((performance.now() - startedMs) / 1000),
        acked: { posts: ledger.kept.size, payloads: ledger.keptPayloads },
        unanswered: ledger.unanswered,
        objects: store.objects.size,
        answers: Object.fromEntries(store.answers),
        requests: proxy.counts,
        kills: endings,
      })
    }
  },
  ROUNDS * ROUND_MS_MAX + REST_MS_MAX,
)

/** The program and what happens to it, so that it can be killed at any of it. */
class Program implements AsyncDisposable {
  readonly millrace: Millrace
  isStopping = false
  readonly #ledger: Ledger
  readonly #acksBefore: number
  #isKilled = false
  #atAck: { count: number; then: () => void } | undefined
  #atPut: { moment: 'seen' | 'stored'; count: number; then: () => void } | undefined
  /** Clients that wait for a put. */
  readonly #held: (() => void)[] = []
  #hasEnded = false

  constructor(args: readonly string[], proxy: FaultProxy, ledger: Ledger) {
    this.millrace = Millrace.spawn(['--port', '0', ...args], s3Env(proxy.endpoint))
    this.#ledger = ledger
    this.#acksBefore = ledger.kept.size
    proxy.onPut = (moment) => this.#hearPut(moment)
    void this.millrace.exited.then(() => {
      this.#hasEnded = true
      for (const go of this.#held) go()
    })
  }

  /** Loads it from when it listens until it has ended, and says how. */
  async underLoad() {
    // What it waits for never happened: the end by another signal fails the test.
    const late = setTimeout(() => this.millrace.signal('SIGABRT'), ROUND_MS_MAX)
    const listening = await this.millrace.printed(/listens on (http:\S+)/).catch(() => undefined)
    if (listening) await this.#load(listening[1] as string)
    const exit = await this.millrace.exited
    clearTimeout(late)
    return exit
  }

  readonly kill = (): void => {
    this.#isKilled = true
    this.millrace.signal('SIGKILL')
  }

  stop(): void {
    this.isStopping = true
    this.millrace.signal('SIGTERM')
  }

  ack(count: number, then: () => void): void {
    this.#atAck = { count, then }
  }

  put(moment: 'seen' | 'stored', count: number, then: () => void): void {
    this.#atPut = { moment, count, then }
  }

  printed(pattern: RegExp, then: () => void): void {
    // It may end before that.
    this.millrace.printed(pattern).then(then, () => {})
  }

  after(ms: number, then: () => void): void {
    setTimeout(then, ms)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.millrace.kill()
  }

  async #load(url: string): Promise<void> {
    const health = await fetch(`${url}/healthz`).catch(() => undefined)
    if (!this.#isKilled) expect(health?.status).toBe(200)
    const unkept = this.#ledger.unkept.length
    await this.#ledger.run(url, CLIENTS, async () => {
      if (this.#atAck && this.#ledger.kept.size - this.#acksBefore >= this.#atAck.count) {
        const { then } = this.#atAck
        this.#atAck = undefined
        then()
      }
      const isFree = this.#ledger.kept.size - this.#acksBefore < POSTS_FREE_MAX
      if (!isFree && !this.#hasEnded) await new Promise<void>((go) => this.#held.push(go))
      return this.#ledger.unkept.length > unkept
    })
  }

  #hearPut(moment: 'seen' | 'stored'): void {
    if (moment === 'seen') this.#held.shift()?.()
    if (this.#atPut?.moment !== moment) return
    this.#atPut.count -= 1
    if (this.#atPut.count === 0) this.#atPut.then()
  }
}

/** Options of every start: what is left of the one before was begun under others. */
function options(random: Seeded): string[] {
  // Of lines only: with an object per payload a round would end before it has put what it took in; see `promises/object-per-payload`.
  return [
    ['--linger', random.pick(['10ms', '30ms', '100ms'])],
    ['--object-bytes-max', random.pick(['64KiB', '256KiB', '1MiB'])],
    ['--compression', random.pick(['zstd', 'gzip', 'none'])],
    ['--threads', random.pick(['1', '2', '3'])],
    ['--max-workers', random.pick(['2', '8', '32'])],
  ].flat()
}
