/** What lines are put together with: copies and numbers, each at an address. */

/** Copies `bytes` bytes, and up to 15 more. */
export function copy(to: usize, from: usize, bytes: usize): void {
  const end = to + bytes
  while (to < end) {
    v128.store(to, v128.load(from))
    to += 16
    from += 16
  }
}

/** The same with a space for each CR and LF: in valid JSON they are never in a string. */
export function copyFlat(to: usize, from: usize, bytes: usize): void {
  const end = to + bytes
  while (to < end) {
    const source = v128.load(from)
    const breaks = v128.or(i8x16.eq(source, i8x16.splat(0x0a)), i8x16.eq(source, i8x16.splat(0x0d)))
    v128.store(to, v128.bitselect(i8x16.splat(0x20), source, breaks))
    to += 16
    from += 16
  }
}

/** Writes a whole number in decimal; returns the address behind it. */
export function digits(to: usize, value: u32): usize {
  let end = to + 1
  for (let rest = value; rest >= 10; rest /= 10) end++
  let at = end
  let rest = value
  do {
    at--
    store<u8>(at, 0x30 + (rest % 10))
    rest /= 10
  } while (rest != 0)
  return end
}

/** Writes two digits. */
export function twoDigits(to: usize, value: u32): void {
  store<u8>(to, 0x30 + value / 10)
  store<u8>(to, 0x30 + (value % 10), 1)
}
