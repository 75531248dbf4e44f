/** What befalls one life: its options, its clients, its faults and its end, all drawn from the seed. */

import type { Seeded } from '../seeded.ts'
import { type DiskFault, OPERATIONS } from './disk-faults.ts'
import type { Ending, LifeOptions } from './life.ts'
import type { Mood } from './object-store.ts'
import { magnitude } from './world.ts'

const HOUR_MS = 3_600_000

/** How a life ends: after a time or, before that, after so many operations; a stop may be cut off, too. */
export type End =
  | { kind: 'crash'; how: Ending; operations: number }
  | { kind: 'stop'; graceMs: number; crash: { how: Ending; operations: number } | undefined }
  /** All faults are mended, and everything has to be stored before it ends. */
  | { kind: 'drained' }

/** Something that happens at a time after a life's start. */
export interface Incident<T> {
  atMs: number
  what: T
}

export interface Plan {
  options: LifeOptions
  lengthMs: number
  /** How many records come together, and how far apart. */
  bursts: Incident<{ records: number; apartMs: number }>[]
  diskFaults: Incident<Omit<DiskFault, 'untilMs'> & { lengthMs: number }>[]
  moods: Incident<{ mood: Mood; lengthMs: number }>[]
  faultsPercent: number
  clockJumps: Incident<number>[]
  threadDeaths: Incident<number>[]
  end: End
}

function drawOptions(random: Seeded, isLarge: boolean): LifeOptions {
  const objectBytes = isLarge ? { least: 100_000, most: 64 * 1024 * 1024 } : { least: 200, most: 100_000 }
  return {
    format: random.pick(['lines', 'lines', 'payload']),
    compression: random.pick(['none', 'none', 'none', 'none', 'gzip', 'zstd']),
    objectBytesMax: Math.floor(magnitude(random, objectBytes.least, objectBytes.most)),
    lingerMs: Math.floor(magnitude(random, 20, 300_000)),
    maxWorkers: 1 + random.below(4),
    threads: 1 + random.below(2),
    bodyBytesMax: Math.floor(magnitude(random, 100, 100_000)),
    putsMax: Math.floor(magnitude(random, 1, 64)),
  }
}

/** A life with whatever can happen in it; `isLarge` where there are large records. */
export function drawPlan(random: Seeded, isLarge: boolean): Plan {
  const isLong = random.chance(0.1)
  const lengthMs = isLong ? magnitude(random, HOUR_MS, 8 * HOUR_MS) : magnitude(random, 5, HOUR_MS / 2)
  const isDiskGood = random.chance(0.5)
  return {
    options: drawOptions(random, isLarge),
    lengthMs,
    bursts: drawBursts(random, lengthMs, 8),
    diskFaults: incidents(random, lengthMs, isDiskGood ? 0 : 4, () => drawDiskFault(random, lengthMs)),
    moods: incidents(random, lengthMs, random.chance(0.6) ? 0 : 3, () => ({
      mood: random.pick(['down', 'parked'] as const),
      lengthMs: magnitude(random, 10, isLong ? 6 * HOUR_MS : lengthMs),
    })),
    faultsPercent: random.pick([0, 5, 30, 70]),
    clockJumps: incidents(random, lengthMs, random.chance(0.7) ? 0 : 3, () => {
      return (random.chance(0.5) ? -1 : 1) * magnitude(random, 1, 100 * HOUR_MS)
    }),
    threadDeaths: incidents(random, lengthMs, random.chance(0.7) ? 0 : 3, () => random.below(2)),
    end: drawEnd(random),
  }
}

/** A life without faults, at the end of a run. */
export function drawLastPlan(random: Seeded, isLarge: boolean): Plan {
  const lengthMs = magnitude(random, 5, 10_000)
  return {
    options: drawOptions(random, isLarge),
    lengthMs,
    bursts: drawBursts(random, lengthMs, 3),
    diskFaults: [],
    moods: [],
    faultsPercent: 0,
    clockJumps: [],
    threadDeaths: [],
    end: { kind: 'drained' },
  }
}

function drawBursts(random: Seeded, lengthMs: number, most: number): Plan['bursts'] {
  return incidents(random, lengthMs, most, () => ({
    records: Math.floor(magnitude(random, 1, 12)),
    apartMs: random.pick([0, 0, 0.1, 5]),
  }))
}

function drawDiskFault(random: Seeded, lengthMs: number) {
  const operations = random.chance(0.2) ? [...OPERATIONS] : [random.pick(OPERATIONS), random.pick(OPERATIONS)]
  const isShort = random.chance(0.6)
  return {
    operations,
    code: random.pick(['EIO', 'ENOSPC'] as const),
    left: isShort ? 1 + random.below(3) : Number.POSITIVE_INFINITY,
    lengthMs: isShort ? Number.POSITIVE_INFINITY : magnitude(random, 1, lengthMs),
  }
}

function drawEnd(random: Seeded): End {
  const how = random.pick(['killed', 'power lost'] as const)
  const operations = Math.floor(magnitude(random, 1, 300))
  if (random.chance(0.5)) return { kind: 'crash', how, operations }
  if (random.chance(0.4)) return { kind: 'crash', how, operations: Number.POSITIVE_INFINITY }
  if (random.chance(0.4)) return { kind: 'drained' }
  const graceMs = random.chance(0.2) ? 0 : magnitude(random, 1, 60_000)
  const crash = random.chance(0.5) ? { how, operations: Math.floor(magnitude(random, 1, 20)) } : undefined
  return { kind: 'stop', graceMs, crash }
}

/** Up to `most` incidents somewhere in a life, half of them near its beginning. */
function incidents<T>(random: Seeded, lengthMs: number, most: number, draw: () => T): Incident<T>[] {
  return Array.from({ length: random.below(most + 1) }, () => ({
    atMs: random.chance(0.5) ? magnitude(random, 0.1, lengthMs) : random.unit() * lengthMs,
    what: draw(),
  }))
}
