/** What answers say of lines that were left out. */

import type { Shape } from './shapes.ts'

/** How long what is remembered of an answer's errors may be. */
const REPEATABLE_LENGTH_MAX = 1024

/** What an answer given again says of them: where they are many, only how many, since answers are held in memory. */
export function repeatableMembers(shape: Shape): string {
  const all = rejectedMembers(shape)
  return all.length <= REPEATABLE_LENGTH_MAX ? all : `,"rejected":${shape.rejected?.count}`
}

/** What an answer says of lines that were left out. */
export function rejectedMembers({ rejected }: Shape): string {
  return rejected ? `,"rejected":${rejected.count},"errors":${JSON.stringify(rejected.errors)}` : ''
}
