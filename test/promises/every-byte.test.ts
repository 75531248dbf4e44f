/** What is posted arrives unchanged: every payload, byte for byte, once, from every shape and encoding, in every compression. */

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { Millrace, Scratch } from '../millrace.ts'
import { objectNamesIn, readObjectsIn } from '../objects.ts'
import { expectEveryByte, postWebhooks, webhookTexts } from '../webhooks.ts'

test('there are real examples to post', () => {
  expect(webhookTexts().length).toBeGreaterThan(300)
})

test.each([['zstd'], ['gzip'], ['none']])(
  'real webhooks reach a directory unchanged, compressed with %s',
  async (how) => {
    using scratch = new Scratch()
    const args = ['--data', scratch.at('data'), '--compression', how, '--object-bytes-max', '1MiB', '--linger', '50ms']
    await using millrace = await Millrace.start(args)
    const posted = await postWebhooks(millrace)
    expect(await millrace.stop()).toEqual({ code: 0, signal: null })
    expectEveryByte(readObjectsIn(scratch.at('data/objects')), posted)
  },
)

test('names and lines are the documented ones', async () => {
  using scratch = new Scratch()
  await using millrace = await Millrace.start(['--data', scratch.at('data'), '--compression', 'none'])
  const body = '{"version":"1.\\u0030","token":"t","data":[{"a": 1}]}'
  const answer = (await (await millrace.post('/payload', 'application/json', body)).json()) as { receipt: string }
  await millrace.stop()
  const [name = '', ...others] = objectNamesIn(scratch.at('data/objects'))
  expect(others).toEqual([])
  const node = readFileSync(scratch.at('data/node'), 'latin1').trim()
  const [, date, hour, tag] = /^default\/date=(.{10})\/hour=(\d\d)\/\w+-0-0{15}1-(\w{8})-0\.ndjson$/.exec(name) ?? []
  expect(answer.receipt).toBe(`${node}-0-1-${tag}-0`)
  const line = readFileSync(scratch.at('data/objects', name), 'utf8')
  const [, receivedAt = ''] = /"received_at":"([^"]+)"/.exec(line) ?? []
  expect(receivedAt).toStartWith(`${date}T${hour}:`)
  const head = `{"receipt":"${answer.receipt}","index":0,"received_at":"${receivedAt}"`
  expect(line).toBe(`${head},"version":"1.\\u0030","source":"default","payload":{"a": 1}}\n`)
})
