/**
 * The destination that is other servers: each object goes to one of them, which keeps its lines and puts them where its own
 * objects go. An object whose attempt got no clear answer may be kept by that server, so that no other gets it: it is sent
 * there again, with its name as `Idempotency-Key`, until there is one. That it was sent is on the disk before it is.
 */

import { createHash } from 'node:crypto'
import { DOUBT_HEADER, LINES_PATH, LINES_TYPE } from '../observe/forwarding.ts'
import type { Platform } from '../platform/platform.ts'
import { Attempt, attemptMsMax, readStart } from './attempt.ts'
import type { Destination, Found, OutgoingObject, PutOutcome } from './destination.ts'
import { judgeForward, judgeNoAnswer, type Verdict } from './forward-answer.ts'
import type { ForwardPlace } from './forward-options.ts'
import { readSent, type Sent, type SentObjects, writeSent } from './forward-sent.ts'
import type { ForwardServer } from './forward-server.ts'
import { ForwardServers } from './forward-servers.ts'
import { upload } from './upload.ts'

/** After so long without an answer somebody should see to the server that may have kept an object. */
export const DOUBT_MS_MAX = 60_000

/** Codes that no repeat will change. */
const FINAL_CODES = ['doubt_too_old', 'idempotency_key_reused']

/** Forwards objects to servers. */
export function forwardDestination({ servers }: ForwardPlace, platform: Platform): Destination {
  return new ForwardDestination(servers, platform)
}

/** What an object's file says, and where it is. */
interface Notes {
  path: string
  objects: SentObjects
}

class ForwardDestination implements Destination {
  readonly url: string
  readonly isOneByOne = true
  readonly #platform: Platform
  readonly #servers: ForwardServers

  constructor(servers: readonly string[], platform: Platform) {
    this.url = servers.join(',')
    this.#platform = platform
    this.#servers = new ForwardServers(servers, platform)
  }

