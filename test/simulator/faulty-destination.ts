/** A destination that loses answers, fails, and waits for somebody to mend it; but what it has confirmed, it keeps. */

import type { Destination, OutgoingObject, PutOutcome } from '../../src/destination/destination.ts'
import type { Files } from '../../src/platform/files.ts'
import type { Seeded } from '../seeded.ts'
import type { Model } from './model.ts'
import type { Mood, ObjectStore } from './object-store.ts'
import { magnitude, type Strand, type World } from './world.ts'

/** All processes of a run put to the same one. */
export class FaultyDestination implements ObjectStore {
  readonly #objects = new Map<string, { body: Uint8Array; sha256: string }>()
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
          this.#take(strand, object, resolve)
          onPut()
        })
      },
    }
  }

  /** No body was changed after it had been handed over. */
  checkKept(): void {
    for (const [name, { body, sha256 }] of this.#objects) {
      if (sha256Of(body) !== sha256) this.#world.breach(`${name} has changed`)
    }
  }

  #take(strand: Strand, object: OutgoingObject, answer: (outcome: PutOutcome) => void): void {
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
      const already = this.#objects.has(object.name)
      this.#store(object)
      if (isLost) return say('answer lost', { kind: 'retry', reason: 'connection reset' })
      say(already ? 'already stored' : 'stored', { kind: 'stored', already })
    })
  }

  #store({ name, body, sha256 }: OutgoingObject): void {
    const checksum = Buffer.from(sha256).toString('hex')
    if (sha256Of(body) !== checksum) return this.#world.breach(`${name} came with another's checksum`)
    const there = this.#objects.get(name)
    if (!there) {
      this.#objects.set(name, { body, sha256: checksum })
      this.#model.stored(name, body)
    } else if (there.sha256 !== checksum) {
      this.#model.repeated(name, there.body, body)
    }
  }
}

function sha256Of(bytes: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
}
