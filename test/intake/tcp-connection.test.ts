/** One TCP connection: what becomes records, what is answered and in which order, and what makes it wait. */

import { describe, expect, test } from 'bun:test'
import { SKIPPED_BYTES_MAX } from '../../src/intake/tcp-connection.ts'
import { LINGER_MS } from '../../src/intake/tcp-outlet.ts'
import { LOOK_MS } from '../../src/intake/tcp-room.ts'
import { Fixture, IDLE_MS } from './tcp-fixture.ts'

describe('records and answers', () => {
  test('whole lines are one record, acked when it is on the disk; what comes meanwhile is the next', () => {
    const { journal, connect } = opened()
    const peer = connect()
    peer.send('{"a":1}\n2\n{"b"')
    expect(journal.records).toEqual([{ body: '{"a":1}\n2\n', payloads: 2 }])
    peer.send(':3}\n4\n')
    peer.send('5\n6')
    expect(peer.answers).toEqual([])
    expect(journal.waiting).toBe(1)
    journal.keep()
    expect(peer.answers).toEqual([{ receipt: 'r0', accepted: 2, ack: 'disk', lines: [1, 2] }])
    expect(journal.records[1]).toEqual({ body: '{"b":3}\n4\n5\n', payloads: 3 })
    expect([...journal.senders]).toEqual([peer.connection])
    journal.keep()
    expect(peer.answers[1]).toEqual({ receipt: 'r1', accepted: 3, ack: 'disk', lines: [3, 5] })
    expect(journal.waiting).toBe(0)
  })

  test('good lines are kept, bad ones named by their number in the connection', () => {
    const { journal, connect } = opened()
    const peer = connect()
    peer.send('1\n')
    journal.keep()
    peer.send('\n2\nnonsense\n3\r\n{\n')
    journal.keep()
    expect(journal.records[1]).toEqual({ body: '2\n3\n', payloads: 2 })
    expect(peer.answers[1]).toMatchObject({
      receipt: 'r1',
      accepted: 2,
      lines: [2, 6],
      rejected: 2,
      errors: [
        { line: 4, code: 'invalid_json' },
        { line: 6, code: 'invalid_json' },
      ],
    })
  })

  test('a bad line alone is a problem with its number, several are one problem with each of them', () => {
    const { journal, connect } = opened()
    const peer = connect()
    peer.send('oops\n')
    peer.send('{"a":1}}\n[1,]\n')
    peer.connection.received(Buffer.from([0x22, 0xff, 0x22, 0x0a]))
    expect(journal.records).toEqual([])
    expect(peer.answers).toMatchObject([
      { code: 'invalid_json', status: 400, line: 1, lines: [1, 1] },
      { code: 'invalid_lines', line: 2, lines: [2, 3], rejected: 2, errors: [{ line: 2 }, { line: 3 }] },
      { code: 'invalid_utf8', line: 4, lines: [4, 4] },
    ])
    peer.send('5\n')
    journal.keep()
    expect(peer.answers[3]).toMatchObject({ accepted: 1, lines: [5, 5] })
  })

  test('however many lines are bad, each is named, and answers cover all lines in order', () => {
    const { journal, connect } = opened({}, { inFlightBytesMax: 1e6 })
    const peer = connect()
    const sent = Array.from({ length: 5000 }, (_, i) => (i % 7 === 3 || i > 4500 ? `bad ${i}` : `${i}`))
    peer.send(`${sent.join('\n')}\n`)
    journal.keepAll()
    let next = 1
    const bad = new Set<number>()
    for (const { lines: [from, to] = [0, 0], errors = [], line, code } of peer.answers) {
      expect(from).toBe(next)
      next = to + 1
      for (const error of errors) bad.add(error.line)
      if (code !== undefined && line !== undefined) bad.add(line)
    }
    expect(next).toBe(5001)
    expect([...bad].sort((a, b) => a - b)).toEqual(sent.flatMap((text, i) => (text.startsWith('bad') ? [i + 1] : [])))
    const kept = journal.records.map(({ body }) => body).join('')
    expect(kept).toBe(`${sent.filter((text) => !text.startsWith('bad')).join('\n')}\n`)
  })

  test('a line too long is a problem with its number, and those after it are read on', () => {
    const { journal, connect } = opened()
    const peer = connect()
    peer.send(`1\n${'x'.repeat(600)}`)
    peer.send(`${'x'.repeat(600)}`)
    peer.send(`x\n3\n"${'y'.repeat(1200)}"\n5\n`)
    journal.keepAll()
    expect(peer.answers).toMatchObject([
      { accepted: 1, lines: [1, 1] },
      { code: 'line_too_long', status: 413, line: 2 },
      { accepted: 1, lines: [3, 3] },
      { code: 'line_too_long', line: 4 },
      { accepted: 1, lines: [5, 5] },
    ])
  })

  test('a line without any end closes the connection', async () => {
    const { clock, connect } = opened()
    const peer = connect()
    const chunk = 'x'.repeat(1 << 20)
    for (let sent = 0; sent <= SKIPPED_BYTES_MAX + 2000; sent += chunk.length) peer.send(chunk)
    expect(peer.answers).toMatchObject([{ code: 'line_too_long', line: 1 }])
    expect(peer.isShut).toBe(true)
    await clock.advance(LINGER_MS)
    expect(peer.ended).toBe('terminate')
  })

  test('with a banner that line answers where all is kept; what is not is told as ever', () => {
    const { journal, connect } = opened({}, { banner: 'Message received.' })
    const peer = connect()
    peer.send('1\n2\n')
    journal.keep()
    peer.send('3\nbad\n')
    journal.keep()
    peer.send('bad\n')
    expect(peer.lines[0]).toBe('Message received.')
    expect(JSON.parse(peer.lines[1] as string)).toMatchObject({ accepted: 1, rejected: 1, errors: [{ line: 4 }] })
    expect(JSON.parse(peer.lines[2] as string)).toMatchObject({ code: 'invalid_json', line: 5 })
  })
})

