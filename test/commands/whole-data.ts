/** A data directory with some of everything in it, copies of it to damage, and what `millrace verify` says of them. */

import { afterAll, beforeAll } from 'bun:test'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LedgerEntry } from '../../src/observe/ledger-entry.ts'
import { valueRecord } from '../journal/segment-files.ts'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { miscounted, writeSegment } from './damage.ts'
import { millrace } from './run-command.ts'

/** What `--json` prints, as far as tests look. */
export interface Report {
  accepted: { payloads: number; bytes: number }
  stored: { payloads: number; bytes: number }
  pending: { payloads: number; bytes: number }
  dead: { payloads: number; bytes: number }
  objects: number
  objects_checked: number
  wrong: number
  not_checked: number
  problems: { kind: string; what: string; detail: string; objects?: string[]; receipts?: [string, string] }[]
}

/** Runs `millrace verify --json`. */
export async function verify(data: string, ...more: string[]): Promise<{ code: number; report: Report }> {
  const { code, out, err } = await millrace(['verify', '--data', data, '--json', ...more])
  if (!out.startsWith('{')) throw new Error(`${code}: ${out}${err}`)
  return { code, report: JSON.parse(out) as Report }
}

/** One for all tests of a file. */
export function sharedWhole(): { readonly path: string } {
  const home = new Scratch()
  const whole = { path: '' }
  beforeAll(async () => {
    whole.path = await makeWhole(home)
  })
  afterAll(() => home[Symbol.dispose]())
  return whole
}

/** Makes a data directory that holds some of everything: stored by size and by time, dead, and pending. */
async function makeWhole(scratch: Scratch): Promise<string> {
  const data = scratch.at('whole')
  writeSegment(data, [valueRecord('1'), miscounted('[1,2]'), valueRecord('[]', { kind: 'array', payloads: 0 })])
  const args = ['--data', data, '--linger', '20ms', '--object-bytes-max', '64KiB', '--to', join(data, 'objects')]
  await using server = await Millrace.start(args)
  // One record of many payloads comes into several objects.
  const long = JSON.stringify(Array.from({ length: 3000 }, (_, n) => ({ n, text: 'x'.repeat(50) })))
  await server.post('/payloads', 'application/json', long)
  const load = new Load()
  await load.run(server.url, 8, () => load.acked.size > 1500)
  await server.post('/payloads?ack=stored', 'application/json', '"last"')
  await server.stop()
  await using second = await Millrace.start([...args, '--linger', '1h'])
  // What the first has left is delivered now, and the kill is not to come while the ledger gets its line of that.
  await second.pending(0)
  await second.post('/payloads', 'application/json', '["pending",2]')
  await second.kill()
  return data
}

/** A copy to damage. Its objects are found under the name that the ledger has only if they are damaged there. */
export function copyOf(whole: string, scratch: Scratch): string {
  const data = scratch.at('data')
  cpSync(whole, data, { recursive: true })
  const ledger = join(data, 'ledger')
  for (const name of readdirSync(ledger)) {
    const text = readFileSync(join(ledger, name), 'utf8')
    writeFileSync(
      join(ledger, name),
      text.replaceAll(JSON.stringify(join(whole, 'objects')), JSON.stringify(join(data, 'objects'))),
    )
  }
  return data
}

/** The ledger's only file. */
export function ledgerFile(data: string): string {
  return join(data, 'ledger', readdirSync(join(data, 'ledger'))[0] ?? '')
}

/** What stands in it, without checksums: what is changed and written again is as the first program wrote it. */
export function entriesIn(data: string): LedgerEntry[] {
  return readFileSync(ledgerFile(data), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line.replace(/,"crc":"[0-9a-f]{8}"\}$/, '}')) as LedgerEntry)
}

/** Writes it anew. */
export function writeEntries(data: string, entries: readonly unknown[]): void {
  writeFileSync(ledgerFile(data), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
}

/** Flips a bit of a file. */
export function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  writeFileSync(path, bytes)
}

/** The object in the middle, and the entry and receipt range it belongs to. */
export function someObject(data: string) {
  const objects = entriesIn(data).flatMap((entry) => entry.objects.map((object) => ({ entry, object })))
  const { entry, object } = objects[objects.length >> 1]!
  return { entry, object, path: join(data, 'objects', object.name) }
}
