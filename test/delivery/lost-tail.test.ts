/**
 * A segment whose last frame is there at one delivery and gone at the next: its sync had failed, nobody was promised it,
 * the page cache had it, and a power loss took it. What both deliveries have is stored once.
 */

import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { ObjectCheck } from '../../src/commands/line-check.ts'
import type { Delivered } from '../../src/delivery/deliver.ts'
import type { NewRecord } from '../../src/journal/journal.ts'
import type { Compression } from '../../src/journal/layout.ts'
import type { LedgerEntry, LedgerObject } from '../../src/observe/ledger-entry.ts'
import { HEADER } from '../journal/segment-files.ts'
import { readObject } from '../objects.ts'
import { array, contextOf, filesWith, type Store, takenWhereThere } from './memory-thread.ts'

const PROMISED: NewRecord[][] = [[array(0, 1, { source: 'b' })], [array(10, 2, { source: 'a' })]]
/** Enough for one source's object to be full before the segment ends. */
const TAIL: NewRecord[] = [array(20, 9, { source: 'a' })]

const ANOTHER_LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 9 } }

/** A delivery of the segment, beside what earlier ones have put. */
function delivering(frames: NewRecord[][], compression: Compression, before?: Store) {
  const it = contextOf(filesWith([{ header: { objectBytesMax: 1000, compression }, frames }]))
  for (const [name, object] of before?.objects ?? []) it.store.objects.set(name, object)
  takenWhereThere(it.store)
  return it
}

const payloadsIn = ({ objects }: Store) =>
  [...objects].flatMap(([name, { body }]) => readObject(name, body).map(({ payload }) => Number(payload)))

test.each(['none', 'gzip', 'zstd'] as const)(
  'delivered with its tail first (%s): what is there is believed, and the ledger is told what it is',
  async (compression) => {
    const first = delivering([...PROMISED, TAIL], compression)
    await first.run()
    const { store, run, troubles } = delivering(PROMISED, compression, first.store)
    const delivered = (await run()) as Extract<Delivered, { kind: 'stored' }>
    expect(troubles).toEqual([])
    const payloads = payloadsIn(store)
    expect(new Set(payloads).size).toBe(payloads.length)
    expect(payloads).toEqual(expect.arrayContaining([0, 10, 11]))
    expect(delivered).toMatchObject({ kind: 'stored', payloads: 3 })
    for (const { name, bytes, sha256, lines, linesBeyond = 0 } of delivered.objects) {
      const body = store.objects.get(name)?.body as Uint8Array
      expect(bytes).toBe(body.length)
      expect(sha256).toBe(createHash('sha256').update(body).digest('hex'))
      expect(lines + linesBeyond).toBe(readObject(name, body).length)
      // `verify --deep` finds nothing wrong with it.
      const check = new ObjectCheck(
        entryOf(delivered),
        delivered.objects.find((it) => it.name === name) as LedgerObject,
      )
      await check.take(body)
      expect(await check.end()).toEqual({ sha256, fault: undefined })
    }
    expect(delivered.objects.map(({ lines, linesBeyond }) => [lines, linesBeyond]).sort()).toEqual([
      [1, undefined],
      [2, expect.any(Number)],
    ])
  },
)

test.each(['none', 'gzip', 'zstd'] as const)(
  'delivered without its tail first (%s), as by a copy: not believed, and stored once that object is gone',
  async (compression) => {
    const first = delivering(PROMISED, compression)
    await first.run()
    const { store, run, troubles, platform } = delivering([...PROMISED, TAIL], compression, first.store)
    let delivered: Delivered | undefined
    void run().then((it) => {
      delivered = it
    })
    const part = [...store.objects.keys()].find((name) => name.startsWith('a/')) as string
    await untilTrouble(troubles, platform.clock)
    await platform.clock.advance(600_000)
    expect(delivered).toBeUndefined()
    expect(troubles.at(-1)).toMatchObject({ kind: 'taken', object: part })
    expect(troubles.at(-1)?.reason).toMatch(/^test:\/a\/\S+ is there with other content .* Move that object away/)
    store.objects.delete(part)
    while (!delivered) await platform.clock.advance(60_000)
    expect(delivered).toMatchObject({ kind: 'stored', payloads: 12 })
    expect(payloadsIn(store).sort((a, b) => a - b)).toEqual([0, 10, 11, 20, 21, 22, 23, 24, 25, 26, 27, 28])
  },
)

test('another version compresses otherwise: the same lines are believed, and the ledger is told of those bytes', async () => {
  const first = delivering(PROMISED, 'zstd')
  await first.run()
  for (const [name, object] of first.store.objects) {
    const body = new Uint8Array(zstdCompressSync(zstdDecompressSync(object.body), ANOTHER_LEVEL))
    expect(body).not.toEqual(object.body)
    first.store.objects.set(name, { ...object, body })
  }
  const { run, store } = delivering(PROMISED, 'zstd', first.store)
  const { objects } = (await run()) as Extract<Delivered, { kind: 'stored' }>
  expect(objects.map(({ name, bytes }) => [name, bytes])).toEqual(
    objects.map(({ name }) => [name, store.objects.get(name)?.body.length as number]),
  )
})

/** As much of the ledger's line as a look at its objects needs. */
function entryOf({ objects }: { objects: LedgerObject[] }): LedgerEntry {
  const { lane, tag } = HEADER
  return { lane, segment: 1, tag, objects } as unknown as LedgerEntry
}

/** Compression runs on other threads: trouble comes when it is done. */
async function untilTrouble(troubles: readonly unknown[], clock: { advance(ms: number): Promise<void> }) {
  while (troubles.length === 0) await clock.advance(0)
}
