/** A set of whole numbers that are added nearly in order: as many ranges as there are gaps. */

/** Numbers that follow one another. */
export type Range = [first: number, count: number]

/** The set. */
export class Ranges {
  readonly #list: Range[] = []

  constructor(list: readonly Range[] = []) {
    for (const [first, count] of list) this.add(first, count)
  }

  add(first: number, count = 1): void {
    const list = this.#list
    let at = list.length
    while (at > 0 && (list[at - 1] as Range)[0] > first) at -= 1
    const before = list[at - 1]
    if (before && before[0] + before[1] >= first) {
      at -= 1
      before[1] = Math.max(before[1], first + count - before[0])
    } else {
      list.splice(at, 0, [first, count])
    }
    const own = list[at] as Range
    for (let after = list[at + 1]; after && own[0] + own[1] >= after[0]; after = list[at + 1]) {
      own[1] = Math.max(own[1], after[0] + after[1] - own[0])
      list.splice(at + 1, 1)
    }
  }

  has(number: number): boolean {
    return isWithin(this.#list, number)
  }

  /** In order; no two of them touch. */
  list(): readonly Range[] {
    return this.#list
  }
}

/** Whether a number is in one of these. */
export function isWithin(list: readonly Range[], number: number): boolean {
  return list.some(([first, count]) => number >= first && number < first + count)
}
