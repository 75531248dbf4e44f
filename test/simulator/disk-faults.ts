/** What of the disk is at fault, for how long, and how often that was felt. */

import type { World } from './world.ts'

export const OPERATIONS = [
  'read',
  'open',
  'write',
  'datasync',
  'truncate',
  'rename',
  'remove',
  'mkdir',
  'sync-directory',
] as const
export type Operation = (typeof OPERATIONS)[number]

/** Some operations fail: for a while, or so many of them. */
export interface DiskFault {
  operations: readonly Operation[]
  code: 'EIO' | 'ENOSPC'
  left: number
  untilMs: number
}

/** What of the disk is at fault just now, and how often it was. */
export class DiskFaults {
  /** How many operations have failed. */
  total = 0
  readonly #world: World
  #faults: DiskFault[] = []

  constructor(world: World) {
    this.#world = world
  }

  add(fault: DiskFault): void {
    this.#world.log(`disk fault: ${fault.operations.join(' ')} ${fault.code}`)
    this.#faults.push(fault)
  }

  heal(): void {
    this.#faults = []
  }

  /** The code that an operation fails with now. */
  take(operation: Operation): string | undefined {
    if (this.#faults.length === 0) return undefined
    this.#faults = this.#faults.filter(({ left, untilMs }) => left > 0 && untilMs > this.#world.nowMs)
    const fault = this.#faults.find(({ operations }) => operations.includes(operation))
    if (!fault) return undefined
    fault.left -= 1
    this.#world.count(`disk: ${operation} ${fault.code}`)
    this.total += 1
    return fault.code
  }
}
