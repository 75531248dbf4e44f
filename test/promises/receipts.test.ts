/** A receipt tells where its payloads are, also after a restart; accepted = stored + pending + dead, whenever one looks. */

import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { readObject, readObjectsIn } from '../objects.ts'

interface Found {
  state: string
  destination: string
  objects: { name: string; bytes: number; sha256: string; lines: { first: number; last: number; exact: boolean } }[]
}

interface Amount {
  payloads: number
  bytes: number
}

async function whereIs(millrace: Millrace, receipt: string): Promise<Found> {
  return (await (await fetch(`${millrace.url}/receipts/${receipt}`)).json()) as Found
}

/** The four numbers; throws when they don't add up. */
async function balance(millrace: Millrace): Promise<Record<'accepted' | 'stored' | 'pending' | 'dead', Amount>> {
  const all = (await (await fetch(`${millrace.url}/status`)).json()) as Awaited<ReturnType<typeof balance>>
  for (const unit of ['payloads', 'bytes'] as const) {
    const sum = all.stored[unit] + all.pending[unit] + all.dead[unit]
    if (all.accepted[unit] !== sum) throw new Error(`accepted is not stored + pending + dead: ${JSON.stringify(all)}`)
  }
  return all
}

test('a ledger removed under a running server is made again: what is stored from then on is found, also after a kill', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h']
  const store = async (millrace: Millrace, body: string) => {
    const response = await millrace.post('/payloads?ack=stored', 'application/json', body)
    return ((await response.json()) as { receipt: string }).receipt
  }
  await using first = await Millrace.start(args)
  const lost = await store(first, '1')
  rmSync(scratch.at('data/ledger'), { recursive: true })
  const kept = await store(first, '2')
  expect(first.output).toMatch(/ledger.*was removed or cut/)
  expect(await whereIs(first, kept)).toMatchObject({ state: 'stored' })
  await first.kill()
  await using second = await Millrace.start(args)
  expect(await whereIs(second, kept)).toMatchObject({ state: 'stored' })
  expect(await whereIs(second, lost)).toMatchObject({ code: 'receipt_unknown' })
})

test('a receipt leads to its lines, while it is pending, when it is stored, and after a restart', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h']
  const bodies = ['[1,2,3]', '{"one":1}', '[]', '[[4],[5]]', '6']
  const receipts: string[] = []
  await using first = await Millrace.start(args)
  for (const body of bodies) {
    const response = await first.post('/payloads', 'application/json', body)
    receipts.push(((await response.json()) as { receipt: string }).receipt)
  }
  for (const receipt of receipts) expect(await whereIs(first, receipt)).toMatchObject({ receipt, state: 'pending' })
  expect(await balance(first)).toMatchObject({ accepted: { payloads: 7 }, pending: { payloads: 7 } })
  // The next segment begins behind the one that somebody waits for.
  await first.post('/payloads?ack=stored', 'application/json', '"last"')
  const lookUp = async (millrace: Millrace) => {
    for (const [i, receipt] of receipts.entries()) {
      const found = await whereIs(millrace, receipt)
      expect(found).toMatchObject({ state: 'stored', destination: scratch.at('data/objects') })
      const lines = found.objects.flatMap(({ name, bytes, sha256, lines: { first, last, exact } }) => {
        const body = readFileSync(scratch.at('data/objects', name))
        expect([body.length, createHash('sha256').update(body).digest('hex'), exact]).toEqual([bytes, sha256, true])
        return readObject(name, body).slice(first - 1, last)
      })
      const value = JSON.parse(bodies[i] as string)
      expect(lines.map(({ payload }) => JSON.parse(payload))).toEqual(Array.isArray(value) ? value : [value])
      for (const line of lines) expect(line.receipt).toBe(receipt)
    }
    expect(await balance(millrace)).toMatchObject({ accepted: { payloads: 8 }, stored: { payloads: 8 } })
  }
  await lookUp(first)
  await first.kill()
  await using second = await Millrace.start(args)
  await lookUp(second)
})

