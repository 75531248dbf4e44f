/** A destination that somebody has to mend: intake goes on, `/readyz` says what is wrong, and it resumes by itself. */

import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { Ledger } from '../ledger.ts'
import { Millrace, Scratch } from '../millrace.ts'
import { ACCESS_KEY_ID, BUCKET, S3Store, SECRET_ACCESS_KEY, s3Env } from '../s3-store.ts'
import { seeded } from '../seeded.ts'

/** What is wrong, the words for it, and what whoever mends it does. */
interface Fault {
  reason: RegExp
  spoil(store: S3Store, scratch: Scratch): void
  mend(store: S3Store, scratch: Scratch): void
  /** The program's environment, where that isn't the usual one. */
  env?(store: S3Store, scratch: Scratch): Record<string, string>
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'a key that the store does not know yet': {
    reason: /403 InvalidAccessKeyId: .*Check AWS_ACCESS_KEY_ID/,
    spoil: (store) => store.keys.delete(ACCESS_KEY_ID),
    mend: (store) => store.keys.set(ACCESS_KEY_ID, SECRET_ACCESS_KEY),
  },
  'a wrong key in the credentials file': {
    reason: /403 SignatureDoesNotMatch: .*Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
    spoil: (_store, scratch) => writeCredentials(scratch, 'wrong'),
    mend: (_store, scratch) => writeCredentials(scratch, SECRET_ACCESS_KEY),
    env: ({ endpoint }, scratch) => ({
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'eu-west-1',
      AWS_SHARED_CREDENTIALS_FILE: scratch.at('credentials'),
      AWS_CONFIG_FILE: scratch.at('none'),
      AWS_EC2_METADATA_DISABLED: 'true',
    }),
  },
  'credentials that may not put': {
    reason: /403 AccessDenied: .*Allow these credentials s3:PutObject/,
    spoil: (store) => {
      store.isAllowed = false
    },
    mend: (store) => {
      store.isAllowed = true
    },
  },
  'a bucket that is not there': {
    reason: /404 NoSuchBucket: .*Create bucket 'test-bucket'/,
    spoil: (store) => store.buckets.delete(BUCKET),
    mend: (store) => store.buckets.add(BUCKET),
  },
  'a clock that is 20 minutes off': {
    reason: /403 RequestTimeTooSkewed: .*This machine's clock is 1(19|20)\d s behind the store's/,
    spoil: (store) => {
      store.clockAheadMs = 20 * 60_000
    },
    mend: (store) => {
      store.clockAheadMs = 0
    },
  },
}

// At the same time: most of it is waiting for the second that a parked delivery takes to look again.
test.concurrent.each(Object.entries(FAULTS))('%s: kept, said, resumed by itself', async (_name, fault) => {
  using scratch = new Scratch()
  await using store = new S3Store()
  fault.spoil(store, scratch)
  const args = ['--data', scratch.at('data'), '--to', `s3://${BUCKET}/mended`, '--linger', '20ms']
  const env = fault.env?.(store, scratch) ?? s3Env(store.endpoint)
  await using millrace = await Millrace.start(args, env)
  const ledger = new Ledger(seeded(1))
  expect(await ready(millrace)).toEqual({ status: 200, detail: undefined })

  await ledger.post(millrace.url)
  await millrace.printed(/error: parked/)
  expect(await ready(millrace)).toEqual({ status: 503, detail: expect.stringMatching(fault.reason) })
  expect(millrace.output).toMatch(fault.reason)
  // Intake knows nothing of it. The second object is parked, too: whoever resumes does so by looking again.
  await ledger.post(millrace.url)
  await millrace.printed(/parked, (\S+):.*parked, (?!\1)\S+:/s)
  expect(store.objects.size).toBe(0)

  fault.mend(store, scratch)
  await millrace.printed(/the destination takes objects again/)
  expect(await ready(millrace)).toEqual({ status: 200, detail: undefined })
  expect(store.objects.size).toBe(2)
  await ledger.run(millrace.url, 2, () => ledger.kept.size >= 20)
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  expect(ledger.unkept).toEqual([])
  expect(store.wrongs).toEqual([])
  ledger.expectKept(store.lines())
})

test('a stop while nothing is taken does not say that something is taken again; the next start delivers', async () => {
  using scratch = new Scratch()
  await using store = new S3Store()
  store.isAllowed = false
  const args = ['--data', scratch.at('data'), '--to', `s3://${BUCKET}/stopped`, '--linger', '20ms']
  const ledger = new Ledger(seeded(1))
  {
    await using millrace = await Millrace.start([...args, '--stop-grace', '0ms'], s3Env(store.endpoint))
    await ledger.post(millrace.url)
    await millrace.printed(/error: parked/)
    expect(await millrace.stop()).toEqual({ code: 0, signal: null })
    expect(millrace.output).not.toContain('takes objects again')
    expect(millrace.output).toMatch(/stopped; \d+ payloads? in 1 segment will be delivered after the next start/)
  }
  store.isAllowed = true
  await using millrace = await Millrace.start(args, s3Env(store.endpoint))
  expect(await millrace.stop()).toEqual({ code: 0, signal: null })
  ledger.expectKept(store.lines())
})

async function ready({ url }: Millrace): Promise<{ status: number; detail: string | undefined }> {
  const response = await fetch(`${url}/readyz`)
  const { detail } = (await response.json()) as { detail?: string }
  return { status: response.status, detail }
}

function writeCredentials(scratch: Scratch, secret: string): void {
  const lines = ['[default]', `aws_access_key_id = ${ACCESS_KEY_ID}`, `aws_secret_access_key = ${secret}`]
  writeFileSync(scratch.at('credentials'), `${lines.join('\n')}\n`)
}
