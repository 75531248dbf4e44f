/** What others use to run jobs with a bound (`peer-dispatch/`), and the library built as it is published. */

import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Child } from '../../src/designs/processes.ts'
import type { Figures } from '../question.ts'

const FOLDER = join(import.meta.dir, 'peer-dispatch')
const ROOT = join(import.meta.dir, '../..')

/** Installs its packages into its own folder, unless they are there. */
export async function installDispatchPeers(): Promise<void> {
  if (existsSync(join(FOLDER, 'node_modules/.package-lock.json'))) return
  const args = ['install', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await new Child({ command: 'npm', args, cwd: FOLDER }).finished()
}

/** Makes JavaScript of `src/dispatch`; what it resolves to is its URL. */
export async function buildLibrary(directory: string): Promise<string> {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const args = [tsc, '-p', join(ROOT, 'scripts/dispatch.tsconfig.json'), '--outDir', directory]
  await new Child({ command: process.execPath, args }).finished()
  return pathToFileURL(join(directory, 'index.js')).href
}

/** One contender in a process of its own, on Node or this Bun. */
export async function measureDispatch(
  runtime: 'node' | 'bun',
  contender: string,
  kind: 'jobs' | 'threads',
  seconds: number,
  library: string,
): Promise<Figures> {
  const command = runtime === 'bun' ? process.execPath : node()
  const args = [join(FOLDER, 'measure.mjs'), contender, kind, `${seconds}`, library]
  return JSON.parse(await new Child({ command, args }).finished()) as Figures
}

/** The Node that npm brought, where it has one for this machine: the same for everybody. */
function node(): string {
  return globSync(join(FOLDER, 'node_modules/node-*/bin/node'))[0] ?? 'node'
}
