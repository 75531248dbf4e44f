/** Lists what is in S3: one page of ListObjectsV2 at a time. */

import type { Listed, ListedObject } from './destination.ts'
import { failed, refusal, request, withKeys } from './s3-read.ts'
import type { S3Access } from './s3-request.ts'
import { encodedPart } from './s3-signature.ts'
import { element } from './s3-xml.ts'

/** Lists objects whose names begin with `prefix`. */
export function listInS3(
  options: S3Access,
  prefix: string,
  next: string | undefined,
  signal: AbortSignal,
): Promise<Listed> {
  const root = options.prefix === '' ? '' : `${options.prefix}/`
  // In the order of their names, as the signature wants them.
  const parts = ['encoding-type=url', 'list-type=2', `prefix=${encodedPart(root + prefix)}`]
  if (next !== undefined) parts.unshift(`continuation-token=${encodedPart(next)}`)
  return withKeys<Listed>(options, signal, async (keys, attempt) => {
    const response = await request(options, 'GET', '', keys, attempt, parts.join('&'))
    if (response.status !== 200) {
      const outcome = await refusal(options, response, keys)
      // Only a key can be missing, and none was asked for: this is no answer to a list.
      return outcome.kind === 'missing' ? failed(options, 'it lists nothing') : outcome
    }
    options.credentials.accepted(keys)
    return page(await response.text(), root) ?? failed(options, 'its list cannot be read')
  })
}

function page(xml: string, root: string): Listed | undefined {
  if (!xml.includes('<ListBucketResult')) return undefined
  const objects: ListedObject[] = []
  for (const [, content = ''] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
    const key = element(content, 'Key')
    const size = element(content, 'Size')
    if (key === undefined || size === undefined) return undefined
    const name = decodeURIComponent(key.replaceAll('+', ' '))
    if (name.startsWith(root)) objects.push({ name: name.slice(root.length), bytes: Number(size) })
  }
  const next = element(xml, 'NextContinuationToken')
  if (element(xml, 'IsTruncated') !== 'true') return { kind: 'page', objects, next: undefined }
  return next === undefined ? undefined : { kind: 'page', objects, next }
}
