/** Durations, sizes and moments as people write them (`500ms`, `10m`; `64KiB`, `10GiB`; `2026-11-20`), read and written. */

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const SIZE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const

/** Milliseconds, or undefined when the text isn't a duration. */
export function parseDuration(text: string): number | undefined {
  return parseUnits(text, DURATION_UNITS)
}

/** Bytes, or undefined when the text isn't a size. */
export function parseSize(text: string): number | undefined {
  return parseUnits(text, SIZE_UNITS)
}

/** `5000` → `5s`: in the largest unit that gives a whole number. */
export function formatDuration(ms: number): string {
  return formatUnits(ms, DURATION_UNITS)
}

/** `67108864` → `64MiB`: in the largest unit that gives a whole number. */
export function formatSize(bytes: number): string {
  return formatUnits(bytes, SIZE_UNITS)
}

/** A moment in milliseconds since 1970: so long before now (`24h`), or UTC as `2026-11-20` or `2026-11-20T10:00:00Z`. */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const agoMs = parseDuration(text)
  if (agoMs !== undefined) return nowMs - agoMs
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z)?$/.test(text)) return undefined
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : atMs
}

function parseUnits(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text)
  const unit = units[match?.[2] ?? '']
  if (!match || unit === undefined) return undefined
  const value = Number(match[1]) * unit
  return Number.isInteger(value) ? value : undefined
}

function formatUnits(value: number, units: Readonly<Record<string, number>>): string {
  const [name, size] = Object.entries(units)
    .reverse()
    .find(([, size]) => value % size === 0 && value >= size) ?? [Object.keys(units)[0], 1]
  return `${value / size}${name}`
}
