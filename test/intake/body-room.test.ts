/** Long bodies are read a few at a time; whose client is slow keeps nobody waiting, and what waits is not lost. */

import { describe, expect, test } from 'bun:test'
import type { Answer } from '../../src/intake/answer.ts'
import { type BodyPlace, BodyRoom, QUICK_MS, RoomGuest } from '../../src/intake/body-room.ts'
import { Deadlines } from '../../src/intake/deadlines.ts'
import { Idempotency } from '../../src/intake/idempotency.ts'
import { FakeClock, quiet } from '../memory-platform.ts'
import { Intake, json as jsonOf, post as postOf } from './connection-fixture.ts'

describe('the room', () => {
  /** A room of 100 bytes, and who got a place in it. */
  function opened() {
    const clock = new FakeClock()
    const room = new BodyRoom(clock, 100)
    const got: string[] = []
    const places = new Map<string, BodyPlace>()
    const come = (name: string, bytes: number) => {
      const go = (place: BodyPlace) => {
        got.push(name)
        places.set(name, place)
      }
      const place = room.take(bytes)
      if (place) go(place)
      return place ? () => {} : room.wait(bytes, go)
    }
    const leave = async (name: string) => {
      places.get(name)?.leave()
      await quiet()
    }
    return { clock, room, got, places, come, leave }
  }

  test('is given in the order they came, and no more of it than there is; a longer body is alone', async () => {
    const { got, come, leave } = opened()
    come('a', 60)
    come('b', 60)
    // There would be room for it: it is behind another.
    come('c', 10)
    come('long', 1000)
    come('d', 1)
    expect(got).toEqual(['a'])
    await leave('a')
    expect(got).toEqual(['a', 'b', 'c'])
    await leave('b')
    expect(got).toEqual(['a', 'b', 'c'])
    await leave('c')
    expect(got).toEqual(['a', 'b', 'c', 'long'])
    await leave('long')
    expect(got).toEqual(['a', 'b', 'c', 'long', 'd'])
  })

  test('is half for those who ask, or all for one, also where bodies that were there already take more than all of it', async () => {
    const { room, got, come, leave } = opened()
    const others = [room.takeAnyway(80), room.takeAnyway(80)]
    come('a', 20)
    come('b', 30)
    come('c', 90)
    expect(got).toEqual(['a', 'b'])
    await leave('a')
    expect(got).toEqual(['a', 'b'])
    await leave('b')
    expect(got).toEqual(['a', 'b', 'c'])
    come('d', 10)
    expect(got).toEqual(['a', 'b', 'c'])
    for (const other of others) other.leave()
    await quiet()
    expect(got).toEqual(['a', 'b', 'c', 'd'])
  })

  test('is given back once, and whoever gives up waiting lets the next one in', async () => {
    const { got, come, leave } = opened()
    come('a', 50)
    come('b', 50)
    const giveUp = come('c', 100)
    come('d', 50)
    await leave('a')
    await leave('a')
    expect(got).toEqual(['a', 'b'])
    giveUp()
    giveUp()
    await quiet()
    expect(got).toEqual(['a', 'b', 'd'])
  })

  test('is lost by whose body takes long to come, when somebody waits; not by who waits for the disk', async () => {
    const { clock, got, places, come, leave } = opened()
    come('a', 50)
    come('whole', 50)
    places.get('whole')?.whole()
    await clock.advance(10 * QUICK_MS)
    expect(clock.pending).toBe(0)
    come('b', 50)
    expect(got).toEqual(['a', 'whole'])
    await clock.advance(1)
    expect(got).toEqual(['a', 'whole', 'b'])
    come('c', 50)
    await clock.advance(QUICK_MS - 1)
    expect(got).toEqual(['a', 'whole', 'b'])
    await clock.advance(1)
    expect(got).toEqual(['a', 'whole', 'b', 'c'])
    places.get('c')?.whole()
    come('d', 50)
    await clock.advance(10 * QUICK_MS)
    // What it has lost isn't given back a second time.
    await leave('a')
    expect(got).toEqual(['a', 'whole', 'b', 'c'])
    await leave('whole')
    expect(got).toEqual(['a', 'whole', 'b', 'c', 'd'])
  })
})

