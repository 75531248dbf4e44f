/** The bodies of the load: collections of varied telemetry payloads, the same for every contender and every run. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Seeded, seeded } from '../test/seeded.ts'

/**
 * Enough that no contender gets to know them, and that what compresses sees none again: zstd looks back half a MiB at the
 * most, and 512 bodies of one payload had 4 % less CPU for that alone. Not so many that large ones fill the memory.
 */
const BODIES_MAX = 8192
const PAYLOADS_MAX = 51_200
const SEED = 20_261_121
const DAY_MS = 86_400_000
const FIRST_MS = Date.UTC(2024, 10, 20, 20)
const EVENTS = ['app.open', 'app.close', 'page.view', 'threat.found', 'scan.done', 'update.applied', 'error']
const SYSTEMS = ['windows', 'macos', 'linux']

/** Bodies of `payloadsEach` payloads, about 185 bytes each. */
export function makeBodies(payloadsEach: number): string[] {
  const random = seeded(SEED + payloadsEach)
  const collection = () => {
    const data = Array.from({ length: payloadsEach }, () => makePayload(random))
    return JSON.stringify({ version: '10.0.19045', token: 'tok_bench', data })
  }
  return Array.from({ length: Math.min(BODIES_MAX, Math.ceil(PAYLOADS_MAX / payloadsEach)) }, collection)
}

/** Writes bodies to a file, one a line, and returns its path. */
export function writeBodies(directory: string, payloadsEach: number): string {
  const path = join(directory, `bodies-${payloadsEach}.ndjson`)
  writeFileSync(path, `${makeBodies(payloadsEach).join('\n')}\n`)
  return path
}

function makePayload(random: Seeded): object {
  return {
    id: uuidFrom(random),
    event: random.pick(EVENTS),
    ts: FIRST_MS + random.below(DAY_MS),
    host: `host-${random.below(1_000_000)}.example`,
    props: {
      os: random.pick(SYSTEMS),
      build: 19_000 + random.below(999),
      ok: random.chance(0.5),
      ms: random.below(100_000) / 100,
    },
  }
}

/** As random as a UUID, and the same every time. */
function uuidFrom(random: Seeded): string {
  const hex = random.bytes(16).toHex()
  const [a, b, c, d, e] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(13, 16), hex.slice(17, 20), hex.slice(20)]
  return `${a}-${b}-4${c}-8${d}-${e}`
}
