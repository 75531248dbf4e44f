/** Looking for objects: passing faults are tried again, lasting ones aren't, and a place that never answers is left alone. */

import { afterEach, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inParallel } from '../../src/commands/in-parallel.ts'
import { ObjectSearch } from '../../src/commands/verify-objects.ts'
import type { LedgerEntry } from '../../src/observe/ledger-entry.ts'
import { systemPlatform } from '../../src/platform/platform.ts'
import { type Answering, KEYS, s3Error, standIn } from '../destination/s3-stand-in.ts'
import { Scratch } from '../millrace.ts'
import { millrace } from './run-command.ts'
import { verify } from './whole-data.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const BODY = '{"receipt":"n-0-1-0badcafe-0","index":0,"payload":1}\n'

/** A search in a bucket that answers so. Its pauses are noted and take no time. */
function search(answering: Answering, isDeep = false) {
  const store = standIn(answering)
  closers.push(store.stop)
  const pauses: number[] = []
  const clock = { ...systemPlatform.clock, sleep: async (ms: number) => void pauses.push(ms) }
  const env = {
    AWS_ENDPOINT_URL_S3: store.endpoint,
    AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
  }
  return {
    store,
    pauses,
    search: new ObjectSearch({ ...systemPlatform, clock }, env, { data: 'data', to: 's3://logs' }, undefined, isDeep),
  }
}

const OBJECT = {
  name: 'default/n-0-0000000000000001-0badcafe-0.ndjson',
  bytes: BODY.length,
  sha256: createHash('sha256').update(BODY).digest('hex'),
  lines: 1,
  runs: [[0, 1, 1] as [number, number, number]],
}
const ENTRY = {
  lane: 0,
  segment: 1,
  tag: '0badcafe',
  destination: 's3://logs',
  objects: [OBJECT],
} as unknown as LedgerEntry

test('what was forwarded is for the servers to verify, wherever one looks', async () => {
  const entry = { ...ENTRY, destination: 'http://a:8080,http://b:8080' }
  for (const instead of [undefined, 's3://elsewhere']) {
    const where = { data: 'data', to: 'http://a:8080' }
    const one = new ObjectSearch(systemPlatform, { AWS_REGION: 'eu-west-1' }, where, instead, true)
    expect(await one.check(entry, OBJECT)).toMatchObject({
      kind: 'not_checked',
      detail: expect.stringContaining('run verify on those servers'),
    })
  }
})

test.each([false, true])('passing faults are tried again, three times at the most; deep: %p', async (isDeep) => {
  let faults = 3
  const { pauses, search: one } = search(({ method }) => {
    if (method === 'GET' && faults-- > 0) return s3Error(503, 'SlowDown')
    return faults >= 0 ? new Response(null, { status: 503 }) : new Response(BODY)
  }, isDeep)
  expect(await one.check(ENTRY, OBJECT)).toBeUndefined()
  expect(pauses).toEqual([200, 1000, 3000])
  expect(one.checked).toBe(1)

  const never = search(() => s3Error(503, 'SlowDown'), isDeep)
  expect(await never.search.check(ENTRY, OBJECT)).toMatchObject({
    kind: 'not_checked',
    detail: expect.stringContaining('SlowDown'),
  })
})

test('a fault that somebody has to mend is not tried again; a place that never answers is left alone in the end', async () => {
  const { store, pauses, search: one } = search(() => s3Error(403, 'AccessDenied'))
  for (let i = 0; i < 40; i++) {
    const problem = await one.check(ENTRY, OBJECT)
    expect([i, problem?.kind, problem?.detail]).toEqual([i, 'not_checked', expect.stringContaining('s3:GetObject')])
  }
  expect(pauses).toEqual([])
  expect(store.seen.length).toBe(16 * 2)
  expect(one.checked).toBe(0)
})

test('what is missing is missing, and never not checked', async () => {
  const { search: one } = search(() => s3Error(404, 'NoSuchKey'))
  for (let i = 0; i < 40; i++) expect((await one.check(ENTRY, OBJECT))?.kind).toBe('object_missing')
  expect(one.checked).toBe(40)
})

