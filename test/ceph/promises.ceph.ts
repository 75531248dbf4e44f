/** The promises against a real S3 store: every byte arrives, and an outage of 30 s under load loses and doubles nothing. */

import { beforeAll, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { millrace as runCommand } from '../commands/run-command.ts'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { type Line, readObject } from '../objects.ts'
import { expectEveryByte, postWebhooks } from '../webhooks.ts'
import { createBucket, getObject, listKeys, type Store, type StoredObject, storeFromEnv } from './bucket.ts'

const SCRIPT = join(import.meta.dir, '../../scripts/ceph-s3.sh')
const BUCKET = 'millrace-promises'
const OUTAGE_MS = 30_000
/** Between two posts of one client: the outage is the same length on every machine, the payloads are to be bounded. */
const PACE_MS = 10

let store: Store
let env: Record<string, string>

beforeAll(async () => {
  store = storeFromEnv()
  env = {
    AWS_ENDPOINT_URL_S3: store.endpoint,
    AWS_ACCESS_KEY_ID: store.accessKeyId,
    AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
    AWS_REGION: store.region,
  }
  await createBucket(store, BUCKET)
})

test('real webhooks reach S3 unchanged, whatever their shape and encoding', async () => {
  using scratch = new Scratch()
  const prefix = freshPrefix('webhooks')
  const args = ['--data', scratch.at('data'), '--to', `s3://${BUCKET}/${prefix}`, '--object-bytes-max', '1MiB']
  await using millrace = await Millrace.start([...args, '--linger', '50ms'], env)
  const posted = await postWebhooks(millrace)
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  expectEveryByte(await readPrefix(prefix), posted)
}, 120_000)

test('kill -9 under load with S3 as the destination: every acked payload is there exactly once', async () => {
  using scratch = new Scratch()
  const prefix = freshPrefix('killed')
  const args = ['--data', scratch.at('data'), '--to', `s3://${BUCKET}/${prefix}`, '--linger', '20ms']
  const load = new Load()
  for (let round = 0; round < 5; round++) {
    await using millrace = await Millrace.start(args, env)
    const before = load.acked.size
    await load.run(millrace.url, 16, () => {
      if (load.acked.size - before > 1000) millrace.signal('SIGKILL')
      return false
    })
    await millrace.exited
  }
  await using last = await Millrace.start(args, env)
  expect(await last.stop()).toEqual({ code: 0, signal: null })
  load.expectKept(await readPrefix(prefix))
}, 120_000)

test('an object per payload, killed under load: every acked payload is there exactly once, and verify finds it', async () => {
  using scratch = new Scratch()
  const prefix = freshPrefix('payload')
  const to = ['--data', scratch.at('data'), '--to', `s3://${BUCKET}/${prefix}`]
  const load = new Load()
  for (let round = 0; round < 3; round++) {
    await using millrace = await Millrace.start([...to, '--format', 'payload', '--linger', '20ms'], env)
    const before = load.acked.size
    await load.run(millrace.url, 16, () => {
      if (load.acked.size - before > 300) millrace.signal('SIGKILL')
      return false
    })
    await millrace.exited
  }
  await using last = await Millrace.start(to, env)
  expect(await last.stop()).toEqual({ code: 0, signal: null })
  load.expectKept(await readPrefix(prefix, { contentType: 'application/octet-stream', contentEncoding: null }))
  const { code, out } = await runCommand(['verify', '--deep', ...to], env)
  expect([code, out]).toEqual([0, expect.stringContaining('All that was accepted is there.')])
}, 180_000)

test('S3 is gone for 30 s under load, then back: nothing lost, nothing twice, intake never stops answering', async () => {
  using scratch = new Scratch()
  const prefix = freshPrefix('outage')
  const args = ['--data', scratch.at('data'), '--to', `s3://${BUCKET}/${prefix}`, '--linger', '500ms']
  await using millrace = await Millrace.start(args, env)
  const load = new Load()
  const clients = 8

  await load.run(millrace.url, clients, () => /stored/.test(millrace.output), PACE_MS)
  ceph('kill9')
  const before = load.acked.size
  const endsAtMs = Date.now() + OUTAGE_MS
  await load.run(millrace.url, clients, () => Date.now() > endsAtMs, PACE_MS)
  expect(load.acked.size).toBeGreaterThan(before)
  expect(millrace.output).toMatch(/warning: .* attempt \d+ in/)

  ceph('restart')
  const logged = millrace.output.length
  await load.run(millrace.url, clients, () => /stored/.test(millrace.output.slice(logged)), PACE_MS)
  // Every request of the whole time was answered, and with a 202.
  expect(load.refusals).toEqual([])
  expect(load.unanswered.size).toBe(0)

  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  expect(millrace.output).toContain('everything accepted is stored')
  load.expectKept(await readPrefix(prefix))
}, 180_000)

const LINES = { contentType: 'application/x-ndjson', contentEncoding: 'zstd' }

/** A prefix that no earlier run has used: the store keeps its objects between runs. */
function freshPrefix(name: string): string {
  return `${name}-${crypto.randomUUID()}`
}

async function readPrefix(prefix: string, type: Partial<StoredObject> = LINES): Promise<Line[]> {
  const lines: Line[] = []
  for (const key of await listKeys(store, BUCKET, `${prefix}/`)) {
    const object = await getObject(store, BUCKET, key)
    expect(object).toMatchObject(type)
    lines.push(...readObject(key.slice(prefix.length + 1), object?.bytes ?? new Uint8Array()))
  }
  return lines
}

function ceph(command: string): void {
  const { status, stderr } = spawnSync(SCRIPT, [command], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${SCRIPT} ${command}: ${stderr}`)
}
