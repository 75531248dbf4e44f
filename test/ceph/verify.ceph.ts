/** `millrace verify` against a real S3 store: what a server put there is all there, and what is taken away is missed. */

import { beforeAll, expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { millrace } from '../commands/run-command.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { createBucket, storeFromEnv } from './bucket.ts'

const store = storeFromEnv()
const bucket = `millrace-${randomUUID().slice(0, 8)}`
const ENV = {
  AWS_ENDPOINT_URL_S3: store.endpoint,
  AWS_ACCESS_KEY_ID: store.accessKeyId,
  AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
  AWS_REGION: store.region,
}

beforeAll(() => createBucket(store, bucket))

test('verify finds every object in S3, misses what is not there, and says what it could not ask', async () => {
  using scratch = new Scratch()
  const data = scratch.at('data')
  await using server = await Millrace.start(['--data', data, '--to', `s3://${bucket}/events`, '--linger', '20ms'], ENV)
  for (let i = 0; i < 5; i++) await server.post('/payloads?ack=stored', 'application/json', `[${i},"ü"]`)
  const args = ['verify', '--deep', '--data', data]
  expect(await millrace(args, ENV)).toMatchObject({ code: 0, out: expect.stringContaining('5 of 5 objects') })
  const wrongKey = await millrace(args, { ...ENV, AWS_SECRET_ACCESS_KEY: 'wrong' })
  expect([wrongKey.code, wrongKey.out]).toEqual([3, expect.stringContaining('403 SignatureDoesNotMatch')])
  await server.stop()
  const ledger = join(data, 'ledger', readdirSync(join(data, 'ledger'))[0] ?? '')
  // Without their checksums, as lines once were: the edited one passes.
  const lines = readFileSync(ledger, 'utf8').replaceAll(/,"crc":"[0-9a-f]{8}"\}$/gm, '}')
  writeFileSync(ledger, lines.replace('-0.ndjson.zst', '-9.ndjson.zst'))
  const { code, out } = await millrace(args, ENV)
  expect([code, out]).toEqual([1, expect.stringMatching(/object_missing: s3:.*-9\.ndjson\.zst\n {2}it is not there/)])
})
