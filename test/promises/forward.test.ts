/**
 * An edge that forwards to three servers, which put into S3: what the edge acked is stored once, byte for byte, while edge and
 * servers are killed (`kill -9`) and started again under load, and proxies between them delay, reset, and lose answers. A few
 * rounds in `npm test`; more: `FORWARD_ROUNDS=60 npm test -- test/promises/forward.test.ts`. `FORWARD_SEED`, which a failure
 * prints, brings back the plan; how processes interleave is the machine's choice.
 */

import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { millrace } from '../commands/run-command.ts'
import { FaultProxy } from '../fault-proxy.ts'
import { freePorts } from '../free-ports.ts'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { BUCKET, S3Store, s3Env } from '../s3-store.ts'
import { type Seeded, seeded } from '../seeded.ts'

const ROUNDS = Number(process.env['FORWARD_ROUNDS'] ?? 8)
const SEED = Number(process.env['FORWARD_SEED'] ?? crypto.getRandomValues(new Uint32Array(1))[0])
const SERVERS = 3
const CLIENTS = 8
/** How many posts a round takes, and how many come before something is killed. */
const ROUND_POSTS = 300
const PAUSE_MS = 20
const ROUND_MS_MAX = 20_000
const REST_MS_MAX = 120_000

test(
  `edge and servers killed in ${ROUNDS} rounds, answers lost on the way: what the edge acked is stored once, byte for byte`,
  async () => {
    using scratch = new Scratch()
    await using store = new S3Store()
    const ports = await freePorts(SERVERS)
    await using proxies = new Proxies()
    // One has no proxy before it: whoever connects to it while it is down is refused.
    const urls = [`http://127.0.0.1:${ports[0]}`]
    for (const port of ports.slice(1)) urls.push(await proxies.start(port))
    const edgeArgs = [
      '--data',
      scratch.at('edge'),
      '--to',
      urls.join(','),
      '--object-bytes-max',
      '64KiB',
      '--stop-grace',
      '2m',
    ]
    const ledger = new Ledger(seeded(SEED + 10))
    const random = seeded(SEED + 11)
    const outputs: string[] = []
    const serverArgs = (i: number) => [
      '--data',
      scratch.at(`server-${i}`),
      '--to',
      `s3://${BUCKET}/forwarded`,
      '--port',
      `${ports[i]}`,
    ]
    const startServer = (i: number) => Millrace.start([...serverArgs(i), '--linger', '50ms'], s3Env(store.endpoint))
    const startEdge = () => Millrace.start([...edgeArgs, ...edgeOptions(random)])
    const all = await Promise.all([startEdge(), ...ports.map((_, i) => startServer(i))])
    await using running = new Running(all)
    const restart = async (which: number) => {
      const dead = running.all[which] as Millrace
      await dead.kill()
      outputs.push(dead.output)
      // A moment in which others have to do without it; none is the hardest for whoever has just been sent something.
      if (random.chance(0.5)) await Bun.sleep(random.below(800))
      running.all[which] = which === 0 ? await startEdge() : await startServer(which - 1)
    }
    try {
      for (let round = 0; round < ROUNDS; round++) {
        // The edge every other time, of the servers one or two.
        const victims = round % 2 === 0 ? [0] : [1 + random.below(SERVERS), 1 + random.below(SERVERS)]
        const until = ledger.kept.size + ROUND_POSTS
        const moment = momentOf(random, proxies, ledger)
        const killed = moment.then(() => Promise.all([...new Set(victims)].map(restart)))
        // Where the edge is gone, what clients do next is for the next round.
        await ledger.run((running.all[0] as Millrace).url, CLIENTS, async () => {
          // Paces the load, so that it becomes many objects; nothing is waited for.
          await Bun.sleep(PAUSE_MS)
          return ledger.kept.size >= until
        })
        await killed
      }
      for (const proxy of proxies.all) proxy.heal()
      // Pauses that grew in the trouble are over with this.
      await restart(0)
      const edge = running.all[0] as Millrace
      expect(await edge.stop()).toEqual({ code: 0, signal: null })
      outputs.push(edge.output)
      expect(edge.output).toContain('stopped; everything accepted is stored')
      await Promise.all(proxies.all.map((proxy) => proxy.quiet()))
      for (const server of running.all.slice(1)) {
        expect(await server.stop()).toEqual({ code: 0, signal: null })
        expect(server.output).toContain('stopped; everything accepted is stored')
      }

      expect(store.wrongs).toEqual([])
      ledger.expectKept(store.lines())
      expect(readdirSync(scratch.at('edge/lane-0'))).toEqual([expect.stringMatching(/^\d{16}\.open$/)])
      for (let i = 0; i < SERVERS; i++) {
        const { out } = await millrace(['verify', '--deep', '--data', scratch.at(`server-${i}`)], s3Env(store.endpoint))
        expect(out).toContain('All that was accepted is there.')
      }
      // Each of them had its share, and it was no walk in the park.
      expect(store.objects.size).toBeGreaterThan(ROUNDS * 5)
      expect(new Set([...store.objects.keys()].map((name) => /([^/-]+)-0-\d{16}-/.exec(name)?.[1])).size).toBe(SERVERS)
      expect(outputs.join('')).toContain('may have kept')
      expect(outputs.join('')).not.toContain('is not a segment')
      expect(ledger.keptPayloads).toBeGreaterThan(ROUNDS * ROUND_POSTS)
    } catch (error) {
      console.error(
        `FORWARD_SEED=${SEED} FORWARD_ROUNDS=${ROUNDS}\n${outputs.join('\n—\n')}\n${running.all.map(({ output }) => output).join('\n—\n')}`,
      )
      throw error
    }
    const counts = proxies.all.map(({ counts }) => JSON.stringify(counts)).join('\n')
    if (process.env['FORWARD_ROUNDS'])
      console.log(`${ledger.keptPayloads} payloads, ${store.objects.size} objects\n${counts}`)
  },
  ROUNDS * ROUND_MS_MAX + REST_MS_MAX,
)

