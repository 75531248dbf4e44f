/** Child processes that are measured, each the head of its own process group, and all of them gone when the measuring is. */

import { type ChildProcess, spawn } from 'node:child_process'

/** How much of what a child prints is kept. */
const OUTPUT_CHARS_MAX = 1_000_000

const running = new Set<Child>()

/** How to start a child. */
export interface Command {
  command: string
  args?: readonly string[]
  env?: Readonly<Record<string, string>>
  cwd?: string
}

/** A running program and all that it starts. */
export class Child implements AsyncDisposable {
  /** Both streams. */
  output = ''
  /** Its exit code, or null after a signal. */
  readonly exited: Promise<number | null>
  readonly #name: string
  readonly #child: ChildProcess
  #listeners: (() => void)[] = []
  #ended = false

  constructor({ command, args = [], env = {}, cwd }: Command) {
    this.#name = command
    // Only what is asked for: the options of whoever runs the bench must not leak in.
    const { PATH, HOME, TMPDIR } = process.env
    this.#child = spawn(command, args, {
      env: { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
    })
    running.add(this)
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        if (this.output.length < OUTPUT_CHARS_MAX) this.output += text
        this.#wake()
      })
    }
    this.exited = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code) => {
        this.#ended = true
        running.delete(this)
        this.#wake()
        resolve(code)
      })
    })
    // Whoever waits hears of it; nobody has to.
    this.exited.catch(() => undefined)
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Waits until the output matches. Throws when the program ends first. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      if (this.#ended) throw new Error(`${this.#name} ended before it printed ${pattern}:\n${this.output}`)
      await Promise.race([new Promise<void>((resolve) => this.#listeners.push(resolve)), this.exited])
    }
  }

  /** Everything it printed, once it ended well. Throws otherwise. */
  async finished(): Promise<string> {
    const code = await this.exited
    if (code !== 0) throw new Error(`${this.#name} ended with ${code}:\n${this.output}`)
    return this.output
  }

  /** Asks it to stop. */
  stop(): void {
    this.#child.kill('SIGTERM')
  }

  /** `kill -9` for the whole group, without waiting. */
  kill(): void {
    if (this.#ended || this.pid < 0) return
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    await this.exited.catch(() => undefined)
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }
}

/** Kills everything that is still running. */
export function killAll(): void {
  for (const child of running) child.kill()
}
