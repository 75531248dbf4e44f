/** Ack levels: how much has to be true before a POST is answered. */

import type { Refusal } from './problem.ts'
import type { StoredWaiters } from './stored-waiters.ts'

/** In memory, on the disk, or at the destination. */
export type AckLevel = 'memory' | 'disk' | 'stored'

/** Every level, the weakest first. */
export const ACK_LEVELS: readonly AckLevel[] = ['memory', 'disk', 'stored']

/** Which levels clients get, and what it takes to give the highest. */
export interface AckOptions {
  /** For those who don't ask. */
  default: AckLevel
  allow: readonly AckLevel[]
  /** How long those who wait for `stored` wait for others to share their segment. */
  storedLingerMs: number
  storedWaiters: StoredWaiters
  /** The objects of a record that is stored; undefined when it isn't, or nobody knows. */
  storedIn(receipt: string): Promise<string[] | undefined>
}

/** The level that a request's address asks for (`?ack=stored`), or why it can't have it. */
export function wantedAck(url: string, options: AckOptions): AckLevel | Refusal {
  const query = url.indexOf('?')
  if (query < 0) return options.default
  const wanted = new URLSearchParams(url.slice(query + 1)).getAll('ack')
  if (wanted.length === 0) return options.default
  const level = ACK_LEVELS.find((known) => known === wanted[0])
  if (level && wanted.length === 1 && options.allow.includes(level)) return level
  const detail = `ack is '${wanted.join("', '")}'; this server gives ${options.allow.join(', ')}`
  return { code: 'ack_not_allowed', detail }
}
