/** The data directory: locked by one process, with the node's id in it and a directory for each lane's journal. */

import { join } from 'node:path'
import { Fault } from '../observe/errors.ts'
import type { Files } from '../platform/files.ts'
import type { FileLock } from '../platform/lock.ts'
import type { Platform } from '../platform/platform.ts'
import { parseSegmentName } from './name.ts'
import { readHeader } from './reader.ts'

/** An opened data directory. */
export interface DataDirectory {
  /** 8 characters, made once and kept in `data/node`; object names and receipts start with it. */
  node: string
  laneDirectory(lane: number): string
  /** The file of the lock that lanes in processes of their own inherit; undefined where locks aren't files. */
  lanesLock: number | undefined
  /** Gives up the locks. */
  release(): void
}

/** Takes the lock or says who holds it; `lockFile` of the platform, or a test's own. */
export type TakeLock = (path: string) => FileLock | { heldBy: string }

/**
 * Lanes in processes of their own outlive a supervisor that was killed by a moment. A start right after it waits for them:
 * they only finish what is under way.
 */
const LANES_WAIT_MS = 30_000
const LANES_LOOK_MS = 100

/** Letters and digits that nobody mistakes for one another. */
const NODE_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'

/** Makes the directory if there is none, locks it, and reads or makes the node's id. */
export async function openDataDirectory(
  platform: Platform,
  takeLock: TakeLock,
  directory: string,
  onWait: () => void = () => {},
): Promise<DataDirectory> {
  const { files } = platform
  try {
    await files.makeDirectory(directory)
    const lock = takeLock(join(directory, 'lock'))
    if ('heldBy' in lock) {
      const who = lock.heldBy ? `process ${lock.heldBy}` : 'another process'
      const message = `${directory} is in use by ${who}. Stop it, or give this one a directory of its own with --data.`
      throw new Fault('data_locked', message)
    }
    let lanes: FileLock | undefined
    const release = () => {
      lanes?.release()
      lock.release()
    }
    try {
      lanes = await takeLanesLock(platform, takeLock, directory, onWait)
      const node = (await readNode(files, directory)) ?? (await newNode(platform, directory))
      await refuseOtherNode(files, directory, node)
      return { node, laneDirectory: (lane) => laneDirectory(directory, lane), lanesLock: lanes.fd, release }
    } catch (error) {
      release()
      throw error
    }
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('data_unusable', `${directory}: ${(error as Error).message}`, { cause: error })
  }
}

/** Where a lane's journal is. */
export function laneDirectory(directory: string, lane: number): string {
  return join(directory, `lane-${lane}`)
}

/** The lanes that have a directory in `directory`, in order. */
export async function lanesIn(files: Files, directory: string): Promise<number[]> {
  const numbers = (await files.list(directory)).flatMap((name) => /^lane-(\d{1,5})$/.exec(name)?.[1] ?? [])
  return numbers.map(Number).sort((a, b) => a - b)
}

async function takeLanesLock(
  { clock }: Platform,
  takeLock: TakeLock,
  directory: string,
  onWait: () => void,
): Promise<FileLock> {
  const untilMs = clock.monotonicMs() + LANES_WAIT_MS
  for (let isFirst = true; ; isFirst = false) {
    const lanes = takeLock(join(directory, 'lanes.lock'))
    if (!('heldBy' in lanes)) return lanes
    if (clock.monotonicMs() >= untilMs) {
      const message = `lanes of an earlier run still use ${directory}, ${LANES_WAIT_MS / 1000} s after their supervisor was gone`
      throw new Fault('data_locked', `${message}. End them, then start again.`)
    }
    if (isFirst) onWait()
    await clock.sleep(LANES_LOOK_MS)
  }
}

/** The node's id in `directory`; undefined when there is none. Throws when the file holds something else. */
export async function readNode(files: Files, directory: string): Promise<string | undefined> {
  const path = join(directory, 'node')
  if ((await files.sizeOf(path)) === undefined) return undefined
  const file = await files.open(path, 'read')
  const bytes = new Uint8Array(64)
  const count = await file.read(bytes, 0).finally(() => file.close())
  const node = Buffer.from(bytes.subarray(0, count)).toString('latin1').trim()
  if (count < bytes.length && /^[a-z0-9]{1,12}$/.test(node)) return node
  throw new Error(`${path} does not hold a node id (1 to 12 of a-z and 0-9); restore it, or remove it to get a new one`)
}

/** A new id, for a directory that has nothing under an old one: receipts that were given have that in them. */
async function newNode(platform: Platform, directory: string): Promise<string> {
  const path = join(directory, 'node')
  for await (const { lane, node } of segmentNodes(platform.files, directory)) {
    const id = node === undefined ? 'the id that stood there' : `'${node}'`
    throw new Error(`${path} is gone, and lane-${lane} holds segments: make it again, with ${id} in it`)
  }
  return await makeNode(platform, path)
}

/** Segments of another node: their receipts would be unknown here, or somebody has edited the id. */
async function refuseOtherNode(files: Files, directory: string, own: string): Promise<void> {
  for await (const { path, node } of segmentNodes(files, directory)) {
    if (node === undefined || node === own) continue
    const message = `${join(directory, 'node')} says '${own}', and ${path} is of node '${node}'`
    throw new Error(`${message}: put that id back, or move the file to a data directory of its node`)
  }
}

/** The node that each segment file names; undefined where its header can't be read. */
async function* segmentNodes(files: Files, directory: string) {
  for (const lane of await lanesIn(files, directory)) {
    for (const name of await files.list(laneDirectory(directory, lane))) {
      if (!parseSegmentName(name)) continue
      const path = join(laneDirectory(directory, lane), name)
      const file = await files.open(path, 'read')
      const header = await readHeader(file, path).finally(() => file.close())
      yield { lane, path, node: header.kind === 'header' ? header.header.node : undefined }
    }
  }
}

async function makeNode({ files, random }: Platform, path: string): Promise<string> {
  const node = Array.from(random.bytes(8), (byte) => NODE_ALPHABET[byte % 32]).join('')
  // Written aside and renamed, so that a crash never leaves half an id.
  const file = await files.open(`${path}.new`, 'replace')
  try {
    await file.write(Buffer.from(`${node}\n`), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await files.rename(`${path}.new`, path)
  await files.syncDirectory(join(path, '..'))
  return node
}
