/** The threads of the smoke run. */

export function run({ n, bytes, die, spin }, { transfer }) {
  if (die) process.exit(1)
  while (spin);
  if (bytes) {
    transfer(bytes.buffer)
    return bytes
  }
  return n * n
}
