/** Forwarding by chance: servers do anything, the edge loses power at any request; in the end each object is at one server. */

import { expect, test } from 'bun:test'
import { Body } from '../../src/destination/body.ts'
import { DOUBT_MS_MAX, forwardDestination } from '../../src/destination/forward.ts'
import type { MemoryFiles } from '../memory-files.ts'
import { type MemoryPlatform, memoryPlatform } from '../memory-platform.ts'
import { seeded } from '../seeded.ts'
import { ForwardStandIn, type Way } from './forward-stand-in.ts'

const SEEDS = 12
const SERVERS = 3
const SEGMENTS = 4
const PARTS = 3
const STEPS = 80
const never = new AbortController().signal

const WAYS: readonly Way[] = [
  'keep',
  'keep',
  'keep, no answer',
  'no answer',
  { status: 503, code: 'queue_full', retryAfter: '1' },
  { status: 503, code: 'stopping' },
  { status: 503, code: 'journal_failed', retryAfter: '1' },
  { status: 413, code: 'body_too_large' },
  { status: 503, code: 'journal_failed', keeps: true },
  { status: 502, text: 'Bad Gateway' },
  { status: 502, text: 'Bad Gateway', keeps: true },
]

function objectOf(segment: number, part: number) {
  return {
    name: `default/date=2026-11-21/hour=0${part % 2}/n-0-000000000000000${segment}-0badcafe-${part}.ndjson`,
    body: new Body([new Uint8Array(Buffer.from(`${segment} ${part}`))]),
    sha256: new Uint8Array(32),
    contentType: 'application/x-ndjson',
    contentEncoding: undefined,
    sentPath: `lane-0/000000000000000${segment}.sent`,
  }
}

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('seed %d', async (seed) => {
  const random = seeded(seed)
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => ForwardStandIn.start()))
  const urls = servers.map(({ url }) => url)
  let platform = memoryPlatform(seed)
  await platform.files.makeDirectory('lane-0')
  await platform.files.syncDirectory('.')
  let destination = forwardDestination({ servers: urls }, platform)
  /** What is left of the disk when the power goes while a request is on its way. */
  let left: MemoryFiles | undefined
  const isOpen = servers.map(() => true)
  const restart = (files: MemoryFiles, former: MemoryPlatform) => {
    platform = memoryPlatform(random.below(1e9), files)
    platform.clock.jump(former.clock.nowMs() - platform.clock.nowMs())
    destination = forwardDestination({ servers: urls }, platform)
  }
  for (const server of servers) {
    server.way = () => {
      left = random.chance(0.3) ? platform.files.crash(platform.random) : undefined
      // It is put under its key whatever it answers; a repeat gets the first one's answer.
      return random.pick(WAYS)
    }
  }
  const stored = new Set<string>()
  for (let step = 0; step < STEPS; step++) {
    const object = objectOf(1 + random.below(SEGMENTS), random.below(PARTS))
    left = undefined
    const outcome = await destination.put(object, never)
    // What was said before the power went counts for nobody.
    if (left) restart(left, platform)
    else if (outcome.kind === 'stored') stored.add(object.name)
    if (random.chance(0.1)) restart(platform.files.killed(), platform)
    const which = random.below(SERVERS)
    if (random.chance(0.1)) {
      await (isOpen[which] ? servers[which]?.close() : servers[which]?.listen())
      isOpen[which] = !isOpen[which]
    }
    await platform.clock.advance(random.below(3000))
  }
  for (const [i, server] of servers.entries()) {
    server.way = 'keep'
    if (!isOpen[i]) await server.listen()
  }
  await platform.clock.advance(DOUBT_MS_MAX)
  for (let segment = 1; segment <= SEGMENTS; segment++) {
    for (let part = 0; part < PARTS; part++) {
      const object = objectOf(segment, part)
      for (let tries = 0; (await destination.put(object, never)).kind !== 'stored'; tries++) {
        expect(tries).toBeLessThan(50)
        await platform.clock.advance(5000)
      }
      stored.add(object.name)
    }
  }
  const kept = servers.flatMap((server) => [...server.kept])
  expect(kept.map(([, body]) => body).sort()).toEqual(
    Array.from({ length: SEGMENTS * PARTS }, (_, i) => `${1 + Math.floor(i / PARTS)} ${i % PARTS}`).sort(),
  )
  expect(new Set(kept.map(([key]) => key)).size).toBe(SEGMENTS * PARTS)
  for (const server of servers) await server.close()
})
