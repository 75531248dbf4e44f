/** Small damage to a text: mostly no JSON any more, and always nearly. */

import type { Seeded } from '../seeded.ts'

/** One to three small changes: a character more, fewer or other, a piece twice or gone, the end gone. */
export function damage(random: Seeded, text: string): string {
  const characters = [...text]
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(characters.length + 1)
    const piece = random.chance(0.7)
      ? random.pick([...'{}[]",:\\u0-+.eEtfn \n\r\t\0\x1f\u2028\ufeffé1'])
      : random.pick(characters)
    const change = random.below(5)
    if (change === 0) characters.splice(at, 0, piece ?? '')
    else if (change === 1) characters.splice(at, 1)
    else if (change === 2) characters.splice(at, 1, piece ?? '')
    else if (change === 3) characters.splice(at, 0, ...characters.slice(at, at + random.below(20)))
    else characters.splice(at, random.below(20))
  }
  return characters.join('')
}