describe('the end', () => {
  test('a client that sends no more gets its answers; a last line needs no line feed', () => {
    const { journal, connect } = opened()
    const peer = connect()
    peer.send('1\n{"a":1}')
    peer.connection.finished()
    journal.keepAll()
    expect(peer.answers).toMatchObject([{ lines: [1, 1] }, { lines: [2, 2] }])
    expect(peer.ended).toBe('end')
  })

  test('half a line is never kept: not JSON, or a number that may have lost its end', () => {
    for (const [half, code] of [
      ['{"a":', 'invalid_json'],
      ['12', 'line_unfinished'],
    ] as const) {
      const { journal, connect } = opened()
      const peer = connect()
      peer.send(`1\n${half}`)
      peer.connection.finished()
      journal.keepAll()
      expect(journal.records).toEqual([{ body: '1\n', payloads: 1 }])
      expect(peer.answers).toMatchObject([{ lines: [1, 1] }, { code, line: 2 }])
      expect(peer.ended).toBe('end')
    }
  })

  test('after a reset nothing more is kept, and the memory is given back', () => {
    const { admission, journal, connect } = opened()
    const peer = connect()
    peer.send('1\n')
    peer.send('2\n{"whole":1}')
    peer.connection.closed()
    // The journal may still read from it.
    expect(admission.held).toBeGreaterThan(0)
    journal.keepAll()
    expect(journal.records.map(({ body }) => body)).toEqual(['1\n'])
    expect(peer.answers).toEqual([])
    expect(admission.held).toBe(0)
  })

  test('a stop keeps the whole lines that are here, and says from where on nothing is kept', async () => {
    const { clock, admission, journal, connect } = opened()
    const peer = connect()
    const idle = connect()
    peer.send('1\n')
    peer.send('2\n3\n{"half"')
    const stopped = Promise.all([peer.connection.stop(), idle.connection.stop()])
    expect(peer.isReading).toBe(false)
    peer.send(':1}\n')
    journal.keepAll()
    await stopped
    expect(peer.answers).toMatchObject([{ lines: [1, 1] }, { lines: [2, 4] }, { code: 'stopping', line: 5 }])
    expect(idle.answers).toMatchObject([{ code: 'stopping', line: 1 }])
    expect(peer.isShut).toBe(true)
    // What the client still sends is read and thrown away, for a moment.
    expect(peer.isReading).toBe(true)
    peer.send('6\n')
    idle.connection.finished()
    expect(idle.ended).toBe('end')
    await clock.advance(LINGER_MS)
    expect(peer.ended).toBe('terminate')
    expect(journal.records).toHaveLength(2)
    expect(admission.held).toBe(0)
  })

  test('a stop waits for no room', async () => {
    const { journal, connect } = opened({ maxQueue: 1 })
    const peer = connect()
    peer.send('1\n2\n')
    journal.keep()
    const finished = connect()
    finished.send('3')
    finished.send('\n')
    finished.connection.finished()
    await Promise.all([peer, finished].map(({ connection }) => connection.stop()))
    expect(peer.answers).toMatchObject([{ lines: [1, 1] }, { code: 'stopping', line: 2 }])
    expect(finished.answers).toMatchObject([{ code: 'stopping', line: 1 }])
    expect(finished.ended).toBe('end')
  })

  test('a stop that finds the last room taken meanwhile', async () => {
    const { journal, connect } = opened({ maxQueue: 2 })
    const peer = connect()
    peer.send('1\n2\n')
    peer.send('3\n')
    const stopped = peer.connection.stop()
    journal.keep()
    await stopped
    expect(peer.answers).toMatchObject([{ lines: [1, 2] }, { code: 'stopping', line: 3 }])
  })

  test('the last answer is out before the connection is shut', async () => {
    const { connect } = opened()
    const peer = connect()
    peer.takes = 5
    await peer.connection.stop()
    expect(peer.isShut).toBe(false)
    peer.takes = Number.POSITIVE_INFINITY
    peer.connection.drained()
    expect(peer.answers).toMatchObject([{ code: 'stopping' }])
    expect(peer.isShut).toBe(true)
  })

  test('no whole line in time: idle_timeout; bytes of an endless line do not help, a blank line does', async () => {
    const { clock, journal, connect } = opened()
    const [quiet, dripping, blank] = [connect(), connect(), connect()]
    for (let ms = 0; ms < 2 * IDLE_MS; ms += IDLE_MS / 4) {
      await clock.advance(IDLE_MS / 4)
      dripping.send('x')
      blank.send('\n')
    }
    for (const peer of [quiet, dripping]) {
      expect(peer.answers).toMatchObject([{ code: 'idle_timeout', status: 408, line: 1 }])
      expect(peer.ended).toBe('terminate')
    }
    expect(blank.ended).toBeUndefined()
    blank.send('9\n')
    await clock.advance(2 * IDLE_MS)
    // It is the disk that is late, not the client.
    expect(blank.ended).toBeUndefined()
    journal.keep()
    expect(blank.answers).toMatchObject([{ accepted: 1, lines: [1, 9] }])
    expect(journal.records).toHaveLength(1)
  })
})

