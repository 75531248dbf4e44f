/** `application/x-www-form-urlencoded`, read over bytes so that broken UTF-8 is seen and not replaced. */

/** The most fields of a form that are looked at. */
export const FORM_FIELDS_MAX = 10_000

const AMPERSAND = 0x26
const EQUALS = 0x3d
const PERCENT = 0x25
const PLUS = 0x2b

/**
 * The values of the field `name`, percent-decoded to raw bytes, in the order they stand in; undefined when the form has
 * more than `FORM_FIELDS_MAX` fields.
 */
export function formValues(body: Uint8Array, name: string): Uint8Array[] | undefined {
  const values: Uint8Array[] = []
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  let fields = 0
  for (let start = 0; start < text.length; ) {
    if (text[start] === AMPERSAND) {
      start += 1
      continue
    }
    fields += 1
    if (fields > FORM_FIELDS_MAX) return undefined
    const ampersand = text.indexOf(AMPERSAND, start)
    const end = ampersand < 0 ? text.length : ampersand
    const field = text.subarray(start, end)
    const equals = field.indexOf(EQUALS)
    const key = equals < 0 ? field : field.subarray(0, equals)
    if (percentDecoded(key).toString('latin1') === name) {
      values.push(equals < 0 ? new Uint8Array() : percentDecoded(field.subarray(equals + 1)))
    }
    start = end + 1
  }
  return values
}

/** `+` is a space, `%41` is a byte, and a `%` that isn't followed by two hex digits is itself (WHATWG URL §5.1). */
function percentDecoded(bytes: Buffer): Buffer {
  const decoded = Buffer.alloc(bytes.length)
  let length = 0
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i] as number
    if (byte === PLUS) byte = 0x20
    else if (byte === PERCENT) {
      const high = hexValue(bytes[i + 1])
      const low = hexValue(bytes[i + 2])
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low
        i += 2
      }
    }
    decoded[length++] = byte
  }
  return decoded.subarray(0, length)
}

/** The value of a hexadecimal digit; -1 when it isn't one. */
function hexValue(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
