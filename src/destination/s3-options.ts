/** Where in S3 objects go: an `s3://bucket/prefix` URL and the standard AWS environment, checked, as plain data. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A place in S3. Plain data, so that it can be sent to a worker thread; it holds no secret. */
export interface S3Place {
  bucket: string
  /** In front of every object's name; no slash at either end; empty for the bucket's root. */
  prefix: string
  region: string
  /** A store that isn't AWS: `http://127.0.0.1:7480`, no slash at the end. Undefined for AWS itself. */
  endpoint: string | undefined
}

/** The environment, as `process.env` has it. An empty value counts as none. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A place, or what is wrong with the URL or the environment, in words for whoever typed it. */
export type S3PlaceOrError = { kind: 'ok'; options: S3Place } | { kind: 'error'; error: string }

/** Keys are at most 1,024 bytes in S3; half of it is left for the objects' own names. */
const PREFIX_BYTES_MAX = 512
/** What SDKs sign with when a store that isn't AWS has no regions. */
const REGION_OF_CUSTOM_ENDPOINTS = 'us-east-1'

/**
 * Reads an `s3://bucket/prefix` URL and the standard environment: `AWS_REGION`, `AWS_DEFAULT_REGION`, the region of the
 * profile in the shared config file, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`. The prefix is taken as written, not
 * percent-decoded. `readText` gives a file's text, or undefined when there is none.
 */
export function s3OptionsFrom(url: string, env: Environment, readText = readTextIfThere): S3PlaceOrError {
  const match = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(url)
  if (match === null) return wrong('an S3 destination is written s3://bucket/prefix')
  const bucket = match[1] ?? ''
  const prefix = (match[2] ?? '').replace(/^\/+|\/+$/g, '')
  // Said without the URL: what stands before the @ is likely a secret.
  if (bucket.includes('@')) return wrong('credentials do not belong in the s3:// URL: set AWS_ACCESS_KEY_ID instead')

  const problem = bucketProblem(bucket) ?? prefixProblem(prefix)
  if (problem !== undefined) return wrong(problem)

  const endpointName = env.AWS_ENDPOINT_URL_S3 ? 'AWS_ENDPOINT_URL_S3' : 'AWS_ENDPOINT_URL'
  const endpoint = env[endpointName]?.replace(/\/+$/, '') || undefined
  if (endpoint !== undefined && !isEndpoint(endpoint)) {
    return wrong(`${endpointName} is not an http:// or https:// URL without user, query and fragment`)
  }

  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || profileRegion(env, readText)
  if (region === undefined && endpoint === undefined) {
    return wrong(`no AWS region for bucket '${bucket}': set AWS_REGION (or AWS_ENDPOINT_URL_S3 for a store not at AWS)`)
  }
  // The region becomes part of a host name: nothing else may slip in through it.
  if (region !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(region)) {
    return wrong(`'${region}' is not an AWS region: set AWS_REGION to one like eu-west-1`)
  }
  return { kind: 'ok', options: { bucket, prefix, region: region ?? REGION_OF_CUSTOM_ENDPOINTS, endpoint } }
}

function wrong(error: string): S3PlaceOrError {
  return { kind: 'error', error }
}

/** S3's documented naming rules. `-s3alias` passes: access point aliases stand where a bucket's name does. */
function bucketProblem(bucket: string): string | undefined {
  const problem = (rule: string) => `'${bucket}' is not an S3 bucket name: ${rule}`
  if (bucket.length < 3 || bucket.length > 63) return problem('names have 3 to 63 characters')
  if (!/^[a-z0-9.-]+$/.test(bucket)) return problem('only a-z, 0-9, dots and hyphens are allowed')
  if (!/^[a-z0-9].*[a-z0-9]$/.test(bucket)) return problem('names begin and end with a letter or a digit')
  if (bucket.includes('..')) return problem('two dots may not stand side by side')
  if (/^\d+\.\d+\.\d+\.\d+$/.test(bucket)) return problem('names may not look like an IP address')
  const start = ['xn--', 'sthree-', 'amzn-s3-demo-'].find((reserved) => bucket.startsWith(reserved))
  if (start !== undefined) return problem(`names may not begin with ${start}`)
  if (bucket.endsWith('--x-s3')) return problem('directory buckets (S3 Express One Zone) are not supported')
  const end = ['--ol-s3', '.mrap', '--table-s3'].find((reserved) => bucket.endsWith(reserved))
  return end === undefined ? undefined : problem(`names may not end with ${end}`)
}

function prefixProblem(prefix: string): string | undefined {
  if (!prefix.isWellFormed()) return 'the S3 prefix is not valid Unicode'
  if (/\p{Cc}/u.test(prefix)) return 'the S3 prefix holds a control character'
  if (Buffer.byteLength(prefix) > PREFIX_BYTES_MAX) return `the S3 prefix is longer than ${PREFIX_BYTES_MAX} bytes`
  // URLs resolve these, so that the object would land elsewhere than its name says.
  const odd = prefix.split('/').find((part) => part === '.' || part === '..')
  if (odd !== undefined) return `the S3 prefix may not hold '${odd}' between slashes`
  return prefix.includes('//') ? 'the S3 prefix may not hold two slashes side by side' : undefined
}

function isEndpoint(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false
  return url.username === '' && url.password === '' && url.search === '' && url.hash === ''
}

/** The region of the profile in use, from the shared config file: enough of its INI for this one line. */
function profileRegion(env: Environment, readText: (path: string) => string | undefined): string | undefined {
  const path = env.AWS_CONFIG_FILE || (env.HOME ? join(env.HOME, '.aws', 'config') : undefined)
  const text = path === undefined ? undefined : readText(path)
  const profile = env.AWS_PROFILE || 'default'
  let ours = false
  for (const line of (text ?? '').split('\n')) {
    const section = /^\s*\[\s*(?:profile\s+)?(.+?)\s*\]/.exec(line)
    if (section !== null) ours = section[1] === profile
    const region = ours ? /^region\s*=\s*(\S+)/.exec(line)?.[1] : undefined
    if (region !== undefined) return region
  }
  return undefined
}

/** A config file that can't be read counts as none: the region is then missing, and that is said. */
function readTextIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
