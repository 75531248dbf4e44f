/** Data directories for the commands' tests: records that can't be encoded, and copies of everything that is on the disk. */

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NewRecord } from '../../src/journal/journal.ts'
import { HEADER, segmentOf, valueRecord } from '../journal/segment-files.ts'

/** A data directory with one sealed segment of these records, as a crash leaves it. Its node is `HEADER.node`. */
export function writeSegment(data: string, records: readonly NewRecord[], number = 1): void {
  mkdirSync(join(data, 'lane-0'), { recursive: true })
  writeFileSync(join(data, 'node'), `${HEADER.node}\n`)
  const { sealed } = segmentOf({ ...HEADER, number, compression: 'zstd', objectBytesMax: 1 << 26 }, [records])
  writeFileSync(join(data, 'lane-0', `${String(number).padStart(16, '0')}.sealed`), sealed)
}

/** A record that says it holds more payloads than it does: it can't be encoded. */
export function miscounted(text: string, more: Partial<NewRecord> = {}): NewRecord {
  return valueRecord(text, { kind: 'array', payloads: 99, ...more })
}

/** Every file below a directory, with its bytes, when it was changed and when its directory was. */
export function everythingIn(directory: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    const path = join(directory, name)
    const stat = statSync(path)
    found.set(name, `${stat.mtimeMs} ${stat.isFile() ? readFileSync(path, 'base64') : ''}`)
  }
  return found
}