test('work in parallel is bounded, all of it is done, and a rejection is passed on when the rest has ended', async () => {
  let running = 0
  let most = 0
  let done = 0
  const items = async function* () {
    for (let i = 0; i < 100; i++) yield i
  }
  await inParallel(items(), 16, async () => {
    most = Math.max(most, ++running)
    await Promise.resolve()
    running -= 1
    done += 1
  })
  expect([most <= 16, running, done]).toEqual([true, 0, 100])
  const failing = inParallel(items(), 4, async (i) => {
    if (i === 7) throw new Error('seven')
  })
  expect(failing).rejects.toThrow('seven')
})

/** A server stores something, started in `cwd` with these places as they stand here. */
async function storeFrom(cwd: string, ...args: string[]): Promise<string> {
  const cli = join(import.meta.dir, '../../src/cli.ts')
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] }
  const server = Bun.spawn([process.execPath, cli, '--port', '0', ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for await (const chunk of server.stdout) {
    output += Buffer.from(chunk).toString()
    const [url] = /http:\/\/\S+/.exec(output) ?? []
    if (url === undefined) continue
    const answer = await fetch(`${url}/payloads?ack=stored`, { method: 'POST', headers: JSON_HEADERS, body: '[1,2]' })
    expect(answer.status).toBe(201)
    const { receipt } = (await answer.json()) as { receipt: string }
    server.kill()
    await server.exited
    return receipt
  }
  throw new Error(output)
}
const JSON_HEADERS = { 'content-type': 'application/json' }
const looked = async (data: string, ...more: string[]) => {
  const { code, report } = await verify(data, '--deep', ...more)
  return [code, report.objects_checked, report.wrong]
}

test('a data directory with its objects is whole wherever it is moved, and whatever directory one looks from', async () => {
  using scratch = new Scratch()
  const receipt = await storeFrom(scratch.path, '--data', 'data')
  expect(await looked(scratch.at('data'))).toEqual([0, 1, 0])
  renameSync(scratch.at('data'), scratch.at('moved'))
  expect(await looked(scratch.at('moved'))).toEqual([0, 1, 0])
  const { out } = await millrace(['where', receipt, '--data', scratch.at('moved')])
  expect(out).toContain(scratch.at('moved/objects'))
  // As the first program wrote it, and as whoever started that one elsewhere did.
  const [name = ''] = readdirSync(scratch.at('moved/ledger')).filter((file) => file.endsWith('.ndjson'))
  const ledger = scratch.at('moved/ledger', name)
  const line = readFileSync(ledger, 'utf8')
  expect(line).toContain('"{data}/objects"')
  for (const old of ['data/objects', scratch.at('data/objects')]) {
    const entry = JSON.parse(line) as Record<string, unknown>
    writeFileSync(ledger, `${JSON.stringify({ ...entry, destination: old, crc: undefined })}\n`)
    expect(await looked(scratch.at('moved'))).toEqual([0, 1, 0])
  }
})

test('a destination of its own is found from anywhere; --to looks where it was moved or copied to, and nowhere else', async () => {
  using scratch = new Scratch()
  const receipt = await storeFrom(scratch.path, '--data', 'data', '--to', 'out')
  expect(await looked(scratch.at('data'))).toEqual([0, 1, 0])
  cpSync(scratch.at('out'), scratch.at('copy'), { recursive: true })
  expect(await looked(scratch.at('data'), '--to', scratch.at('copy'))).toEqual([0, 1, 0])
  rmSync(scratch.at('copy/default'), { recursive: true })
  expect(await looked(scratch.at('data'), '--to', scratch.at('copy'))).toEqual([1, 1, 1])
  expect(await looked(scratch.at('data'))).toEqual([0, 1, 0])
  renameSync(scratch.at('out'), scratch.at('away'))
  expect(await looked(scratch.at('data'))).toEqual([3, 0, 0])
  expect(await looked(scratch.at('data'), '--to', scratch.at('nowhere'))).toEqual([3, 0, 0])
  expect(await looked(scratch.at('data'), '--to', scratch.at('away'))).toEqual([0, 1, 0])
  const args = ['where', receipt, '--data', scratch.at('data')]
  expect((await millrace(args)).out).toContain(scratch.at('out'))
  expect((await millrace([...args, '--to', scratch.at('away')])).out).toContain(scratch.at('away'))
  expect((await millrace([...args, '--to', 's3://bucket'])).out).toContain(scratch.at('out'))
})
