/** Every refusal a client can meet: its status, its code, its headers and its body, over real connections. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { loadOptions } from '../../src/config/load.ts'
import { PROBLEMS, type ProblemCode } from '../../src/observe/errors.ts'
import { LINES_PATH, LINES_TYPE } from '../../src/observe/forwarding.ts'
import { type Platform, systemPlatform } from '../../src/platform/platform.ts'
import { type Server, startServer } from '../../src/server.ts'
import { Millrace, Scratch } from '../millrace.ts'

const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'
const FORM_TYPE = 'application/x-www-form-urlencoded'
const seen = new Set<ProblemCode>()

/** Checks what all refusals have in common; returns the body. */
async function expectProblem(response: Response, code: ProblemCode): Promise<Record<string, unknown>> {
  const body = (await response.json()) as Record<string, unknown>
  const { status, title } = PROBLEMS[code]
  expect(body).toMatchObject({ type: `urn:problem:millrace:${code}`, title, status, code })
  expect(body['detail']).toBeString()
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  if (status === 503 && code !== 'destination_parked') {
    expect(Number(response.headers.get('retry-after'))).toBeWithin(1, 61)
  }
  seen.add(code)
  return body
}

describe('a body that cannot be kept', () => {
  const scratch = new Scratch()
  let millrace: Millrace
  beforeAll(async () => {
    const args = ['--data', scratch.at('data'), '--body-bytes-max', '64KiB', '--body-timeout', '200ms']
    millrace = await Millrace.start([...args, '--linger', '10m', '--max-queue', '1000'])
  })
  afterAll(async () => {
    await millrace.kill()
    scratch[Symbol.dispose]()
  })

  test.each([
    ['/payloads', '', 0, 1, 1],
    ['/payloads', '{"a":tru}', 8, 1, 9],
    ['/payloads', '[1,\n 2,\n é]', 9, 3, 2],
    ['/payloads', '{"a":1}{"b":2}', 7, 1, 8],
    ['/payload', '{"version":"1","token":"t","data":[1,]}', 37, 1, 38],
    ['/payloads', '\ufeff{}', 0, 1, 1],
    ['/payloads', '[01]', 1, 1, 2],
  ])('%s with %p: invalid_json, with the place', async (path, body, offset, line, column) => {
    const problem = await expectProblem(await millrace.post(path, JSON_TYPE, body), 'invalid_json')
    expect(problem).toMatchObject({ offset, line, column })
  })

  test('nesting of any depth is an answer', async () => {
    const open = '['.repeat(30_000)
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, open), 'invalid_json')
    const closed = await millrace.post('/payloads', JSON_TYPE, open + ']'.repeat(30_000))
    expect(closed.status).toBe(202)
    expect(await closed.json()).toMatchObject({ accepted: 1 })
  })

  test('broken UTF-8: invalid_utf8, with the byte', async () => {
    const body = new Uint8Array([0x22, 0x61, 0xc3, 0x28, 0x22])
    expect(await expectProblem(await millrace.post('/payloads', JSON_TYPE, body), 'invalid_utf8')).toMatchObject({
      offset: 2,
    })
    const form = await millrace.post('/submit', FORM_TYPE, 'message=ok%ff')
    expect(await expectProblem(form, 'invalid_utf8')).toMatchObject({ offset: 2 })
  })

  test.each([
    ['/payload', JSON_TYPE, '[]', 'the body is not an object'],
    ['/payload', JSON_TYPE, 'null', 'the body is not an object'],
    ['/payload', JSON_TYPE, '{"token":"t","data":[]}', '"version" is missing or is not a string'],
    ['/payload', JSON_TYPE, '{"version":1,"token":"t","data":[]}', '"version" is missing or is not a string'],
    ['/payload', JSON_TYPE, '{"version":"1","data":[]}', '"token" is missing or is not a string'],
    ['/payload', JSON_TYPE, '{"version":"1","token":"t"}', '"data" is missing or is not an array'],
    ['/payload', JSON_TYPE, '{"version":"1","token":"t","data":[],"data":{}}', '"data" is missing or is not an array'],
    ['/payload', JSON_TYPE, `{"version":"${'v'.repeat(255)}","token":"t","data":[]}`, 'longer than 256 bytes'],
    ['/submit', FORM_TYPE, 'text=hi', 'no field named message'],
    ['/submit', FORM_TYPE, 'a&'.repeat(10_001), 'more than 10000 fields'],
    ['/submit', FORM_TYPE, '', 'no field named message'],
    ['/submit', FORM_TYPE, 'message=a&message=b', '2 fields named message'],
  ])('%s %s %p: wrong_shape', async (path, type, body, detail) => {
    const problem = await expectProblem(await millrace.post(path, type, body), 'wrong_shape')
    expect(problem['detail']).toContain(detail)
  })

  test.each(['?ack=s3', '?ack=', '?ack=disk&ack=stored'])('%s: ack_not_allowed', async (query) => {
    const problem = await expectProblem(await millrace.post(`/payloads${query}`, JSON_TYPE, '1'), 'ack_not_allowed')
    expect(problem['detail']).toContain('this server gives memory, disk, stored')
  })

  test.each([
    '',
    'x'.repeat(256),
    'tab\tx',
    '"a"b"\u00e9',
    '"bad',
    'bad"',
    'b"ad',
    '"a"b"',
    '"a\\b"',
    'a, b',
    '"a", "b"',
  ])('Idempotency-Key: %p: idempotency_key_invalid', async (key) => {
    const headers = { 'idempotency-key': key }
    if (key === '') headers['idempotency-key'] = '""'
    const problem = await expectProblem(
      await millrace.post('/payloads', JSON_TYPE, '1', headers),
      'idempotency_key_invalid',
    )
    expect(problem['detail']).toContain('takes one key of 1 to 255 printable ASCII characters')
  })

  test('a key of another request: idempotency_key_reused', async () => {
    const headers = { 'idempotency-key': 'mine' }
    expect((await millrace.post('/payloads', JSON_TYPE, '1', headers)).status).toBe(202)
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, '2', headers), 'idempotency_key_reused')
  })

  test('a doubt from before what is remembered: doubt_too_old', async () => {
    const headers = { 'idempotency-key': 'who knows', 'millrace-doubt-seconds': '86400' }
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, '1', headers), 'doubt_too_old')
  })

  test('lines that this node has made itself: forward_loop, whatever else is with them', async () => {
    const { receipt } = (await (await millrace.post('/payloads', JSON_TYPE, '1')).json()) as { receipt: string }
    const line = (of: string, payload = '1') =>
      `{"receipt":"${of}","index":0,"received_at":"2026-11-21T01:30:15.007Z","version":null,"source":"default","payload":${payload}}\n`
    const post = (body: string) => millrace.post(LINES_PATH, LINES_TYPE, body)
    const others = line('other-0-1-0badcafe-0')
    await expectProblem(await post(others + line(receipt)), 'forward_loop')
    expect((await post(others + line('other-0-1-0badcafe-1', line(receipt).trimEnd()))).status).toBe(202)
  })

  test('a receipt that nobody knows: receipt_unknown', async () => {
    const response = await fetch(`${millrace.url}/receipts/nobody-0-1-00000000-0`)
    expect((await expectProblem(response, 'receipt_unknown'))['detail']).toContain('--ledger-days')
  })

  test('NDJSON without a good line: invalid_lines, each with number and reason', async () => {
    const response = await millrace.post('/payloads', NDJSON_TYPE, '{"a":\n\n[1 2]\n')
    expect(await expectProblem(response, 'invalid_lines')).toMatchObject({
      rejected: 2,
      errors: [
        { line: 1, code: 'invalid_json', detail: expect.stringContaining('column 6') },
        { line: 3, code: 'invalid_json', detail: expect.stringContaining('column 4') },
      ],
    })
  })

  test('NDJSON with good and bad lines: 202, the good ones kept, the bad ones reported', async () => {
    const body = Buffer.concat([Buffer.from('{"a":1}\r\n{"b":\n\n"'), Buffer.from([0xff]), Buffer.from('"\n{"c":3}')])
    const response = await millrace.post('/payloads', NDJSON_TYPE, body)
    expect(response.status).toBe(202)
    expect(await response.json()).toMatchObject({
      accepted: 2,
      ack: 'disk',
      rejected: 2,
      errors: [
        { line: 2, code: 'invalid_json' },
        { line: 4, code: 'invalid_utf8' },
      ],
    })
  })

  test('a body that does not decompress: corrupt_encoding', async () => {
    const cut = gzipSync('{"a":1}').subarray(0, -3)
    const response = await millrace.post('/payloads', JSON_TYPE, cut, { 'content-encoding': 'gzip' })
    await expectProblem(response, 'corrupt_encoding')
  })

  test('an encoding nobody speaks, or two at once: unsupported_encoding, with what is spoken', async () => {
    for (const encoding of ['compress', 'gzip, br']) {
      const response = await millrace.post('/payloads', JSON_TYPE, '{}', { 'content-encoding': encoding })
      await expectProblem(response, 'unsupported_encoding')
      expect(response.headers.get('accept-encoding')).toBe('gzip, deflate, br, zstd')
    }
  })

  test.each([
    ['/payload', 'text/plain'],
    ['/payload', NDJSON_TYPE],
    ['/payloads', FORM_TYPE],
    ['/submit', JSON_TYPE],
    ['/payloads', 'constructor'],
    ['/payloads', '__proto__'],
  ])('%s as %s: unsupported_media_type', async (path, type) => {
    await expectProblem(await millrace.post(path, type, '{}'), 'unsupported_media_type')
  })

  test('a content type with parameters and capitals is taken', async () => {
    const response = await millrace.post('/payloads', 'Application/JSON; charset=UTF-8', '{}')
    expect(response.status).toBe(202)
  })

  test('a body longer than the limit: body_too_large, whether it says its length or not', async () => {
    const body = JSON.stringify('x'.repeat(70_000))
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, body), 'body_too_large')
    const socket = new RawPost(millrace.url, `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}`)
    await expectProblem(await socket.response(), 'body_too_large')
  })

  test('the limit counts decompressed bytes: body_too_large', async () => {
    const bomb = gzipSync(JSON.stringify('x'.repeat(5_000_000)))
    expect(bomb.length).toBeLessThan(64 * 1024)
    const response = await millrace.post('/payloads', JSON_TYPE, bomb, { 'content-encoding': 'gzip' })
    await expectProblem(response, 'body_too_large')
  })

  test('a body that does not come: body_timeout, and the connection ends', async () => {
    const socket = new RawPost(millrace.url, 'Content-Length: 100\r\n\r\n{"a":')
    await expectProblem(await socket.response(), 'body_timeout')
    await socket.closed
  })

  test('more payloads than MAX_QUEUE ever holds: too_many_payloads', async () => {
    const response = await millrace.post('/payloads', JSON_TYPE, JSON.stringify(Array(1001).fill(0)))
    expect((await expectProblem(response, 'too_many_payloads'))['detail']).toContain('MAX_QUEUE')
  })

  test('a body of many megabytes: body_too_large, and no reset that a client would take for a fault of the network', async () => {
    const socket = new RawPost(millrace.url, `Content-Length: 20000000\r\n\r\n${'x'.repeat(20_000_000)}`)
    await expectProblem(await socket.response(), 'body_too_large')
    await socket.post('Content-Length: 1\r\n\r\n7')
    expect((await socket.response()).status).toBe(202)
    socket.destroy()
  })

  test.each(['', 'a b', '['])('another path, and the Host header is %p: not_found', async (host) => {
    const socket = new RawPost(millrace.url, 'Content-Length: 0\r\n\r\n', '/nowhere', host)
    await expectProblem(await socket.response(), 'not_found')
    socket.destroy()
  })

  test('another path: not_found', async () => {
    await expectProblem(await millrace.post('/payloadz', JSON_TYPE, '{}'), 'not_found')
    await expectProblem(await fetch(millrace.url), 'not_found')
  })

  test.each([
    ['/payload', 'GET', 'POST'],
    ['/payloads', 'PUT', 'POST'],
    ['/submit', 'DELETE', 'POST'],
    ['/healthz', 'POST', 'GET, HEAD'],
    ['/readyz', 'POST', 'GET, HEAD'],
  ])('%s does not take %s: method_not_allowed, with Allow', async (path, method, allow) => {
    const response = await fetch(millrace.url + path, { method })
    await expectProblem(response, 'method_not_allowed')
    expect(response.headers.get('allow')).toBe(allow)
  })

  test('after all that it still takes what is good', async () => {
    expect((await millrace.post('/payloads', JSON_TYPE, '{"good":true}')).status).toBe(202)
    expect((await fetch(`${millrace.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${millrace.url}/readyz`)).status).toBe(200)
  })
})

