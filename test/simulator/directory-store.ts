/** The real directory destination on the simulated disk: what it has confirmed is there after every crash. */

import { directoryDestination } from '../../src/destination/directory.ts'
import { PARTIAL_ENDING } from '../../src/platform/whole-file.ts'
import type { Disk } from './disk.ts'
import type { Model } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import type { World } from './world.ts'

const ROOT = 'data/objects'

/** Objects as files; their faults are those of the disk. */
export function directoryStore(world: World, model: Model, disk: Disk): ObjectStore {
  const confirmed = new Map<string, Uint8Array>()
  const contentOf = (name: string) => disk.file(`${ROOT}/${name}`)?.content.view()

  const confirm = (name: string, put: Uint8Array, already: boolean) => {
    const there = contentOf(name)?.slice()
    if (!there) return world.breach(`${name} was confirmed, and is not there`)
    if (already && !confirmed.has(name)) model.repeated(name, there, put)
    if (!already && !Bun.deepEquals(there, put)) world.breach(`${name} is not what was put`)
    if (confirmed.has(name)) return
    confirmed.set(name, there)
    model.stored(name, there)
  }

  return {
    get size() {
      return confirmed.size
    },
    of(_strand, files, onPut) {
      const inner = directoryDestination(ROOT, files)
      return {
        url: inner.url,
        read: (name, take, signal) => inner.read(name, take, signal),
        async put(object, signal) {
          onPut()
          const outcome = await inner.put(object, signal)
          const what = outcome.kind !== 'stored' ? outcome.kind : outcome.already ? 'already stored' : 'stored'
          world.count(`directory: ${what}`)
          world.log(`put ${object.name} into the directory: ${what}`)
          if (outcome.kind === 'stored') confirm(object.name, Buffer.concat(object.body.pieces), outcome.already)
          return outcome
        },
      }
    },
    become() {},
    setFaults() {},
    checkKept() {
      for (const [name, body] of confirmed) {
        const there = contentOf(name)
        if (!there) world.breach(`${name} was confirmed, and is gone`)
        else if (!Buffer.from(there).equals(body)) world.breach(`${name} was confirmed, and has changed`)
      }
      // What was renamed and not confirmed is as much there for whoever reads the directory.
      for (const name of disk.filesBelow(ROOT)) {
        if (name.endsWith(PARTIAL_ENDING) || confirmed.has(name)) continue
        const body = contentOf(name)?.slice() ?? new Uint8Array()
        model.checkUnconfirmed(name, body)
      }
    },
  }
}
