/** Randomness: the only place that makes it, so that tests and the simulator can seed it. */

/** A source of randomness. */
export interface Random {
  /** A number in [0, 1). */
  unit(): number
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
}

/** The operating system's randomness. */
export const systemRandom: Random = {
  unit: () => Math.random(),
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
}