describe('no room', () => {
  test('MAX_QUEUE payloads wait: queue_full, and /readyz says so', async () => {
    using scratch = new Scratch()
    await using millrace = await Millrace.start(['--data', scratch.at('data'), '--linger', '10m'], { MAX_QUEUE: '3' })
    expect((await millrace.post('/payloads', JSON_TYPE, '[1,2]')).status).toBe(202)
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, '[3,4]'), 'queue_full')
    expect((await millrace.post('/payloads', JSON_TYPE, '[3]')).status).toBe(202)
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, '[4]'), 'queue_full')
    await expectProblem(await fetch(`${millrace.url}/readyz`), 'queue_full')
    expect((await fetch(`${millrace.url}/healthz`)).status).toBe(200)
  })

  test.each([100_000, 1000])('the journal has its bytes, %i each: journal_full, and never one more', async (bytes) => {
    using scratch = new Scratch()
    const args = ['--data', scratch.at('data'), '--linger', '10m', '--journal-bytes-max', '1MiB']
    await using millrace = await Millrace.start(args)
    const body = JSON.stringify('x'.repeat(bytes))
    let response = await millrace.post('/payloads', JSON_TYPE, body)
    for (let posts = 1; response.status === 202 && posts < 2_000_000 / bytes; posts++) {
      response = await millrace.post('/payloads', JSON_TYPE, body)
    }
    await expectProblem(response, 'journal_full')
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, body), 'journal_full')
    await millrace.kill()
    const segment = Bun.file(scratch.at('data/lane-0/0000000000000001.open'))
    expect(segment.size).toBeWithin(900_000, 1024 * 1024)
  })

  test('bodies being received have the memory set aside for them: busy, until they are gone', async () => {
    using scratch = new Scratch()
    await using millrace = await Millrace.start(['--data', scratch.at('data'), '--intake-bytes-max', '1MiB'])
    const body = JSON.stringify('x'.repeat(500_000))
    let slow = new RawPost(millrace.url, 'Content-Length: 900000\r\n\r\n[')
    let response = await millrace.post('/payloads', JSON_TYPE, body)
    for (let posts = 0; response.status === 202 && posts < 1000; posts++) {
      // Whichever of the two came second was refused.
      if (slow.isAnswered) slow = new RawPost(millrace.url, 'Content-Length: 900000\r\n\r\n[')
      response = await millrace.post('/payloads', JSON_TYPE, body)
    }
    await expectProblem(response, 'busy')
    slow.destroy()
    while ((await millrace.post('/payloads', JSON_TYPE, body)).status !== 202);
  })

  test('stopping: stragglers get 503 until the deliveries under way are done', async () => {
    using scratch = new Scratch()
    // Nothing listens at port 9 of this machine, so that the delivery is retried and the stop waits for it.
    const env = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }
    await using millrace = await Millrace.start(
      ['--data', scratch.at('data'), '--to', 's3://bucket', '--linger', '10m'],
      env,
    )
    expect((await millrace.post('/payloads', JSON_TYPE, '{}')).status).toBe(202)
    millrace.signal('SIGTERM')
    await millrace.printed(/stopping/)
    await expectProblem(await millrace.post('/payloads', JSON_TYPE, '{}'), 'stopping')
    await expectProblem(await fetch(`${millrace.url}/readyz`), 'stopping')
  })

  test('the destination wants mending: /readyz says destination_parked, intake goes on, and it resumes by itself', async () => {
    using scratch = new Scratch()
    // A file where a directory should be.
    writeFileSync(scratch.at('objects'), '')
    const args = ['--data', scratch.at('data'), '--to', scratch.at('objects'), '--linger', '10ms']
    await using millrace = await Millrace.start(args)
    expect((await millrace.post('/payloads', JSON_TYPE, '1')).status).toBe(202)
    await millrace.printed(/parked/)
    await expectProblem(await fetch(`${millrace.url}/readyz`), 'destination_parked')
    expect((await millrace.post('/payloads', JSON_TYPE, '2')).status).toBe(202)
    rmSync(scratch.at('objects'))
    await millrace.printed(/takes objects again/)
    expect((await fetch(`${millrace.url}/readyz`)).status).toBe(200)
    await millrace.stop()
  })
})

