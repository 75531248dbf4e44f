/**
 * Where a line of the ledger says that objects went: a directory inside the data directory stands there relative to that,
 * so that both can be moved together; any other with its whole path, whatever directory a program is started in.
 */

import { isAbsolute, join, relative, resolve } from 'node:path'

const INSIDE = '{data}/'

/** A directory of objects, as the ledger has it. */
export function placeForLedger(root: string, data: string): string {
  const inside = relative(resolve(data), resolve(root))
  const isInside = inside !== '' && !isAbsolute(inside) && inside.split('/')[0] !== '..'
  return isInside ? INSIDE + inside : resolve(root)
}

/** What the ledger has, as it is now: what isn't inside the data directory stays as it stands there. */
export function placeFromLedger<T extends { destination: string }>(entry: T, data: string): T {
  const { destination } = entry
  if (!destination.startsWith(INSIDE)) return entry
  return { ...entry, destination: join(resolve(data), destination.slice(INSIDE.length)) }
}