test('a receipt from elsewhere, of another segment, or of no record is unknown', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h'])
  const response = await millrace.post('/payloads', 'application/json', '1')
  const { receipt } = (await response.json()) as { receipt: string }
  const [node, lane, segment, tag] = receipt.split('-')
  const unknown = [
    `${node}-${lane}-${segment}-${tag}-1`,
    `${node}-${lane}-${segment}-00000000-0`,
    `${node}-${lane}-999-${tag}-0`,
    `${node}-7-${segment}-${tag}-0`,
    `other-${lane}-${segment}-${tag}-0`,
    // Its own record, by names that were never given.
    `${node}-${lane}-${segment}-${tag}-00`,
    `${node}-0${lane}-${segment}-${tag}-0`,
    `${node}-${lane}-0${segment}-${tag}-0`,
    '..%2f..%2fnode',
    'x',
  ]
  for (const one of unknown) {
    const answer = await fetch(`${millrace.url}/receipts/${one}`)
    expect([one, answer.status, await answer.json()]).toMatchObject([one, 404, { code: 'receipt_unknown' }])
  }
})

test('accepted = stored + pending + dead at every moment of a load, and across kills', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '20ms', '--object-bytes-max', '64KiB']
  const load = new Load()
  let accepted = 0
  for (let round = 0; round < 3; round++) {
    await using millrace = await Millrace.start(args)
    let isRunning = true
    const looks = (async () => {
      let count = 0
      for (; isRunning; count++) {
        const now = await balance(millrace).catch((error: Error) =>
          isRunning && /not stored/.test(error.message) ? error : undefined,
        )
        if (now instanceof Error) throw now
        if (now) expect(now.accepted.payloads).toBeGreaterThanOrEqual(accepted)
        if (now) accepted = now.accepted.payloads
      }
      return count
    })()
    const before = load.acked.size
    await load.run(millrace.url, 16, () => {
      if (load.acked.size - before > 500) {
        isRunning = false
        millrace.signal('SIGKILL')
      }
      return false
    })
    await millrace.exited
    expect(await looks).toBeGreaterThan(0)
  }
  await using last = await Millrace.start(args)
  await last.post('/payloads?ack=stored', 'application/json', '"last"')
  await last.stop()
  await using after = await Millrace.start(args)
  const all = await balance(after)
  const lines = readObjectsIn(scratch.at('data/objects'))
  expect([all.pending.payloads, all.dead.payloads, all.stored.payloads]).toEqual([0, 0, lines.length])
  load.expectKept(lines.filter(({ payload }) => payload !== '"last"'))
})

test('/metrics says the same four numbers, and how puts fare', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '1h'])
  await millrace.post('/payloads?ack=stored', 'application/json', '[1,2]')
  await millrace.post('/payloads', 'application/json', '[3,4,5]')
  const text = await (await fetch(`${millrace.url}/metrics`)).text()
  const numbers = Object.fromEntries(
    [...text.matchAll(/^(millrace_\w+) (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]),
  )
  expect(numbers).toMatchObject({
    millrace_accepted_payloads_total: 5,
    millrace_stored_payloads_total: 2,
    millrace_pending_payloads: 3,
    millrace_dead_payloads_total: 0,
  })
  const puts = [...text.matchAll(/^millrace_puts_(\w+)\{format="(\w+)"\} (\d+)$/gm)].map(([, ...parts]) =>
    parts.join(' '),
  )
  expect(puts.sort()).toEqual([
    'in_flight lines 0',
    'in_flight payload 0',
    'limit lines 32',
    expect.stringMatching(/^limit payload [1-9]\d*$/),
    'throttled_total lines 0',
    'throttled_total payload 0',
  ])
})

test('what is stored and was not deleted before a crash is not stored again', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--linger', '1h']
  await using first = await Millrace.start(args)
  await first.post('/payloads', 'application/json', '[1,2]')
  await first.kill()
  const segment = scratch.at('data/lane-0/0000000000000001')
  const bytes = readFileSync(`${segment}.open`)
  await using second = await Millrace.start(args)
  await second.stop()
  const stored = readObjectsIn(scratch.at('data/objects'))
  // As a crash between the ledger's line and the deletion leaves it.
  writeFileSync(`${segment}.sealed`, bytes)
  await using third = await Millrace.start(['--to', scratch.at('elsewhere'), ...args])
  await third.stop()
  expect(() => readObjectsIn(scratch.at('elsewhere'))).toThrow('ENOENT')
  await using fourth = await Millrace.start(args)
  expect(await balance(fourth)).toMatchObject({ accepted: { payloads: 2 }, stored: { payloads: stored.length } })
})
