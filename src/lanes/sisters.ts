/** The other lanes of a server, as one of them reaches them: each listens on a socket file of its own. */

import { join } from 'node:path'
import type { AckLevel } from '../intake/ack.ts'
import type { Answer } from '../intake/answer.ts'
import { laneOfHeader } from '../intake/idempotency.ts'
import type { LaneState, State } from '../intake/inspect.ts'
import { STATE_PATH } from '../intake/listener.ts'
import type { KeyedPost } from '../intake/post.ts'
import { problemAnswer } from '../intake/problem.ts'
import { DOUBT_HEADER } from '../observe/forwarding.ts'
import type { Clock } from '../platform/clock.ts'
import type { Files } from '../platform/files.ts'

/** Which lane this is, of how many, and where their sockets are. */
export interface SistersOptions {
  lane: number
  lanes: number
  socketDirectory: string
  /** How long a POST that was passed on may take. */
  postTimeoutMs: number
}

/** How long a lane may take to say how it stands, or where a receipt's payloads are. */
const ASK_TIMEOUT_MS = 2000
const RETRY_AFTER_SECONDS = 1
/** What belongs to a connection, and not to the answer. */
const OWN_HEADERS = ['connection', 'keep-alive', 'date', 'content-length', 'transfer-encoding']

/** Where a lane listens for the others. */
export function socketPath(socketDirectory: string, lane: number): string {
  return join(socketDirectory, `lane-${lane}.sock`)
}

/** Removes what lanes leave that have ended: none of this directory may run. One that can't be removed harms nobody. */
export async function removeSockets(files: Files, socketDirectory: string): Promise<void> {
  const left = (await files.list(socketDirectory)).filter((name) => /^lane-\d{1,5}\.sock$/.test(name))
  await Promise.allSettled(left.map((name) => files.remove(join(socketDirectory, name))))
}

/** Asks other lanes. None of its answers is an error: a lane that is down is an outcome. */
export class Sisters {
  readonly #options: SistersOptions
  readonly #clock: Clock

  constructor(options: SistersOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  /** How the other lanes stand. */
  async states(): Promise<LaneState[]> {
    const { lane, lanes } = this.#options
    const others = Array.from({ length: lanes }, (_, other) => other).filter((other) => other !== lane)
    return await Promise.all(others.map((other) => this.#state(other)))
  }

  /** What a lane says of a receipt. */
  async receipt(lane: number, receipt: string): Promise<Answer> {
    return await this.#passed(lane, `/receipts/${encodeURIComponent(receipt)}`, {}, ASK_TIMEOUT_MS)
  }

  /** Gives a POST to the lane that remembers its key; undefined where that is this one, or the key is none. */
  passOn({ path, ack, contentType, key, doubt, body }: KeyedPost): Promise<Answer> | undefined {
    const { lane, lanes, postTimeoutMs } = this.#options
    const owner = laneOfHeader(key, lanes)
    if (owner === undefined || owner === lane) return undefined
    const asked = { 'content-type': contentType, 'idempotency-key': key }
    const headers = doubt ? { ...asked, [DOUBT_HEADER]: doubt } : asked
    // Decoded and not looked into: what it is, and what it is answered, is the other's to say.
    const request = { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> }
    return this.#passed(owner, `${path}?ack=${ack satisfies AckLevel}`, request, postTimeoutMs)
  }

  async #state(lane: number): Promise<LaneState> {
    try {
      const state = await this.#ask(lane, STATE_PATH, {}, ASK_TIMEOUT_MS, (response) => response.json())
      return { lane, state: state as State }
    } catch (error) {
      return { lane, state: undefined, reason: whyDown(lane, error) }
    }
  }

  /** A lane's answer as its own: status, headers and body. */
  async #passed(lane: number, path: string, request: RequestInit, timeoutMs: number): Promise<Answer> {
    try {
      return await this.#ask(lane, path, request, timeoutMs, async (response) => {
        const { 'content-type': contentType = '', ...others } = Object.fromEntries(response.headers)
        const headers = Object.fromEntries(Object.entries(others).filter(([name]) => !OWN_HEADERS.includes(name)))
        return { status: response.status, contentType, headers, body: await response.text() }
      })
    } catch (error) {
      return problemAnswer({
        code: 'lane_down',
        detail: whyDown(lane, error),
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      })
    }
  }

  async #ask<T>(
    lane: number,
    path: string,
    request: RequestInit,
    timeoutMs: number,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const late = new AbortController()
    const timer = this.#clock.after(timeoutMs, () => late.abort(new Error(`no answer within ${timeoutMs} ms`)))
    try {
      const unix = socketPath(this.#options.socketDirectory, lane)
      return await read(await fetch(`http://lane${path}`, { ...request, unix, signal: late.signal }))
    } finally {
      timer.cancel()
    }
  }
}

function whyDown(lane: number, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  // The runtime guesses at typing errors where a socket file is not there.
  const why =
    code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'FailedToOpenSocket' ? 'it is not running' : message
  return `lane ${lane} does not answer (${why})`
}
