/** Rounds: every contender has its turn in each, and who was first in one is last in the next, so that drift hits all alike. */

import type { Figures, Session } from './question.ts'

/** One who takes part. */
export interface Contender {
  name: string
  measure(): Promise<Figures>
}

/** Measures all contenders in all rounds. */
export async function alternate(session: Session, contenders: readonly Contender[]): Promise<void> {
  for (let round = 0; round < session.settings.rounds; round++) {
    for (const { name, measure } of orderOf(contenders, round)) {
      session.add({ round, contender: name, figures: await measure() })
    }
  }
}

/** Forwards in even rounds, backwards in odd ones. */
export function orderOf<T>(contenders: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? contenders : contenders.toReversed()
}
