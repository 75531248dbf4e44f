/** The job of the threads. */

export function run(n) {
  return n * n
}
