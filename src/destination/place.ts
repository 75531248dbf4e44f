/** What `--to` can name, as plain data that can be sent to a thread, and how each becomes a destination. */

import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import type { Platform } from '../platform/platform.ts'
import type { Destination, ReadableDestination } from './destination.ts'
import { directoryDestination } from './directory.ts'
import { forwardDestination } from './forward.ts'
import { type ForwardPlace, forwardPlaceFrom } from './forward-options.ts'
import { s3Destination } from './s3.ts'
import { keysProvider, S3Credentials } from './s3-credentials.ts'
import { type Environment, type S3Place, s3OptionsFrom } from './s3-options.ts'

/** A place where objects can be looked at again. Holds no secret. */
export type ReadablePlace = { kind: 'directory'; root: string } | { kind: 's3'; place: S3Place }

/** A place that objects go to. Holds no secret. */
export type Place = ReadablePlace | { kind: 'forward'; place: ForwardPlace }

/** Reads `--to`: `s3://bucket/prefix`, servers' URLs, or a directory's path. Returns what is wrong as a text. */
export function parsePlace(to: string, env: Environment): Place | string {
  if (/^s3:/i.test(to)) {
    const read = s3OptionsFrom(to, env)
    return read.kind === 'ok' ? { kind: 's3', place: read.options } : read.error
  }
  if (/^https?:/i.test(to)) {
    const read = forwardPlaceFrom(to)
    return typeof read === 'string' ? read : { kind: 'forward', place: read }
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(to)) return `'${to.split(':')[0]}' is not a kind of destination`
  return { kind: 'directory', root: to }
}

/** The same for the same place; another for others, also for those of the same name at another endpoint. */
export function placeKey(place: Place): string {
  const whole = place.kind === 'directory' ? { ...place, root: resolve(place.root) } : place
  return createHash('sha256').update(JSON.stringify(whole)).digest('hex').slice(0, 16)
}

/** What `--to` says, for a message: what stands before an @ in a URL is likely a secret. */
export function withoutSecrets(to: string): string {
  return to.replace(/(:\/*)[^/,]*@/g, '$1(secret)@')
}

/** Opens a place to put objects there. */
export function openDestination(place: Place, platform: Platform, env: Environment): Destination {
  return place.kind === 'forward' ? forwardDestination(place.place, platform) : openPlace(place, platform, env)
}

/** Opens a place where objects can be looked at. `env` is where S3 credentials may stand. */
export function openPlace(place: ReadablePlace, platform: Platform, env: Environment): ReadableDestination {
  if (place.kind === 'directory') return directoryDestination(place.root, platform.files)
  const provider = keysProvider(env, place.place.endpoint === undefined ? place.place.region : undefined)
  const credentials = new S3Credentials(provider, platform.clock)
  return s3Destination({ ...place.place, credentials, clock: platform.clock })
}
