/** Reading and preparing buckets of a real S3 store, for tests: what the destination itself never does. */

import { AwsClient } from 'aws4fetch'

/** How long one of these calls may take. */
const CALL_MS_MAX = 30_000
/** Pages of up to 1,000 keys each; more than that is a test that went wrong. */
const PAGES_MAX = 1_000

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

/** Where the store is and how to sign for it, as `scripts/ceph-s3.sh env` exports it. */
export interface Store {
  endpoint: string
  accessKeyId: string
  secretAccessKey: string
  region: string
}

/** An object as the store gives it back, nothing decoded. */
export interface StoredObject {
  bytes: Uint8Array<ArrayBuffer>
  contentType: string | null
  contentEncoding: string | null
}

/** Reads the store from the environment. Throws with what to type when it isn't there. */
export function storeFromEnv(env: Readonly<Record<string, string | undefined>> = process.env): Store {
  const { AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION } = env
  if (!AWS_ENDPOINT_URL_S3 || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY || !AWS_REGION) {
    throw new Error(
      'no S3 store to test against: scripts/ceph-s3.sh install && scripts/ceph-s3.sh start && eval "$(scripts/ceph-s3.sh env)"',
    )
  }
  return {
    endpoint: AWS_ENDPOINT_URL_S3,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    region: AWS_REGION,
  }
}

/** Makes a bucket; no error when it is there already. */
export async function createBucket(store: Store, bucket: string): Promise<void> {
  const response = await call(store, 'PUT', bucket)
  const text = await response.text()
  if (!response.ok && response.status !== 409) throw new Error(`no bucket ${bucket}: ${response.status} ${text}`)
}

/** All keys under a prefix, sorted as the store sorts them. `pageKeys` is how many it may give at a time. */
export async function listKeys(store: Store, bucket: string, prefix = '', pageKeys = 1_000): Promise<string[]> {
  const keys: string[] = []
  let after: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = new URLSearchParams({
      'list-type': '2',
      'encoding-type': 'url',
      'max-keys': String(pageKeys),
      prefix,
    })
    if (after !== undefined) query.set('start-after', after)
    const response = await call(store, 'GET', bucket, query)
    const xml = await response.text()
    if (!response.ok) throw new Error(`no listing of ${bucket}: ${response.status} ${xml}`)
    for (const [, key = ''] of xml.matchAll(/<Key>([^<]*)<\/Key>/g)) {
      // Percent-encoded as asked for, and what that leaves alone is still escaped for XML.
      const escaped = key.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name] ?? '')
      keys.push(decodeURIComponent(escaped.replaceAll('+', '%20')))
    }
    if (!xml.includes('<IsTruncated>true</IsTruncated>')) return keys
    after = keys.at(-1)
  }
  throw new Error(`more than ${PAGES_MAX} pages of keys in ${bucket}`)
}

/** An object's bytes as stored, or undefined when there is none. */
export async function getObject(store: Store, bucket: string, key: string): Promise<StoredObject | undefined> {
  const response = await call(store, 'GET', `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (response.status === 404) return undefined
  if (!response.ok) throw new Error(`no object ${key}: ${response.status} ${new TextDecoder().decode(bytes)}`)
  const { headers } = response
  return { bytes, contentType: headers.get('content-type'), contentEncoding: headers.get('content-encoding') }
}

async function call(store: Store, method: string, path: string, query?: URLSearchParams): Promise<Response> {
  const { endpoint, ...keys } = store
  // No retries: a test wants to see what happened.
  const client = new AwsClient({ ...keys, service: 's3', retries: 0 })
  const search = query === undefined ? '' : `?${query}`
  const signed = await client.sign(`${endpoint}/${path}${search}`, { method })
  // As stored: decompressing would hide what is there.
  return fetch(signed, { decompress: false, signal: AbortSignal.timeout(CALL_MS_MAX) })
}
