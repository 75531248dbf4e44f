/** Stored once: a segment that is delivered again, after a crash between the put and the delete, changes nothing. */

import { expect, test } from 'bun:test'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { Load } from '../load.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn, readObjectsIn } from '../objects.ts'

test('the same segments again, under other options: the same objects, byte for byte', async () => {
  using scratch = new Scratch()
  const args = ['--data', scratch.at('data'), '--object-bytes-max', '64KiB']
  const load = new Load()
  {
    await using millrace = await Millrace.start([...args, '--linger', '10m', '--max-workers', '1'])
    await load.run(millrace.url, 8, () => load.acked.size > 2000)
    await millrace.kill()
  }
  // What a crash after the puts and before the deletes leaves behind: the objects, and the segments, too.
  cpSync(scratch.at('data/lane-0'), scratch.at('kept'), { recursive: true })
  await startAndStop(args)
  const objects = objectsIn(scratch.at('data/objects'))
  expect(objects.size).toBeGreaterThan(1)
  rmSync(scratch.at('data/lane-0'), { recursive: true })
  cpSync(scratch.at('kept'), scratch.at('data/lane-0'), { recursive: true })

  await startAndStop([...args, '--compression', 'gzip', '--object-bytes-max', '1MiB', '--threads', '3'])
  expect(objectsIn(scratch.at('data/objects'))).toEqual(objects)
  load.expectKept(readObjectsIn(scratch.at('data/objects')))
})

test('a data directory that was copied does not take the names of the one it was copied from', async () => {
  using scratch = new Scratch()
  const load = new Load()
  const to = ['--to', scratch.at('objects')]
  await startAndStop(['--data', scratch.at('a'), ...to])
  cpSync(scratch.at('a'), scratch.at('b'), { recursive: true })
  for (const data of ['a', 'b']) {
    await using millrace = await Millrace.start(['--data', scratch.at(data), ...to])
    const before = load.acked.size
    await load.run(millrace.url, 1, () => load.acked.size > before)
    await millrace.stop()
  }
  load.expectKept(readObjectsIn(scratch.at('objects')))
})

async function startAndStop(args: string[]): Promise<void> {
  await using millrace = await Millrace.start(args)
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
}

function objectsIn(directory: string): Map<string, string> {
  return new Map(objectNamesIn(directory).map((name) => [name, readFileSync(`${directory}/${name}`, 'base64')]))
}
