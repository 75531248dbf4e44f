/** Which heads are read by ourselves: nothing that isn't right to the last byte. */

import { expect, test } from 'bun:test'
import type { AckOptions } from '../../src/intake/ack.ts'
import { HEAD_BYTES_MAX, readPlainPost } from '../../src/intake/plain-post.ts'
import { seeded } from '../seeded.ts'

const ACK = { default: 'disk', allow: ['disk', 'stored'] } as unknown as AckOptions
const read = (head: string) => readPlainPost(Buffer.from(head, 'latin1'), ACK)
const USUAL = 'Host: collector:8080\r\nContent-Type: application/json\r\nContent-Length: 12\r\n'
const post = (lines: string, target = '/payloads') => `POST ${target} HTTP/1.1\r\n${lines}\r\n`

test('a plain POST is read, whatever the case of its names and the blanks around its values', () => {
  const head = post(
    'hOST:a\r\nUser-Agent: x/1 (\xe9)\r\nACCEPT: */*\r\ncontent-type:\t application/json; charset=utf-8 \r\n' +
      'Content-length:  7\t\r\nIdempotency-Key: "a b"\r\nContent-Encoding: gzip\r\nConnection: Keep-Alive\r\nX-Empty:\r\n',
    '/payloads?ack=stored&x=%20',
  )
  expect(read(`${head}more`)).toMatchObject({
    path: '/payloads',
    contentType: 'application/json; charset=utf-8',
    ack: 'stored',
    key: '"a b"',
    bodyBytes: 7,
    bodyAt: head.length,
    encoding: 'gzip',
    isLast: false,
  })
  expect(read(post(USUAL))).toMatchObject({ path: '/payloads', ack: 'disk', key: null, bodyBytes: 12, encoding: null })
  expect(read(post(`${USUAL}Connection: close\r\n`))).toMatchObject({ isLast: true })
  for (const more of ['', 'Connection: keep-alive\r\n', 'Connection: close\r\n']) {
    expect(read(post(USUAL + more).replace('1.1', '1.0'))).toMatchObject({ bodyBytes: 12, isLast: true })
  }
})

test('cut anywhere, it is waited for; what comes behind it is left alone', () => {
  const head = post(`${USUAL}Connection: close\r\n`, '/payload?ack=disk')
  for (let length = 0; length < head.length; length++) expect(read(head.slice(0, length))).toBe('more')
  expect(read(`${head}\r\n\r\nPOST`)).toMatchObject({ bodyAt: head.length })
})

test.each([
  ['another method', 'GET /payloads HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a method in small letters', post(USUAL).replace('POST', 'post')],
  ['another version', post(USUAL).replace('1.1', '1.2')],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['another path', post(USUAL, '/payloadz')],
  ['a whole address', post(USUAL, 'http://a/payloads')],
  ['a fragment', post(USUAL, '/payloads#x')],
  ['two blanks in front of the version', post(USUAL, '/payloads ')],
  ['a tab in the target', post(USUAL, '/pay\tloads')],
  ['a level that it can not have', post(USUAL, '/payloads?ack=memory')],
  ['a type that the path does not take', post(USUAL.replace('json', 'xml'))],
  ['no host', post(USUAL.replace(/Host.*\r\n/, ''))],
  ['no type', post(USUAL.replace(/Content-Type.*\r\n/, ''))],
  ['no length', post(USUAL.replace(/Content-Length.*\r\n/, ''))],
  ['an empty length', post(USUAL.replace('12', ''))],
  ['a length with a sign', post(USUAL.replace('12', '+12'))],
  ['a length in hex', post(USUAL.replace('12', '0x12'))],
  ['two lengths in one', post(USUAL.replace('12', '12, 12'))],
  ['a length of 16 digits', post(USUAL.replace('12', '1234567890123456'))],
  ['two lengths', post(`${USUAL}Content-Length: 12\r\n`)],
  ['two hosts', post(`${USUAL}Host: b\r\n`)],
  ['two types', post(`${USUAL}Content-Type: application/json\r\n`)],
  ['two keys', post(`${USUAL}Idempotency-Key: a\r\nIdempotency-Key: b\r\n`)],
  ['chunks', post(`${USUAL}Transfer-Encoding: chunked\r\n`)],
  ['a question before the body', post(`${USUAL}Expect: 100-continue\r\n`)],
  ['an upgrade', post(`${USUAL}Connection: Upgrade\r\nUpgrade: h2c\r\n`)],
  ['a list of connection options', post(`${USUAL}Connection: keep-alive, x\r\n`)],
  ['a blank in front of the colon', post(USUAL.replace('Length:', 'Length :'))],
  ['a line that goes on', post(`${USUAL}X-A: b\r\n c\r\n`)],
  ['a line without a colon', post(`${USUAL}nonsense\r\n`)],
  ['a line without a name', post(`${USUAL}: x\r\n`)],
  ['a bare line feed', post(`${USUAL}X-A: b\nX-B: c\r\n`)],
  ['a bare carriage return', post(`${USUAL}X-A: b\rX-B: c\r\n`)],
  ['a zero byte', post(`${USUAL}X-A: b\0c\r\n`)],
  ['a name of no token', post(`${USUAL}X(A): b\r\n`)],
  ['a non-breaking space around a type', post(USUAL.replace(' application', ' \xa0application'))],
  ['an end of line feeds', post(USUAL).replace(/\r\n\r\n$/, '\n\n')],
])('%s: not plain', (_, head) => {
  expect(read(head)).toBe('not-plain')
})

test('a head that is too long is not plain, and is not waited for', () => {
  const long = post(`${USUAL}X-Long: ${'x'.repeat(HEAD_BYTES_MAX)}\r\n`)
  expect(read(long)).toBe('not-plain')
  expect(read(long.slice(0, HEAD_BYTES_MAX))).toBe('not-plain')
  expect(read(long.slice(0, HEAD_BYTES_MAX - 1))).toBe('more')
})

test('of plain heads with a byte changed, none is framed otherwise than before', () => {
  const random = seeded(7)
  const head = post(`${USUAL}X-Other: value\r\n`)
  let plain = 0
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(head)
    bytes[random.below(bytes.length)] = random.below(256)
    const result = readPlainPost(bytes, ACK)
    if (typeof result === 'string') continue
    plain += 1
    const text = bytes.toString('latin1')
    // As strict a reading as can be had, of another make.
    const lengths = [...text.matchAll(/^content-length:[ \t]*(\d+)[ \t]*\r$/gim)]
    expect([lengths.length, Number(lengths[0]?.[1])]).toEqual([1, result.bodyBytes])
    expect(result.bodyAt).toBe(head.length)
    expect(/transfer-encoding/i.test(text)).toBe(false)
  }
  expect(plain).toBeGreaterThan(1000)
})
