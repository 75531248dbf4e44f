/** The peer (`peer-bullmq/`): Fastify, BullMQ on Redis and the AWS SDK, all below one process. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Child } from '../../src/designs/processes.ts'
import type { StandIn } from './stand-in.ts'
import { type LandingSubject, startListening } from './subject.ts'

const FOLDER = join(import.meta.dir, 'peer-bullmq')

/** Installs its packages into its own folder, unless they are there. */
export async function installPeer(): Promise<void> {
  if (existsSync(join(FOLDER, 'node_modules/.package-lock.json'))) return
  const args = ['install', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await new Child({ command: 'npm', args, cwd: FOLDER }).finished()
}

/** Starts it with `data` for Redis. */
export async function startPeer(data: string, standIn: StandIn): Promise<LandingSubject> {
  const { child, base } = await startListening({
    command: 'node',
    args: [join(FOLDER, 'peer.mjs')],
    env: {
      DATA: data,
      AWS_ENDPOINT_URL_S3: standIn.endpoint,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'AKIDBENCH',
      AWS_SECRET_ACCESS_KEY: 'the-secret-of-the-bench',
      NODE_ENV: 'production',
    },
  })
  return {
    url: `${base}/payload`,
    pid: child.pid,
    landed: async () => (await standIn.counts()).objects,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
