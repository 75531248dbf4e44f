/** Checks of what a dispatcher and its parts are made with; each throws an error that names it. */

/** How many may be held: a whole number from 0. */
export function checkCapacity(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return
  throw new RangeError(`${what} is a whole number from 0, not ${shown(value)}`)
}

/** How many work at once: a whole number from 1, or `Infinity`. */
export function checkSize(what: string, value: number): void {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= 1)) return
  throw new RangeError(`${what} is a whole number from 1, or Infinity, not ${shown(value)}`)
}

/** A value that isn't what it should be, for people: `'4'` is not 4. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  return typeof value === 'number' || value == null ? String(value) : `a value of type ${typeof value}`
}
