/** The server with several lanes: a process for each on a data directory that is locked for all, and a supervisor over them. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Options } from './config/options.ts'
import { openDataDirectory } from './journal/data-directory.ts'
import { checkOptions } from './lane.ts'
import { LaneChild } from './lanes/lane-child.ts'
import { shareFault } from './lanes/share.ts'
import { removeSockets, socketPath } from './lanes/sisters.ts'
import { type SpawnLane, Supervisor } from './lanes/supervisor.ts'
import { Fault } from './observe/errors.ts'
import type { Observer } from './observe/events.ts'
import type { Files } from './platform/files.ts'
import { lockFile } from './platform/lock.ts'
import type { Platform } from './platform/platform.ts'
import type { Server } from './server.ts'

/** The longest path of a socket file that every system takes. */
const SOCKET_PATH_BYTES_MAX = 100

/** Starts a process for each lane, or throws what the first of them could not start for, with nothing left running. */
export async function startLanes(
  options: Options,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  platform: Platform,
  observe: Observer,
): Promise<Server> {
  checkOptions(options, env)
  const fault = shareFault(options)
  if (fault !== undefined) throw new Fault('config_invalid', fault)
  const directory = await openDataDirectory(platform, lockFile, options.data, () => observe({ kind: 'lanes-awaited' }))
  // Of more lanes before, or of a run that was killed.
  await removeSockets(platform.files, options.data)
  const sockets = socketDirectory(options, platform.files)
  const release = async () => {
    await sockets.remove()
    directory.release()
  }
  const spawn: SpawnLane = (lane, hear) => {
    const child = new LaneChild(args, directory.lanesLock, hear)
    child.say({ kind: 'start', lane, node: directory.node, socketDirectory: sockets.path })
    return child
  }
  const supervisor = new Supervisor(options, spawn, platform.clock, observe)
  // A second signal ends this process at once, and all of it.
  process.on('exit', () => supervisor.kill())
  try {
    const { url, tcp, destination } = await supervisor.start()
    return {
      url,
      tcp: tcp?.address,
      destination,
      processes: supervisor.processes,
      backlog: () => supervisor.backlog,
      async stop(graceMs) {
        await supervisor.stop(graceMs)
        await release()
      },
    }
  } catch (error) {
    await supervisor.stop(0)
    await release()
    throw error
  }
}

/** Where lanes have their sockets: in the data directory, or in one of their own where its path is too long for that. */
function socketDirectory({ data, lanes }: Options, files: Files): { path: string; remove(): Promise<void> } {
  if (Buffer.byteLength(socketPath(data, lanes - 1)) <= SOCKET_PATH_BYTES_MAX) {
    return { path: data, remove: () => removeSockets(files, data) }
  }
  const path = mkdtempSync(join(tmpdir(), 'millrace-'))
  return { path, remove: async () => rmSync(path, { recursive: true, force: true }) }
}
