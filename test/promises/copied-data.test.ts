/**
 * A data directory that is copied while its server runs (a snapshot, a cloned machine): both hold the same segment under the
 * same names, and the copy, which has less of it, delivers first. What the original has acked is kept, and said to wait.
 */

import { expect, test } from 'bun:test'
import { cpSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { millrace as command } from '../commands/run-command.ts'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObject, readObjectsIn } from '../objects.ts'
import { BUCKET, S3Store, s3Env } from '../s3-store.ts'
import { seeded } from '../seeded.ts'

interface To {
  url: string
  env: Record<string, string>
  moveAway(name: string): void
  lines(): ReturnType<typeof readObjectsIn>
}

function directory(scratch: Scratch): To {
  const moveAway = (name: string) => {
    mkdirSync(dirname(scratch.at('moved', name)), { recursive: true })
    renameSync(scratch.at('out', name), scratch.at('moved', name))
  }
  return { url: scratch.at('out'), env: {}, moveAway, lines: () => readObjectsIn(scratch.at('out')) }
}

function bucket(store: S3Store): To {
  const url = `s3://${BUCKET}/copied`
  const moveAway = (name: string) => {
    const key = `${BUCKET}/copied/${name}`
    expect(readObject(name, store.objects.get(key) ?? Buffer.alloc(0)).length).toBeGreaterThan(0)
    store.objects.delete(key)
  }
  return { url, env: s3Env(store.endpoint), moveAway, lines: () => store.lines() }
}

test.each(['a directory', 'a bucket'])('delivered to %s', async (where) => {
  using scratch = new Scratch()
  await using store = new S3Store()
  const to = where === 'a directory' ? directory(scratch) : bucket(store)
  const ledger = new Ledger(seeded(7))
  const args = (data: string, linger: string) => ['--data', scratch.at(data), '--to', to.url, '--linger', linger]
  let original = await Millrace.start(args('data', '10m'), to.env)
  try {
    await ledger.run(original.url, 1, () => ledger.kept.size >= 5)
    cpSync(scratch.at('data'), scratch.at('copy'), { recursive: true })
    const earlier = ledger.kept.size
    await ledger.run(original.url, 1, () => ledger.kept.size >= earlier + 5)
    await original.kill()

    await using copy = await Millrace.start(args('copy', '20ms'), to.env)
    await copy.printed(/stored/)
    await ledger.run(copy.url, 1, () => ledger.kept.size >= earlier + 10)
    expect(await copy.stop()).toEqual({ code: 0, signal: null })

    original = await Millrace.start(args('data', '20ms'), to.env)
    await original.printed(/error: parked/)
    const ready = await fetch(`${original.url}/readyz`)
    expect(ready.status).toBe(503)
    expect(await ready.text()).toMatch(
      /is there with other content .*another copy of this data directory .*Move that object away/,
    )
    const last = [...ledger.kept.keys()][earlier + 4]
    expect(await (await fetch(`${original.url}/receipts/${last}`)).json()).toMatchObject({ state: 'pending' })
    // What has other names goes on.
    await ledger.run(original.url, 1, () => ledger.kept.size >= earlier + 15)

    const moved: string[] = []
    for (;;) {
      const others = new RegExp(`takes objects again|parked, (?!${moved.join('|') || '-'})(\\S+):`)
      const name = (await original.printed(others))[1]
      if (name === undefined) break
      moved.push(name)
      to.moveAway(name)
    }
    expect((await fetch(`${original.url}/readyz`)).status).toBe(200)
    expect(await original.stop()).toEqual({ code: 0, signal: null })
  } finally {
    await original.kill()
  }
  expect(ledger.unkept).toEqual([])
  ledger.expectKept(to.lines())
  const verified = await command(['verify', '--data', scratch.at('data'), '--deep', '--to', to.url], to.env)
  expect(verified).toMatchObject({ code: 0 })
})
