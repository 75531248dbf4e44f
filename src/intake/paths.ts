/** Where payloads are posted to: for each path, the content types it takes and how each is read. */

import { LINES_PATH, LINES_TYPE } from '../observe/forwarding.ts'
import { readMade } from './made-lines.ts'
import { type ReadShape, readCollection, readForm, readLines, readValueOrArray } from './shapes.ts'

export const INTAKE_PATHS: Readonly<Record<string, Readonly<Record<string, ReadShape>>>> = {
  '/payload': { 'application/json': readCollection },
  '/payloads': { 'application/json': readValueOrArray, 'application/x-ndjson': readLines },
  '/submit': { 'application/x-www-form-urlencoded': readForm },
  [LINES_PATH]: { [LINES_TYPE]: readMade },
}

const READERS = new Map(
  Object.entries(INTAKE_PATHS).map(([path, readers]) => [path, new Map(Object.entries(readers))] as const),
)

/** How a body of this type is read at this path; undefined when it isn't. */
export function readerOf(path: string, contentType: string): ReadShape | undefined {
  const readers = READERS.get(path)
  return readers?.get(contentType) ?? readers?.get(mediaType(contentType))
}

/** `Application/JSON; charset=utf-8` → `application/json`. */
function mediaType(contentType: string): string {
  return (/^[ \t]*([^;]*?)[ \t]*(?:;|$)/.exec(contentType)?.[1] ?? '').toLowerCase()
}