test('more keys than are remembered: idempotency_full, and without a key it goes on', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--idempotency-keys-max', '2'])
  const post = (key?: string) => millrace.post('/payloads', JSON_TYPE, '1', key ? { 'idempotency-key': key } : {})
  for (const key of ['a', 'b']) expect((await post(key)).status).toBe(202)
  await expectProblem(await post('c'), 'idempotency_full')
  for (const key of ['a', undefined]) expect((await post(key)).status).toBe(202)
})

describe('a machine that fails', () => {
  test('a disk with less than 5 % free: disk_full, nothing kept, and it goes on by itself', async () => {
    let freeBytes = 4_000_000
    const files = { ...systemPlatform.files, space: async () => ({ freeBytes, totalBytes: 100_000_000 }) }
    await using running = await InProcess.start({ ...systemPlatform, files })
    await expectProblem(await running.post('1'), 'disk_full')
    freeBytes = 50_000_000
    while ((await running.post('1')).status !== 202);
  })

  test('no space for a write: disk_full', async () => {
    await using running = await InProcess.start(writesFailing('ENOSPC'))
    await expectProblem(await running.post('1'), 'disk_full')
    // The journal stays shut until it could open a new segment.
    await expectProblem(await running.post('1'), 'disk_full')
  })

  test('a write that fails: journal_failed', async () => {
    await using running = await InProcess.start(writesFailing('EIO'))
    await expectProblem(await running.post('1'), 'journal_failed')
  })

  test('a bug: internal, and the log has it', async () => {
    let broken = false
    const nowMs = () => {
      if (!broken) return Date.now()
      broken = false
      throw new Error('no time today')
    }
    await using running = await InProcess.start({ ...systemPlatform, clock: { ...systemPlatform.clock, nowMs } })
    broken = true
    await expectProblem(await running.post('1'), 'internal')
    expect(running.events.find((event) => event.kind === 'intake-failure')).toMatchObject({
      reason: expect.stringContaining('no time today'),
    })
    expect((await running.post('1')).status).toBe(202)
  })
})

