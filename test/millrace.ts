/** Runs the program itself, as its user would: a child process with a data directory of its own. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CLI = join(import.meta.dir, '../src/cli.ts')

/** How a process ended. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A running program; killed when its scope is left, however that happens. */
export class Millrace implements AsyncDisposable {
  url = ''
  /** All that it printed, both streams. */
  output = ''
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  #listeners: (() => void)[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.output += text
        for (const listener of this.#listeners.splice(0)) listener()
      })
    }
    this.exited = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        resolve({ code, signal })
        for (const listener of this.#listeners.splice(0)) listener()
      })
    })
  }

  /** Starts the program without waiting for anything; `under` is a command that becomes it, as `strace -D` does. */
  static spawn(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    under: readonly string[] = [],
  ): Millrace {
    // Only what is asked for: the options of whoever runs the tests must not leak in.
    const { PATH, HOME } = process.env
    const [command = '', ...rest] = [...under, process.execPath, CLI, ...args]
    // How many lanes there are doesn't depend on the machine.
    const child = spawn(command, rest, { env: { PATH, HOME, MILLRACE_LANES: '1', ...env } })
    return new Millrace(child)
  }

  /** Starts the program on a free port and waits until it listens. */
  static async start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    under: readonly string[] = [],
  ): Promise<Millrace> {
    const millrace = Millrace.spawn(['--port', '0', ...args], env, under)
    const match = await millrace.printed(/listens on (http:\S+)/)
    millrace.url = match[1] as string
    return millrace
  }

  /** The processes of its lanes when it started, in their order. */
  get lanes(): number[] {
    const listed = /^ {2}lanes {5}\d+: processes ([\d, ]+)$/m.exec(this.output)?.[1] ?? ''
    return listed.split(', ').map(Number)
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** Waits until the output matches. Rejects when the program ends first. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`millrace ended before it printed ${pattern}:\n${this.output}`)
      }
      await new Promise<void>((resolve) => this.#listeners.push(resolve))
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Sends SIGTERM and waits for the end. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM')
    return await this.exited
  }

  /** `kill -9`, and waits for the end. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return await this.exited
  }

  /** Waits until this many payloads are on its disk and not stored. */
  async pending(payloads: number): Promise<void> {
    for (let found = -1; found !== payloads; ) {
      const status = await (await fetch(`${this.url}/status`)).json()
      found = (status as { pending: { payloads: number } }).pending.payloads
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  /** POSTs a body. `type` is the content type. */
  post(path: string, type: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
    return fetch(this.url + path, { method: 'POST', body, headers: { 'content-type': type, ...headers } })
  }
}

/** A directory that is gone when the test is over. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'millrace-test-'))

  /** A path inside. */
  at(...names: string[]): string {
    return join(this.path, ...names)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
