/** `application/x-www-form-urlencoded`, read over bytes so that broken UTF-8 is seen and not replaced. */

/** The values of the field `name`, percent-decoded to raw bytes, in the order they stand in. */
export function formValues(body: Uint8Array, name: string): Uint8Array[] {
  const values: Uint8Array[] = []
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  for (let start = 0; start <= text.length; ) {
    const ampersand = text.indexOf(0x26, start)
    const end = ampersand < 0 ? text.length : ampersand
    const field = text.subarray(start, end)
    const equals = field.indexOf(0x3d)
    const key = percentDecoded(equals < 0 ? field : field.subarray(0, equals))
    if (key.toString('latin1') === name) {
      values.push(percentDecoded(equals < 0 ? field.subarray(field.length) : field.subarray(equals + 1)))
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
    if (byte === 0x2b) byte = 0x20
    else if (byte === 0x25) {
      const hex = bytes.toString('latin1', i + 1, i + 3)
      if (/^[0-9a-fA-F]{2}$/.test(hex)) {
        byte = Number.parseInt(hex, 16)
        i += 2
      }
    }
    decoded[length++] = byte
  }
  return decoded.subarray(0, length)
}