test('every code was seen', () => {
  // Where there is one lane, none is down: test/lanes/sisters.test.ts. The others are lines': tcp.test.ts, tcp-connection.test.ts.
  const elsewhere = ['lane_down', 'line_too_long', 'line_unfinished', 'idle_timeout', 'too_many_connections']
  const codes = (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => !elsewhere.includes(code))
  expect([...seen].sort()).toEqual(codes.sort())
})

/** A connection written to by hand, so that a POST can stop in the middle. */
class RawPost {
  readonly closed: Promise<void>
  isAnswered = false
  readonly #socket: Socket
  #answered: Promise<Response>

  constructor(url: string, rest: string, path = '/payloads', host = 'test') {
    const { hostname, port } = new URL(url)
    this.#socket = connect(Number(port), hostname)
    this.closed = new Promise((resolve) => this.#socket.on('close', () => resolve()))
    this.#answered = this.post(rest, path, host)
  }

  /** Sends a request, or the beginning of one; resolves with the answer to it. */
  post(rest: string, path = '/payloads', host = 'test'): Promise<Response> {
    this.#answered = new Promise((resolve) => {
      let text = ''
      const hear = (data: Buffer) => {
        text += data
        const [head = '', body = ''] = text.split('\r\n\r\n')
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
        this.isAnswered = true
        if (body.length < length || Number.isNaN(length)) return
        this.#socket.off('data', hear)
        const headers = head.split('\r\n').slice(1)
        const pairs = headers.map((line) => line.split(/: ?/, 2) as [string, string])
        resolve(new Response(body, { status: Number(head.split(' ')[1]), headers: pairs }))
      }
      this.#socket.on('data', hear)
    })
    this.#socket.write(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${rest}`)
    return this.#answered
  }

  response(): Promise<Response> {
    return this.#answered
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** A server in this process, on a platform of the test's. */
class InProcess implements AsyncDisposable {
  readonly events: { kind: string }[]
  readonly #server: Server
  readonly #scratch: Scratch

  private constructor(server: Server, scratch: Scratch, events: { kind: string }[]) {
    this.#server = server
    this.#scratch = scratch
    this.events = events
  }

  static async start(platform: Platform): Promise<InProcess> {
    const scratch = new Scratch()
    const loaded = loadOptions(['--port', '0', '--data', scratch.at('data'), '--linger', '10m'], {})
    if (loaded.kind !== 'options') throw new Error('the options of this test are wrong')
    const events: { kind: string }[] = []
    return new InProcess(
      await startServer(loaded.options, {}, platform, (event) => events.push(event)),
      scratch,
      events,
    )
  }

  post(body: string): Promise<Response> {
    return fetch(`${this.#server.url}/payloads`, { method: 'POST', body, headers: { 'content-type': JSON_TYPE } })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(0)
    this.#scratch[Symbol.dispose]()
  }
}

/** The real machine, but for segment files: they take their header, then nothing more. */
function writesFailing(code: string): Platform {
  const files: Platform['files'] = {
    ...systemPlatform.files,
    async open(path, mode) {
      const file = await systemPlatform.files.open(path, mode)
      if (!path.endsWith('.open')) return file
      return {
        read: (into, position) => file.read(into, position),
        write: (bytes, position) =>
          position === 0 ? file.write(bytes, 0) : Promise.reject(Object.assign(new Error(`${code}, write`), { code })),
        datasync: () => file.datasync(),
        truncate: (length) => file.truncate(length),
        size: () => file.size(),
        close: () => file.close(),
      }
    },
  }
  return { ...systemPlatform, files }
}
