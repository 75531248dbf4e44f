/** A design that runs: the server in a process of its own, started and killed as often as one likes. */

import { join } from 'node:path'
import { Fault } from '../observe/errors.ts'
import { DESIGNS, type DesignName, type DesignRow } from './designs.ts'
import type { KnownDesign } from './known-design.ts'
import { Child } from './processes.ts'
import type { Settings } from './result.ts'

const KNOWN_DESIGN = new URL('./known-design.ts', import.meta.url).pathname
const PROGRAM = new URL('../cli.ts', import.meta.url).pathname
/** Whatever lies in the directory it is started from is not for the child. */
const RUNTIME = ['--no-env-file', '--no-install', '--config=/dev/null']
/**
 * How long a payload waits for others to share its object: a tenth of what Millrace does by default, so that what it lands
 * can be told step by step.
 */
const LINGER = '500ms'

/** How many requests a known design's runtime has under way at most: its own default, but said. */
export const REQUESTS_MAX = 256

/** What a contender is started with. */
export interface ContenderOptions {
  settings: Settings
  /** The store's address. */
  store: string
  /** A directory that a design may keep things in, also over a crash. */
  directory: string
}

/** A running design. */
export interface Contender {
  /** Where payloads are posted. */
  url: string
  child: Child
}

/** Starts a design and waits until it listens. */
export async function startContender(name: DesignName, options: ContenderOptions): Promise<Contender> {
  const row: DesignRow = DESIGNS[name]
  const child = row.dispatch
    ? startKnown({ ...row.dispatch(options.settings), store: options.store })
    : startMillrace(options)
  try {
    const [, url = ''] = await child.printed(/listens on (http:\S+)/)
    return { url: `${url}/payload`, child }
  } catch (error) {
    throw new Fault('bench_failed', `'${row.title}' did not start: ${(error as Error).message}`, { cause: error })
  }
}

function startKnown(design: KnownDesign): Child {
  return new Child({
    command: process.execPath,
    args: [...RUNTIME, KNOWN_DESIGN, JSON.stringify(design)],
    env: { BUN_CONFIG_MAX_HTTP_REQUESTS: String(REQUESTS_MAX) },
  })
}

function startMillrace({ store, directory }: ContenderOptions): Child {
  const args = ['--port', '0', '--data', join(directory, 'data'), '--to', 's3://designs/objects']
  return new Child({
    command: process.execPath,
    // One process, as the others are.
    args: [...RUNTIME, PROGRAM, ...args, '--lanes', '1', '--linger', LINGER],
    env: {
      AWS_ENDPOINT_URL_S3: store,
      AWS_REGION: 'local',
      AWS_ACCESS_KEY_ID: 'of-no-use-elsewhere',
      AWS_SECRET_ACCESS_KEY: 'of-no-use-elsewhere',
    },
  })
}
