/** Listing in S3 against a stand-in: signed, page by page, with names as they were put, and trouble as a value. */

import { afterEach, expect, test } from 'bun:test'
import type { ListedObject } from '../../src/destination/destination.ts'
import { type Answering, destinationAt, s3Error, standIn } from './s3-stand-in.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const NEVER = new AbortController().signal
const PREFIX = 'Büro 2+/date=2026-11-21/hour=01/n-0-1-0badcafe-'

function start(answering: Answering, prefix = 'p') {
  const store = standIn(answering)
  closers.push(store.stop)
  return { store, ...destinationAt({ endpoint: store.endpoint, prefix }) }
}

/** A page as stores write it, with keys encoded as it was asked for. */
function pageOf(objects: readonly ListedObject[], next?: string): Response {
  const contents = objects.map(({ name, bytes }) => {
    const key = encodeURIComponent(name).replaceAll('%20', '+').replaceAll('%2F', '/')
    return `<Contents><Key>${key}</Key><ETag>&quot;e&quot;</ETag>\n<Size>${bytes}</Size></Contents>`
  })
  const more = next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`
  const head = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${more}`
  return new Response(`${head}<IsTruncated>${next !== undefined}</IsTruncated>${contents.join('')}</ListBucketResult>`)
}

test.each(['p', '', 'ä/b c'])(
  'a page is one signed GET; the next is asked for with its token: under "%s"',
  async (p) => {
    const root = p === '' ? '' : `${p}/`
    const objects = Array.from({ length: 5 }, (_, i) => ({ name: `${PREFIX}${i}-0`, bytes: i * 1000 }))
    const { store, destination } = start(({ query }) => {
      const rooted = objects.map(({ name, bytes }) => ({ name: root + name, bytes }))
      return query.includes('continuation-token=')
        ? pageOf(rooted.slice(3))
        : pageOf(rooted.slice(0, 3), 'a/b+c= &amp;')
    }, p)
    const first = await destination.list(PREFIX, undefined, NEVER)
    expect(first).toEqual({ kind: 'page', objects: objects.slice(0, 3), next: 'a/b+c= &' })
    const second = await destination.list(PREFIX, 'a/b+c= &', NEVER)
    expect(second).toEqual({ kind: 'page', objects: objects.slice(3), next: undefined })
    expect(store.seen.map(({ method, key, problems }) => [method, key, problems])).toEqual([
      ['GET', '', []],
      ['GET', '', []],
    ])
    const asked = store.seen.map(({ query }) => Object.fromEntries(new URLSearchParams(query)))
    const all = { 'encoding-type': 'url', 'list-type': '2', prefix: root + PREFIX }
    expect(asked).toEqual([all, { ...all, 'continuation-token': 'a/b+c= &' }])
  },
)

test('nothing there is a page without objects', async () => {
  const { destination } = start(() => pageOf([]))
  expect(await destination.list(PREFIX, undefined, NEVER)).toEqual({ kind: 'page', objects: [], next: undefined })
})

test.each([
  [() => s3Error(503, 'SlowDown'), true],
  [() => s3Error(403, 'AccessDenied'), false],
  [() => s3Error(404, 'NoSuchBucket'), false],
  [() => new Response('<html>a login page</html>'), true],
  [() => new Response('<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'), true],
  [() => new Response('<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>'), true],
])('what is no list is no answer, and never an empty one', async (answer, passing) => {
  const { destination } = start(answer)
  expect(await destination.list(PREFIX, undefined, NEVER)).toMatchObject({ kind: 'failed', passing })
})

test('a store that cannot be reached gives no answer', async () => {
  const { store, destination } = start(() => pageOf([]))
  await store.stop()
  expect(await destination.list(PREFIX, undefined, NEVER)).toMatchObject({ kind: 'failed', passing: true })
})
