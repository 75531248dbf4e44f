/** Is it UTF-8: where bytes stop being it, for the answers that name the place. */

/**
 * The offset in bytes of the first sequence that is not UTF-8, or -1 when all of it is. Strict as a fatal
 * `TextDecoder`: no overlong forms, no surrogates, nothing past U+10FFFF, nothing cut off. Slower than the decoder:
 * ask the decoder whether, and this where.
 */
export function firstInvalidUtf8(bytes: Uint8Array): number {
  const length = bytes.length
  let i = 0
  while (i < length) {
    const lead = bytes[i] as number
    if (lead < 0x80) {
      i++
      continue
    }
    // 80..C1 never start a sequence (continuations; overlong two-byte forms), F5..FF would be past U+10FFFF.
    if (lead < 0xc2 || lead > 0xf4) return i
    const count = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3
    if (i + count >= length) return i
    // The second byte alone tells overlong forms, surrogates and what is past the end from the rest.
    const second = bytes[i + 1] as number
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (second < low || second > high) return i
    for (let k = 2; k <= count; k++) if (((bytes[i + k] as number) & 0xc0) !== 0x80) return i
    i += count + 1
  }
  return -1
}
