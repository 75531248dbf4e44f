/** Runs a command of the program to its end, its two streams apart. */

import { join } from 'node:path'

const CLI = join(import.meta.dir, '../../src/cli.ts')

/** How a command ended and what it said. */
export interface Ran {
  code: number
  out: string
  err: string
}

/** Runs the program itself. */
export async function millrace(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const { PATH, HOME } = process.env
  const run = Bun.spawn([process.execPath, CLI, ...args], {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err, code] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
    run.exited,
  ])
  return { code, out, err }
}
