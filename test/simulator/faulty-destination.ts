/**
 * A destination that loses answers, fails, and waits for somebody to mend it; but what it has confirmed, it keeps. Now and
 * then a copy of the data directory has put another object under a name, which somebody moves away later.
 */

import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Destination, Found, PutOutcome } from '../../src/destination/destination.ts'
import type { Files } from '../../src/platform/files.ts'
import type { WholeObject } from '../objects.ts'
import type { Seeded } from '../seeded.ts'
import type { Model } from './model.ts'
import type { Mood, ObjectStore } from './object-store.ts'
import { magnitude, type Strand, type World } from './world.ts'

/** All processes of a run put to the same one. */
export class FaultyDestination implements ObjectStore {
  readonly #objects = new Map<string, { body: Uint8Array; sha256: string }>()
  /** Names under which a copy was first. */
  readonly #copies = new Set<string>()
  #faultsPercent = 0
  readonly #world: World
  readonly #random: Seeded
  readonly #model: Model
  #mood: Mood = 'well'
  /** Above so many puts at once it throttles, unless it has no faults at all. */
  readonly #able: number
  #underWay = 0

  constructor(world: World, model: Model) {
    this.#world = world
    this.#random = world.fork()
    this.#model = model
    this.#able = this.#random.pick([1, 3, 8, Number.POSITIVE_INFINITY])
  }

  become(mood: Mood): void {
    if (mood === this.#mood) return
    this.#world.log(`destination is ${mood}`)
    this.#mood = mood
  }

  setFaults(percent: number): void {
    this.#faultsPercent = percent
  }

  get size(): number {
    return this.#objects.size
  }

  of(strand: Strand, _files: Files, onPut: () => void): Destination {
    return {
      url: 'simulated:',
      put: (object) => {
        // A put that has left goes on by itself; only its answer needs somebody to hear it.
        if (strand.dead) return new Promise(() => {})
        return new Promise((resolve) => {
          // Whoever sends something has a copy: its memory may be another object's by the time that it arrives.
          this.#take(strand, { ...object, body: Buffer.concat(object.body.pieces) }, resolve)
          onPut()
        })
      },
      read: async (name, take) => {
        if (strand.dead) return new Promise(() => {})
        onPut()
        await this.#world.clockOf(strand).sleep(magnitude(this.#random, 0.5, 200))
        return await this.#read(name, take)
      },
    }
  }

  /** No body was changed after it had been handed over. */
  checkKept(): void {
    for (const [name, { body, sha256 }] of this.#objects) {
      if (sha256Of(body) !== sha256) this.#world.breach(`${name} has changed`)
    }
  }

  #take(strand: Strand, object: WholeObject, answer: (outcome: PutOutcome) => void): void {
    const random = this.#random
    const isFault = random.chance(this.#faultsPercent / 100)
    const isLost = isFault && random.chance(0.5)
    const arriveMs = isFault && random.chance(0.3) ? magnitude(random, 100, 60_000) : magnitude(random, 0.5, 200)
    const returnMs = isFault && random.chance(0.3) ? magnitude(random, 100, 60_000) : magnitude(random, 0.5, 20)
    const say = (what: string, outcome: PutOutcome) => {
      this.#world.count(`put: ${what}`)
      this.#world.log(`${strand.name} put ${object.name} ${what}`)
      this.#world.after(returnMs, () => answer(outcome), strand)
    }
    const isTooMany = ++this.#underWay > this.#able && this.#faultsPercent > 0
    this.#world.after(arriveMs, () => {
      this.#underWay -= 1
      // A body that is cut off is refused: its length and checksum went ahead.
      if (strand.dead && random.chance(0.5)) return
      if (this.#mood === 'parked') return say('parked', { kind: 'park', reason: 'no such bucket' })
      if (this.#mood === 'down' || (isFault && !isLost)) return say('retry', { kind: 'retry', reason: 'slow down' })
      if (isTooMany) {
        const retryAfterMs = random.chance(0.1) ? magnitude(random, 1, 100_000) : undefined
        return say('throttled', { kind: 'retry', reason: 'slow down', throttled: { retryAfterMs } })
      }
      if (this.#faultsPercent > 0 && random.chance(0.01)) this.#storeCopy(object)
      const already = this.#objects.has(object.name)
      this.#store(object)
      if (isLost) return say('answer lost', { kind: 'retry', reason: 'connection reset' })
      say(already ? 'already stored' : 'stored', { kind: 'stored', already })
    })
  }

  async #read(name: string, take: (piece: Uint8Array) => void | Promise<void>): Promise<Found> {
    const fault = (passing: boolean, reason: string): Found => ({ kind: 'failed', passing, reason })
    if (this.#mood === 'parked') return fault(false, 'no such bucket')
    if (this.#mood === 'down' || this.#random.chance(this.#faultsPercent / 100)) return fault(true, 'slow down')
    const body = this.#objects.get(name)?.body
    if (!body) return { kind: 'missing' }
    this.#world.count(this.#copies.has(name) ? "read: a copy's" : 'read: its own')
    const half = body.length >> 1
    await take(body.subarray(0, half))
    await take(body.subarray(half))
    return { kind: 'found', bytes: body.length }
  }

  /** A copy of the data directory, made a little earlier, has delivered the segment as it was then. */
  #storeCopy({ name, body }: WholeObject): void {
    if (this.#objects.has(name)) return
    const copy = earlier(name, body)
    this.#world.count("put: after a copy's")
    this.#world.log(`a copy has put ${name}`)
    this.#objects.set(name, { body: copy, sha256: sha256Of(copy) })
    this.#copies.add(name)
    this.#world.after(magnitude(this.#random, 100, 600_000), () => {
      this.#world.log(`somebody moves away ${name}`)
      this.#copies.delete(name)
      this.#objects.delete(name)
    })
  }

  #store({ name, body, sha256 }: WholeObject): void {
    const checksum = Buffer.from(sha256).toString('hex')
    if (sha256Of(body) !== checksum) return this.#world.breach(`${name} came with another's checksum`)
    const there = this.#objects.get(name)
    if (!there) {
      this.#objects.set(name, { body, sha256: checksum })
      this.#model.stored(name, body)
    } else if (there.sha256 !== checksum && !this.#copies.has(name)) {
      this.#model.repeated(name, there.body, body)
    }
  }
}

/** Without its last line; or, where an object is one payload, another that begins with it. */
function earlier(name: string, body: Uint8Array): Uint8Array {
  const cut = (plain: Uint8Array) => plain.subarray(0, plain.lastIndexOf(0x0a, plain.length - 2) + 1)
  if (name.endsWith('.ndjson')) return cut(body).slice()
  if (name.endsWith('.gz')) return gzipSync(cut(gunzipSync(body)))
  if (name.endsWith('.zst')) return zstdCompressSync(cut(zstdDecompressSync(body)))
  return Buffer.concat([body, Buffer.from(' ')])
}

function sha256Of(bytes: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
}