/** Resolves when something is to be killed: after some acks, or while an object is on its way, or kept and not yet known of. */
function momentOf(random: Seeded, proxies: Proxies, ledger: Ledger): Promise<void> {
  const posts = ledger.kept.size + 1 + random.below(ROUND_POSTS - 50)
  const way = random.pick(['acks', 'seen', 'stored'] as const)
  let puts = 1 + random.below(8)
  return new Promise((resolve) => {
    // In case there are not so many.
    const timer = setInterval(() => {
      if (ledger.kept.size >= (way === 'acks' ? posts : posts + ROUND_POSTS)) done()
    }, 1)
    const done = () => {
      clearInterval(timer)
      resolve()
    }
    const late = setTimeout(done, 2000)
    late.unref?.()
    proxies.onPut = (moment) => {
      if (moment === way && --puts === 0) done()
    }
  })
}

function edgeOptions(random: Seeded): string[] {
  return [
    '--linger',
    random.pick(['10ms', '20ms']),
    '--compression',
    random.pick(['zstd', 'gzip', 'none']),
    '--threads',
    random.pick(['1', '2']),
  ]
}

/** Proxies before servers. */
class Proxies implements AsyncDisposable {
  readonly all: FaultProxy[] = []
  onPut: (moment: 'seen' | 'stored') => void = () => {}

  /** Starts one before a server; its URL. */
  async start(port: number): Promise<string> {
    const proxy = await FaultProxy.start(`http://127.0.0.1:${port}`, seeded(SEED + this.all.length))
    proxy.onPut = (moment) => this.onPut(moment)
    this.all.push(proxy)
    return proxy.endpoint
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.all) await proxy[Symbol.asyncDispose]()
  }
}

/** The edge, and the servers behind it. */
class Running implements AsyncDisposable {
  readonly all: Millrace[]

  constructor(all: Millrace[]) {
    this.all = all
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((one) => one.kill()))
  }
}
