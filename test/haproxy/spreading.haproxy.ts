/**
 * HAProxy before three nodes, with the configuration that docs/SPREADING.md shows: nodes are killed under load, and what was
 * acked is stored once. Where there is an haproxy: `npm test -- ./test/haproxy/spreading.haproxy.ts`
 */

import { expect, test } from 'bun:test'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../free-ports.ts'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { BUCKET, S3Store, s3Env } from '../s3-store.ts'

const NODES = 3
const CLIENTS = 16
const DOCS = join(import.meta.dir, '../../docs/SPREADING.md')

/** A running HAProxy, with the configuration of the docs; only the addresses are a test's. */
class Balancer implements AsyncDisposable {
  readonly url: string
  readonly #child: ChildProcess
  #output = ''

  constructor(directory: string, port: number, nodes: readonly number[]) {
    this.url = `http://127.0.0.1:${port}`
    const shown = /```haproxy\n(.*?)```/s.exec(readFileSync(DOCS, 'utf8'))?.[1] ?? ''
    const text = shown
      .replace('bind :8080', `bind 127.0.0.1:${port}`)
      .replace(/10\.0\.0\.(\d):8080/g, (_, node: string) => `127.0.0.1:${nodes[Number(node) - 1]}`)
    expect(text.match(/^ +server /gm)).toHaveLength(2 * NODES)
    const path = join(directory, 'haproxy.cfg')
    writeFileSync(path, text)
    this.#child = spawn('haproxy', ['-db', '-f', path])
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (said) => (this.#output += said))
  }

  /** Waits until a node answers through it. */
  async ready(): Promise<void> {
    for (let tries = 0; tries < 1000; tries++) {
      if (this.#child.exitCode !== null) break
      const response = await fetch(`${this.url}/healthz`).catch(() => undefined)
      if (response?.status === 200) return
      await Bun.sleep(10)
    }
    throw new Error(`haproxy lets nothing through:\n${this.#output}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }
}

async function withNodes(
  run: (nodes: Millrace[], restart: (which: number) => Promise<void>, balancer: Balancer) => Promise<void>,
) {
  using scratch = new Scratch()
  await using store = new S3Store()
  const [port = 0, ...ports] = await freePorts(1 + NODES)
  const start = (which: number) => {
    const args = ['--data', scratch.at(`node-${which}`), '--to', `s3://${BUCKET}/spread`, '--linger', '50ms']
    return Millrace.start([...args, '--port', `${ports[which]}`], s3Env(store.endpoint))
  }
  const nodes = await Promise.all(ports.map((_, which) => start(which)))
  try {
    await using balancer = new Balancer(scratch.path, port, ports)
    await balancer.ready()
    const restart = async (which: number) => {
      nodes[which] = await start(which)
    }
    await run(nodes, restart, balancer)
  } finally {
    for (const node of nodes) if ((await node.stop()).code !== 0) console.error(node.output)
  }
  expect(store.wrongs).toEqual([])
  return store.lines()
}

test('nodes are killed and started again under load: what was acked is stored once', async () => {
  const load = new Load()
  const acked = (count: number) => () => load.acked.size >= count
  const lines = await withNodes(async (nodes, restart, { url }) => {
    await load.run(url, CLIENTS, acked(1000), 1, true)
    for (let which = 0; which < NODES; which++) {
      const before = load.acked.size
      const running = load.run(url, CLIENTS, acked(before + 3000), 1, true)
      while (load.acked.size < before + 300) await Bun.sleep(1)
      await nodes[which]?.kill()
      await running
      await restart(which)
    }
    await load.run(url, CLIENTS, acked(load.acked.size + 1000), 1, true)
  })
  load.expectKept(lines)
  // While a node was away the others took its share: hardly anybody heard of it but those whose request it had.
  expect(load.unanswered.size).toBeLessThan(load.acked.size / 10)
  expect(load.refusals.filter(({ body }) => body.includes('"code"'))).toEqual([])
  const perNode = Map.groupBy(lines, ({ receipt }) => receipt.split('-')[0])
  expect(perNode.size).toBe(NODES)
})

test('a repeat with its key comes to the node that has it, also after that was down', async () => {
  const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`)
  const lines = await withNodes(async (nodes, restart, { url }) => {
    const post = async (key: string) => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': key }
      const response = await fetch(`${url}/payloads`, { method: 'POST', headers, body: JSON.stringify({ key }) })
      return {
        status: response.status,
        text: await response.text(),
        isRepeat: response.headers.get('idempotency-replayed'),
      }
    }
    const first = await Promise.all(keys.map(post))
    expect(first.every(({ status }) => status === 202)).toBe(true)
    await nodes[1]?.kill()
    // Its checks find it down, and yet no other node gets its keys.
    await Bun.sleep(2500)
    const meanwhile = await Promise.all(keys.map(post))
    expect(new Set(meanwhile.map(({ status }) => status))).toEqual(new Set([202, 503]))
    await restart(1)
    const again = await Promise.all(keys.map(post))
    expect(again.map(({ text }) => text)).toEqual(first.map(({ text }) => text))
    expect(again.every(({ isRepeat }) => isRepeat === 'true')).toBe(true)
  })
  expect(lines.map(({ payload }) => payload).sort()).toEqual(keys.map((key) => JSON.stringify({ key })).sort())
})
