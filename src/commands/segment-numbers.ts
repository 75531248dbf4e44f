/**
 * Which numbers of segments were seen. Each number of a lane is given once, in order, to a segment whose file is in the
 * journal until its line is in the ledger, also when nothing was ever in it: a number that is in neither was lost.
 */

import { SEGMENTS_PER_FILE } from '../observe/ledger-files.ts'

/** Numbers that follow one another. */
export interface NumberRange {
  lane: number
  first: number
  last: number
}

/** Numbers by lane. A byte each, in pieces of as many as share a file of the ledger. */
export class SegmentNumbers {
  readonly #lanes = new Map<number, { pieces: Map<number, Uint8Array>; highest: number }>()

  add(lane: number, number: number): void {
    const known = this.#lanes.get(lane) ?? { pieces: new Map(), highest: 0 }
    this.#lanes.set(lane, known)
    const at = Math.floor(number / SEGMENTS_PER_FILE)
    const piece = known.pieces.get(at) ?? new Uint8Array(SEGMENTS_PER_FILE)
    known.pieces.set(at, piece)
    piece[number % SEGMENTS_PER_FILE] = 1
    known.highest = Math.max(known.highest, number)
  }

  get lanes(): number[] {
    return [...this.#lanes.keys()].sort((a, b) => a - b)
  }

  highest(lane: number): number {
    return this.#lanes.get(lane)?.highest ?? 0
  }

  /** Those of a range that were not seen. */
  missing({ lane, first, last }: NumberRange): NumberRange[] {
    const ranges: NumberRange[] = []
    for (let number = first; number <= last; number++) {
      if (this.#has(lane, number)) continue
      const range = ranges.at(-1)
      if (range?.last === number - 1) range.last = number
      else ranges.push({ lane, first: number, last: number })
    }
    return ranges
  }

  #has(lane: number, number: number): boolean {
    const piece = this.#lanes.get(lane)?.pieces.get(Math.floor(number / SEGMENTS_PER_FILE))
    return piece?.[number % SEGMENTS_PER_FILE] === 1
  }
}
