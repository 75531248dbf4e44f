/** A lane's process, as the supervisor sees it: messages in both directions, and how it ended. */

import { type ChildProcess, spawn } from 'node:child_process'
import type { FromLane, ToLane } from './messages.ts'

const ENTRY = new URL('../lane-process.ts', import.meta.url).pathname

/** How a process ended. */
export interface LaneExit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A process that is one lane. */
export class LaneChild {
  readonly exited: Promise<LaneExit>
  readonly #child: ChildProcess

  /** Starts it with the program's own arguments. It holds `lock` for as long as it lives, also when nobody watches it. */
  constructor(args: readonly string[], lock: number | undefined, hear: (message: FromLane) => void) {
    // Its lines go where the program's go. The channel's end is how it learns that the supervisor is gone.
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc', lock ?? 'ignore'] as const
    this.#child = spawn(process.execPath, [ENTRY, ...args], { stdio: [...stdio] })
    this.#child.on('message', (message) => hear(message as FromLane))
    const closed = new Promise<void>((resolve) => this.#child.once('disconnect', resolve))
    this.exited = new Promise((resolve) => {
      // Its last words may still be on their way when it is gone.
      this.#child.once('exit', (code, signal) => void closed.then(() => resolve({ code, signal })))
      // It could not be started at all.
      this.#child.once('error', () => resolve({ code: 1, signal: null }))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  say(message: ToLane): void {
    // One that has just ended hears nothing; its exit is told by itself.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