describe('no room', () => {
  test('a full queue is no answer but a pause: what fits is kept, the rest when there is room, in order', async () => {
    const { clock, journal, connect, onFull } = opened({ maxQueue: 3 }, { inFlightBytesMax: 100 })
    const peer = connect()
    const sent = Array.from({ length: 40 }, (_, i) => `${i}\n`).join('')
    peer.send(sent)
    expect(journal.records).toEqual([{ body: '0\n1\n2\n', payloads: 3 }])
    expect(onFull).not.toHaveBeenCalled()
    journal.keep()
    expect(onFull).toHaveBeenCalled()
    await clock.advance(10 * IDLE_MS)
    expect(peer.answers).toMatchObject([{ lines: [1, 3] }])
    expect(peer.isReading).toBe(false)
    let rounds = 0
    while (peer.answers.at(-1)?.lines?.[1] !== 40 && rounds++ < 50) {
      journal.drain()
      await clock.advance(LOOK_MS)
      journal.keep()
    }
    expect(peer.isReading).toBe(true)
    expect(journal.records.map(({ body }) => body).join('')).toBe(sent)
    expect(Math.max(...journal.records.map(({ payloads }) => payloads))).toBe(3)
  })

  test('the journal’s bytes: a line waits until it fits, and who came later does not overtake it', async () => {
    const { clock, journal, connect } = opened({ journalBytesMax: 1500 })
    const [first, large, small] = [connect(), connect(), connect()]
    first.send(`"${'a'.repeat(600)}"\n`)
    large.send(`"${'b'.repeat(900)}"\n`)
    small.send('1\n')
    journal.keep()
    await clock.advance(10 * LOOK_MS)
    expect(journal.records).toHaveLength(1)
    journal.drain()
    await clock.advance(LOOK_MS)
    journal.keepAll()
    expect(journal.records.map(({ body }) => body[1])).toEqual(['a', 'b', '\n'])
    expect([...large.answers, ...small.answers]).toMatchObject([{ accepted: 1 }, { accepted: 1 }])
  })

  test('a journal in trouble is waited for; what it failed to write is not tried again but told', async () => {
    const { clock, journal, connect } = opened()
    const peer = connect()
    peer.send('1\n2\n')
    peer.send('3\n')
    journal.trouble = 'journal_failed'
    journal.refuse('journal_failed')
    expect(peer.answers).toMatchObject([{ code: 'journal_failed', status: 503, line: 1, lines: [1, 2] }])
    await clock.advance(10 * LOOK_MS)
    expect(journal.records).toHaveLength(1)
    journal.trouble = undefined
    await clock.advance(LOOK_MS)
    journal.keep()
    expect(journal.records[1]).toEqual({ body: '3\n', payloads: 1 })
    expect(peer.answers[1]).toMatchObject({ accepted: 1, lines: [3, 3] })
  })

  test('bytes in flight: a connection whose lines wait for the disk is not read from beyond its bound', () => {
    const { journal, connect } = opened({}, { inFlightBytesMax: 1000 })
    const peer = connect()
    const line = `"${'x'.repeat(97)}"\n`
    peer.send(line)
    for (let i = 1; i < 9; i++) peer.send(line)
    expect(peer.isReading).toBe(true)
    peer.send(line)
    expect(peer.isReading).toBe(false)
    journal.keep()
    expect(peer.isReading).toBe(true)
    journal.keepAll()
    expect(peer.answers).toMatchObject([{ accepted: 1 }, { accepted: 9 }])
  })

  test('a client that doesn’t read its answers is not read from, and closed in the end', async () => {
    const { clock, journal, connect } = opened({}, { inFlightBytesMax: 100 })
    const peer = connect()
    peer.takes = 10
    peer.send('1\n')
    journal.keep()
    peer.send(`"${'x'.repeat(100)}"\n`)
    expect(peer.isReading).toBe(false)
    expect(journal.records).toHaveLength(1)
    peer.takes = 30
    peer.connection.drained()
    expect(journal.records).toHaveLength(1)
    peer.takes = Number.POSITIVE_INFINITY
    peer.connection.drained()
    journal.keep()
    expect(peer.answers).toMatchObject([{ receipt: 'r0' }, { receipt: 'r1' }])
    peer.takes = 0
    peer.send('3\n')
    journal.keep()
    await clock.advance(2 * IDLE_MS)
    expect(peer.ended).toBe('terminate')
  })

  test('memory: with more than may be nobody is read from, until it is less', async () => {
    const { admission, clock, journal, connect } = opened({ intakeBytesMax: 3000 })
    const [busy, other] = [connect(), connect()]
    other.send('"')
    for (let i = 0; i < 4; i++) busy.send(`"${'x'.repeat(900)}"\n`)
    expect([busy.isReading, other.isReading]).toEqual([false, false])
    expect(admission.enter(10)?.code).toBe('busy')
    await clock.advance(10 * IDLE_MS)
    // Its silence is none of its fault.
    expect(other.ended).toBeUndefined()
    journal.keepAll()
    await clock.advance(LOOK_MS)
    expect([busy.isReading, other.isReading]).toEqual([true, true])
    expect(busy.answers).toHaveLength(2)
    expect(admission.held).toBe(1)
  })

  test('memory full of beginnings: one after the other gets its end', async () => {
    const { admission, clock, journal, connect } = opened({ intakeBytesMax: 3000 })
    const peers = Array.from({ length: 5 }, () => connect())
    for (const peer of peers) peer.send(`"${'x'.repeat(700)}`)
    expect(peers.filter(({ isReading }) => isReading)).toHaveLength(0)
    for (let ended = 0; ended < 5; ) {
      await clock.advance(LOOK_MS)
      const reading = peers.filter((peer) => peer.isReading && peer.answers.length === 0)
      expect(reading.length).toBeGreaterThan(0)
      if (ended === 0) expect(reading).toHaveLength(1)
      for (const peer of reading) {
        peer.send('"\n')
        ended += 1
      }
      journal.keepAll()
    }
    expect(peers.map(({ answers }) => answers[0]?.accepted)).toEqual([1, 1, 1, 1, 1])
    expect(admission.held).toBe(0)
  })

  test('memory full of beginnings whose clients are silent: they are closed one by one, and it goes on', async () => {
    const { clock, journal, connect } = opened({ intakeBytesMax: 3000 })
    const silent = Array.from({ length: 4 }, () => connect())
    for (const peer of silent) peer.send(`"${'x'.repeat(800)}`)
    const good = connect()
    expect(good.isReading).toBe(false)
    for (let waited = 0; !good.isReading; waited++) {
      expect(waited).toBeLessThan(8)
      await clock.advance(IDLE_MS)
    }
    good.send('1\n')
    journal.keep()
    expect(good.answers).toMatchObject([{ accepted: 1 }])
  })
})

function opened(...settings: ConstructorParameters<typeof Fixture>) {
  const fixture = new Fixture(...settings)
  const { clock, admission, journal, onFull } = fixture
  return { clock, admission, journal, onFull, connect: () => fixture.connect() }
}