describe('a connection', () => {
  /** Of bodies that need room. */
  const BYTES = 70_000
  const json = (name: string) => jsonOf(name, BYTES)
  const post = (name: string, more = '') => postOf(name, more, BYTES)
  /** Connections to a room for one body. */
  function opened(count: number) {
    const clock = new FakeClock()
    const room = new BodyRoom(clock, BYTES + 100)
    const connections = Array.from({ length: count }, () => new Intake(room)) as [Intake, Intake, Intake]
    return { clock, room, connections }
  }
  const HALF = BYTES / 2
  const begin = (name: string) => post(name).slice(0, HALF)
  const rest = (name: string) => post(name).slice(HALF)
  const RECEIPT = 'n-0-1-0badcafe-0'

  test('waits with the beginning of a body, unread, until the one before is copied', async () => {
    const { clock, room, connections } = opened(2)
    const [first, second] = connections
    first.sends(begin('a'))
    second.sends(begin('b'))
    expect([first.isPaused, second.isPaused, room.isCrowded]).toEqual([false, true, true])
    first.sends(rest('a'))
    await clock.advance(10 * QUICK_MS)
    expect(second.isPaused).toBe(true)
    first.waiter(0).copied?.()
    await quiet()
    expect(second.isPaused).toBe(false)
    second.sends(rest('b'))
    expect(second.body(0)).toBe(json('b'))
    second.waiter(0).copied?.()
    second.waiter(0).kept(RECEIPT)
    expect(second.answers).toEqual([202])
  })

  test('whose time is over while it waits is answered and waits no longer', async () => {
    const clock = new FakeClock()
    const room = new BodyRoom(clock, BYTES + 100)
    const deadlines = new Deadlines(1000, clock)
    const [first, second] = [0, 1].map(() => new Intake(room, { deadlines })) as [Intake, Intake]
    first.sends(begin('a'))
    first.sends(rest('a'))
    second.sends(begin('b'))
    expect(room.isCrowded).toBe(true)
    await clock.advance(2000)
    expect([second.answers, second.hasEnded, room.isCrowded]).toEqual([[408], true, false])
    first.waiter(0).copied?.()
    second.connection.closed()
    await quiet()
    expect(second.records).toEqual([])
  })

  test('with a short body waits for nobody, also where that comes in pieces', () => {
    const { connections } = opened(3)
    const [first, second, third] = connections
    first.sends(begin('a'))
    second.sends(begin('b'))
    const short = postOf('c')
    third.sends(short.slice(0, 2000))
    third.sends(short.slice(2000))
    expect(third.body(0)).toBe(jsonOf('c'))
    expect([second.isPaused, third.isPaused]).toEqual([true, false])
  })

  test('goes on when the one before is refused, when its client goes away, and when that is slow', async () => {
    for (const how of ['refused', 'gone', 'slow']) {
      const { clock, connections } = opened(2)
      const [first, second] = connections
      first.sends(begin('a'))
      second.sends(begin('b'))
      if (how === 'refused') first.sends(rest('a').replace('}', '?'))
      if (how === 'gone') first.connection.closed()
      if (how === 'slow') await clock.advance(QUICK_MS)
      await quiet()
      second.sends(rest('b'))
      expect([how, second.body(0)]).toEqual([how, json('b')])
      if (how !== 'slow') continue
      first.sends(rest('a'))
      expect(first.body(0)).toBe(json('a'))
    }
  })

  test('that waits and goes away, or ends its side, lets the next one in', async () => {
    for (const how of ['gone', 'ended']) {
      const { connections } = opened(3)
      const [first, second, third] = connections
      for (const [nth, connection] of connections.entries()) connection.sends(begin('abc'[nth] as string))
      if (how === 'gone') second.connection.closed()
      else second.connection.ended()
      first.connection.closed()
      await quiet()
      if (how === 'ended') {
        expect(second.hasEnded).toBe(true)
        second.connection.closed()
        await quiet()
      }
      third.sends(rest('c'))
      expect(third.body(0)).toBe(json('c'))
      expect([first.records, second.records]).toEqual([[], []])
    }
  })

  test('behind a body in pieces reads nothing while others wait; what comes then needs no other place', async () => {
    const { room, connections } = opened(3)
    const [first, second, third] = connections
    first.sends(begin('a'))
    second.sends(begin('b'))
    third.sends(begin('c'))
    first.sends(rest('a'))
    first.waiter(0).copied?.()
    await quiet()
    first.waiter(0).kept(RECEIPT)
    expect([first.isPaused, second.isPaused, third.isPaused]).toEqual([true, false, true])
    second.sends(rest('b'))
    second.waiter(0).copied?.()
    await quiet()
    third.sends(rest('c'))
    third.waiter(0).copied?.()
    await quiet()
    expect([first.isPaused, room.isCrowded]).toEqual([false, false])
    // Its place is kept for it: whoever comes now waits.
    second.waiter(0).kept(RECEIPT)
    second.sends(begin('d'))
    expect(second.isPaused).toBe(true)
    first.sends(begin('e'))
    await quiet()
    expect([first.isPaused, second.isPaused]).toEqual([false, true])
    first.sends(rest('e'))
    expect(first.body(1)).toBe(json('e'))
    first.waiter(1).copied?.()
    await quiet()
    second.sends(rest('d'))
    expect(second.body(1)).toBe(json('d'))
  })

  test('takes room for a long body that comes whole, also where there is none, and waits for it next time', async () => {
    const { clock, room, connections } = opened(3)
    const [first, second, third] = connections
    const long = post('a')
    third.sends(long)
    third.waiter(0).copied?.()
    third.waiter(0).kept(RECEIPT)
    expect([third.isPaused, room.isFor(BYTES)]).toEqual([false, true])
    second.sends(begin('b'))
    third.sends(long)
    first.sends(long)
    first.waiter(0).copied?.()
    first.waiter(0).kept(RECEIPT)
    second.sends(rest('b'))
    await clock.advance(10 * QUICK_MS)
    expect([first.isPaused, second.isPaused]).toEqual([true, false])
    // What came whole keeps one from being read, but not for ever.
    second.waiter(0).copied?.()
    await quiet()
    expect(first.isPaused).toBe(false)
    expect([first, second, third].map(({ records }) => records.length)).toEqual([1, 1, 2])
  })

  test.each(['the first with its key', 'another lane'])(
    'that waits for the answer of %s holds no room',
    async (whom) => {
      const clock = new FakeClock()
      const room = new BodyRoom(clock, BYTES + 100)
      const idempotency = new Idempotency({ windowMs: 1000, keysMax: 10 }, clock)
      const passOn = () => (whom === 'another lane' ? new Promise<Answer>(() => {}) : undefined)
      const connections = Array.from({ length: 3 }, () => new Intake(room, { idempotency, passOn }))
      const [first, second, third] = connections as [Intake, Intake, Intake]
      const keyed = post('a', 'Idempotency-Key: k')
      for (const connection of [first, second]) {
        connection.sends(keyed.slice(0, HALF))
        connection.sends(keyed.slice(HALF))
        connection.records[0]?.waiter.copied?.()
        await quiet()
      }
      third.sends(begin('b'))
      expect(third.isPaused).toBe(false)
      expect([first, second].map(({ answers }) => answers.length)).toEqual([0, 0])
    },
  )

  test('that was given a place before its request, and lost it, waits for another', async () => {
    const clock = new FakeClock()
    const room = new BodyRoom(clock, BYTES + 100)
    const [first, second, third] = [0, 1, 2].map(() => new RoomGuest(room)) as [RoomGuest, RoomGuest, RoomGuest]
    const places: (BodyPlace | undefined)[] = []
    const go = (place?: BodyPlace) => void places.push(place)
    expect([first, second].map((guest) => guest.waitsFor(BYTES, go))).toEqual([false, true])
    places[0]?.leave()
    await quiet()
    expect(first.waitsFirst(() => {})).toBe(true)
    places[1]?.leave()
    await quiet()
    expect(third.waitsFor(BYTES, go)).toBe(true)
    await clock.advance(QUICK_MS)
    expect(places.length).toBe(3)
    expect(first.waitsFor(BYTES, go)).toBe(true)
    places[2]?.leave()
    await quiet()
    expect(places.length).toBe(4)
  })

  test.each([1, 2])(
    'gives a place back that it turns out not to need (%d pieces), and needs none next time',
    async (count) => {
      const { room, connections } = opened(3)
      const [first, second, third] = connections
      first.sends(begin('a'))
      second.sends(begin('b'))
      first.sends(rest('a'))
      first.waiter(0).copied?.()
      first.waiter(0).kept(RECEIPT)
      await quiet()
      second.sends(rest('b'))
      second.waiter(0).copied?.()
      second.waiter(0).kept(RECEIPT)
      await quiet()
      // The first one has the place now.
      second.sends(begin('c'))
      expect([first.isPaused, second.isPaused]).toEqual([false, true])
      const short = postOf('short')
      for (let nth = 0; nth < count; nth++)
        first.sends(short.slice(nth * 30_000, nth + 1 === count ? undefined : 30_000))
      await quiet()
      expect(second.isPaused).toBe(false)
      third.sends(begin('d'))
      first.waiter(1).copied?.()
      first.waiter(1).kept(RECEIPT)
      expect([first.isPaused, room.isCrowded]).toEqual([false, true])
      second.sends(rest('c'))
      expect(second.body(1)).toBe(json('c'))
    },
  )
})