  async put(object: OutgoingObject, signal: AbortSignal): Promise<PutOutcome> {
    const path = object.sentPath
    if (path === undefined) {
      const reason = `${object.name}: an object of --format payload cannot be forwarded: deliver it with another --to`
      return { kind: 'park', reason, isAlone: true }
    }
    let notes: Notes
    try {
      notes = { path, objects: await readSent(this.#platform.files, path) }
    } catch (error) {
      if (!(error instanceof SyntaxError)) return { kind: 'retry', reason: String(error) }
      const reason = `${path} says which servers may have objects of its segment, and cannot be read (${error.message}): mend it`
      return { kind: 'park', reason, isAlone: true }
    }
    const sent = notes.objects.get(object.name)
    if (sent?.isKept) return storedAt(sent)
    return sent ? await this.#ask(object, sent, notes, signal) : await this.#offer(object, notes, signal)
  }

  /** Nobody is asked for objects: none is ever said to be there already. */
  read(): Promise<Found> {
    return Promise.resolve({ kind: 'failed', passing: false, reason: `objects at ${this.url} cannot be read` })
  }

  /** Sends an object that no server can have: to one after the other, as long as it is surely not kept. */
  async #offer(object: OutgoingObject, notes: Notes, signal: AbortSignal): Promise<PutOutcome> {
    const { files, clock } = this.#platform
    const tried = new Set<ForwardServer>()
    let refusal: string | undefined
    for (;;) {
      const server = await this.#servers.choose(tried)
      if (!server || signal.aborted) break
      tried.add(server)
      const sent = { server: server.url, sinceMs: clock.nowMs(), isKept: false }
      notes.objects.set(object.name, sent)
      try {
        await writeSent(files, notes.path, notes.objects)
      } catch (error) {
        return { kind: 'retry', reason: `${object.name} is not sent, since that could not be noted: ${error}` }
      }
      const verdict = await this.#send(server, object, undefined, signal)
      if (verdict.kind === 'kept') return await this.#kept(object, sent, notes)
      const reason = `${server.url}: ${verdict.reason}`
      if (verdict.kind === 'unknown') return { kind: 'retry', reason: `${reason}. It may have kept the object` }
      if (verdict.because === 'object') refusal ??= reason
    }
    notes.objects.delete(object.name)
    // Where this fails, it only looks as if that server might have the object.
    await writeSent(files, notes.path, notes.objects).catch(() => {})
    if (refusal !== undefined) return { kind: 'park', reason: refusal, isAlone: true }
    const { reason, throttled } = this.#servers
    return throttled ? { kind: 'retry', reason, throttled } : { kind: 'retry', reason }
  }

  /** Sends an object again to the server that may have kept it. Only that it has ends the doubt: a refusal is of this attempt. */
  async #ask(object: OutgoingObject, sent: Sent, notes: Notes, signal: AbortSignal): Promise<PutOutcome> {
    const doubtMs = Math.max(0, this.#platform.clock.nowMs() - sent.sinceMs)
    const verdict = await this.#send(this.#servers.named(sent.server), object, doubtMs, signal)
    if (verdict.kind === 'kept') return await this.#kept(object, sent, notes)
    const reason = `${sent.server} may have kept ${object.name} at ${new Date(sent.sinceMs).toISOString()}, and does not say so: ${verdict.reason}`
    const look = `Look for lines of it where that server puts its objects: if they are there, write "kept":true into its line of ${notes.path}, else remove the line`
    if (verdict.kind === 'unknown' && FINAL_CODES.includes(verdict.code ?? '')) {
      return { kind: 'park', reason: `${reason}. ${look}`, isAlone: true }
    }
    if (verdict.kind === 'refused' && verdict.because === 'object') return { kind: 'park', reason, isAlone: true }
    if (doubtMs < DOUBT_MS_MAX) return { kind: 'retry', reason }
    return {
      kind: 'park',
      reason: `${reason}. Start that server again; where it is gone for good: ${look}`,
      isAlone: true,
    }
  }

  async #kept({ name }: OutgoingObject, sent: Sent, { path, objects }: Notes): Promise<PutOutcome> {
    objects.set(name, { ...sent, isKept: true })
    // Where this fails, it is asked once more after a crash.
    await writeSent(this.#platform.files, path, objects).catch(() => {})
    return storedAt(sent)
  }

  /** One attempt at one server. `doubtMs` ago there was another. */
  async #send(
    server: ForwardServer,
    object: OutgoingObject,
    doubtMs: number | undefined,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const attempt = new Attempt(this.#platform.clock, signal, attemptMsMax(object.body.length))
    server.inFlight += 1
    try {
      const verdict = await post(server.url, object, doubtMs, attempt)
      if (verdict.kind === 'kept') server.succeeded()
      else if (verdict.kind === 'refused' && verdict.because === 'busy')
        server.rests(verdict.reason, verdict.retryAfterMs)
      else if (verdict.kind === 'unknown' || verdict.because === 'away') server.failed(verdict.reason)
      return verdict
    } finally {
      server.inFlight -= 1
      attempt.close()
    }
  }
}

async function post(
  url: string,
  object: OutgoingObject,
  doubtMs: number | undefined,
  attempt: Attempt,
): Promise<Verdict> {
  const headers: Record<string, string> = { 'content-type': LINES_TYPE, 'idempotency-key': keyOf(object.name) }
  if (object.contentEncoding !== undefined) headers['content-encoding'] = object.contentEncoding
  if (doubtMs !== undefined) headers[DOUBT_HEADER] = String(Math.ceil(doubtMs / 1000))
  try {
    const response = await upload(`${url}${LINES_PATH}?ack=disk`, {
      method: 'POST',
      headers,
      body: object.body,
      signal: attempt.signal,
      // On a connection that was used before it is sent once more when that turns out closed: then a refused connection
      // would not mean that nothing was sent.
      isOnce: true,
    })
    const { status, headers: told } = response
    return judgeForward({ status, headers: told, text: await readStart(response) })
  } catch (error) {
    return attempt.endedBy === undefined ? judgeNoAnswer(error) : { kind: 'unknown', reason: attempt.ending }
  }
}

function storedAt({ server }: Sent): PutOutcome {
  return { kind: 'stored', already: false, at: server }
}

/**
 * What it is known by, whoever asks: the name's last part, for people; and what is before that, since a segment around a full
 * hour has two objects of that part.
 */
function keyOf(name: string): string {
  const part = name.slice(name.lastIndexOf('/') + 1).replace(/\..*$/, '')
  return `${part}-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`
}
