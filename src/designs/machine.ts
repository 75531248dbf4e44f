/** The machine in words: without it no figure means anything. */

import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** `AMD EPYC, 2 cores, 24 GiB, Linux 6.18, Bun 1.4.5`. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'an unknown processor'
  const cores = availableParallelism()
  const gibibytes = Math.round(totalmem() / 1024 ** 3)
  return `${model}, ${cores} core${cores === 1 ? '' : 's'}, ${gibibytes} GiB, ${type()} ${release()}, Bun ${Bun.version}`
}
