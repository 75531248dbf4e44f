/**
 * A disk under the journal that is full, a real one: refusals that say when to come back, no ack that isn't kept, and it
 * goes on by itself. As root: `npm test -- ./test/root/disk-full.root.ts`
 */

import { expect, test } from 'bun:test'
import { truncateSync } from 'node:fs'
import { FaultProxy } from '../fault-proxy.ts'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObjectsIn } from '../objects.ts'
import { BUCKET, S3Store, s3Env } from '../s3-store.ts'
import { seeded } from '../seeded.ts'
import { type DiskKind, SmallDisk } from './small-disk.ts'

const CLIENTS = 8
const DISKS: DiskKind[] = ['tmpfs', 'ext4']

test.each(DISKS)('somebody fills the disk (%s) under load, and makes room again', async (kind) => {
  using scratch = new Scratch()
  using disk = new SmallDisk(kind)
  const args = ['--data', disk.at('data'), '--to', scratch.at('objects'), '--linger', '50ms']
  await using millrace = await Millrace.start(args)
  const ledger = new Ledger(seeded(1))
  for (let time = 1; time <= 3; time++) {
    await goesOn(ledger, millrace)
    const refused = ledger.unkept.length
    await ledger.run(millrace.url, CLIENTS, () => {
      if (ledger.unkept.length === refused) disk.fill()
      return ledger.unkept.length > refused + 50
    })
    expect((await fetch(`${millrace.url}/healthz`)).status).toBe(200)
    disk.free()
  }
  await goesOn(ledger, millrace)
  expect(millrace.output).toMatch(/error: the journal cannot be written \(disk_full\): .*ENOSPC/)
  expect(millrace.output).toContain('the journal can be written again')
  expectRefused(ledger)
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  ledger.expectKept(readObjectsIn(scratch.at('objects')))
})

test.each(DISKS)(
  'the journal fills the disk (%s) while the destination hangs, and stops short of the last of it',
  async (kind) => {
    using disk = new SmallDisk(kind)
    // Most of it is taken, so that there isn't much for the journal to sync its way through.
    disk.fill(0.25)
    await using store = new S3Store()
    await using proxy = await FaultProxy.start(store.endpoint, seeded(2))
    proxy.heal()
    const hung = Promise.withResolvers<void>()
    proxy.onPut = () => hung.promise
    // Also when something fails before: the proxy waits for what it holds.
    using _ = { [Symbol.dispose]: () => hung.resolve() }
    const args = ['--data', disk.at('data'), '--to', `s3://${BUCKET}/full`, '--linger', '50ms']
    await using millrace = await Millrace.start(args, s3Env(proxy.endpoint))
    const ledger = new Ledger(seeded(1))
    // Asked once: on the brink a sealed segment's zeros, which go, can be room for some more a moment later.
    let told: unknown
    const isReady = async () => {
      const response = await fetch(`${millrace.url}/readyz`)
      told = await response.json()
      return response.ok
    }
    // Long bodies are refused first; short ones fill what is left.
    await ledger.run(millrace.url, CLIENTS, async () => ledger.unkept.length > 50 && !(await isReady()))
    expect(disk.freeShare).toBeWithin(0.03, 0.1)
    expect(told).toMatchObject({ code: 'disk_full' })
    expect(millrace.output).not.toContain('cannot be written')

    hung.resolve()
    await goesOn(ledger, millrace)
    expectRefused(ledger)
    expect(await millrace.stop()).toEqual({ code: 0, signal: null })
    expect(store.wrongs).toEqual([])
    ledger.expectKept(store.lines())
  },
)

test.each(DISKS)(
  'a kill on a full disk (%s), and a start: it comes up, delivers what is there, and takes more once there is room',
  async (kind) => {
    using scratch = new Scratch()
    using disk = new SmallDisk(kind)
    const args = ['--data', disk.at('data'), '--to', scratch.at('objects')]
    const ledger = new Ledger(seeded(1))
    {
      await using millrace = await Millrace.start([...args, '--linger', '10m'])
      await ledger.run(millrace.url, CLIENTS, () => {
        if (ledger.kept.size > 200) disk.fill()
        return ledger.unkept.length > 20
      })
      await millrace.kill()
    }
    const kept = ledger.keptPayloads
    // The lock is free whatever stands in it, also nothing, for which there would be room now.
    truncateSync(disk.at('data/lock'), 0)
    disk.fill()
    await using millrace = await Millrace.start(args)
    expect((await fetch(`${millrace.url}/healthz`)).status).toBe(200)
    await ledger.post(millrace.url)
    expect(ledger.keptPayloads).toBe(kept)
    await millrace.printed(/stored [\d,]+ payloads/)

    disk.free()
    await goesOn(ledger, millrace)
    expectRefused(ledger)
    expect(await millrace.stop()).toEqual({ code: 0, signal: null })
    ledger.expectKept(readObjectsIn(scratch.at('objects')))
  },
)

/** Posts, as clients do that heard 503, until there is room again and some more was taken. */
async function goesOn(ledger: Ledger, { url }: Millrace): Promise<void> {
  const before = ledger.kept.size
  await ledger.run(url, CLIENTS, () => ledger.kept.size > before + 200)
}

/** Every refusal was the right one, and said when to come back. */
function expectRefused({ unkept }: Ledger): void {
  expect(unkept.length).toBeGreaterThan(0)
  for (const { refusal } of unkept) {
    expect(refusal).toEqual({ status: 503, code: 'disk_full', retryAfter: expect.stringMatching(/^[1-9]\d?$/) })
  }
}
