/** The log: events as lines that a person can read, on the standard output. */

import type { Clock, Timer } from '../platform/clock.ts'
import type { Event, Observer } from './events.ts'

/** A log that counts deliveries together. */
export interface Log {
  observe: Observer
  /** Prints what was held back. */
  flush(): void
}

/** Deliveries are reported at most this often. */
const STORED_EVERY_MS = 1000

/** As long as the reason stays the same, a parked destination is reported at most this often. */
const PARKED_EVERY_MS = 60_000

/** Makes a log that gives its lines to `print`. Where several processes share an output, `lane` says which one it is. */
export function createLog(clock: Clock, print: (line: string) => void, lane?: number): Log {
  const who = lane === undefined ? '' : `lane ${lane}: `
  const stored = { objects: 0, payloads: 0, last: '' }
  let parked = { reason: '', atMs: Number.NEGATIVE_INFINITY }
  let timer: Timer | undefined
  const line = (text: string) => print(`${new Date(clock.nowMs()).toISOString()} ${who}${text}`)
  const flush = () => {
    timer?.cancel()
    timer = undefined
    if (stored.objects === 0) return
    const { objects, payloads, last } = stored
    line(
      `stored ${count(payloads, 'payload')} in ${objects === 1 ? last : `${count(objects, 'object')}, the last ${last}`}`,
    )
    stored.objects = 0
    stored.payloads = 0
  }
  return {
    flush,
    observe(event) {
      if (event.kind === 'segment-stored') {
        if (event.objects === 0) return
        stored.objects += event.objects
        stored.payloads += event.payloads
        stored.last = event.last
        timer ??= clock.after(STORED_EVERY_MS, flush)
        return
      }
      if (event.kind === 'destination-parked') {
        // One line for all the segments that wait for the same reason, and again from time to time.
        const atMs = clock.monotonicMs()
        if (event.reason === parked.reason && atMs - parked.atMs < PARKED_EVERY_MS) return
        parked = { reason: event.reason, atMs }
      } else if (event.kind === 'destination-resumed') {
        parked.reason = ''
      }
      const text = sentence(event)
      if (text !== undefined) line(text)
    },
  }
}

/** The line for an event; undefined for those that would only be noise. */
function sentence(event: Event): string | undefined {
  switch (event.kind) {
    case 'journal-recovered':
      return `recovered ${count(event.payloads, 'payload')} in ${count(event.segments, 'segment')} (${event.bytes} bytes); delivering`
    case 'journal-torn-tail':
      return `warning: ${event.path}: cut ${count(event.bytes, 'byte')} that a crash left half-written; none of them was acknowledged`
    case 'journal-damage':
      // Without its header a segment can't be read at all.
      return `error: ${event.path}: ${count(event.bytes, 'byte')} at ${event.offset} are damaged and kept in ${event.keptAt}; ${event.offset === 0 ? 'none of it can be delivered' : 'the rest is delivered'}`
    case 'journal-lost':
      return `error: ${event.path}: ${event.reason}`
    case 'journal-foreign-file':
      return `warning: ${event.path} is not a segment; left alone`
    case 'journal-trouble':
      return `error: the journal cannot be written (${event.code}): ${event.reason}; answering 503 until it can`
    case 'journal-well':
      return 'the journal can be written again'
    case 'delivery-retry':
      // Doubling steps: an outage of an hour is a handful of lines for each object.
      if ((event.attempt & (event.attempt - 1)) !== 0) return undefined
      return `warning: ${event.object}: ${event.reason}; attempt ${event.attempt + 1} in ${seconds(event.pauseMs)}`
    case 'destination-parked':
      return `error: parked, ${event.object}: ${event.reason}; kept in the journal, tried again in ${seconds(event.pauseMs)}`
    case 'destination-resumed':
      return 'the destination takes objects again'
    case 'dead-letter':
      return `error: ${event.receipt} can never be stored: ${event.reason}; ${count(event.payloads, 'payload')} kept in dead/`
    case 'memory-ack-broken':
      return `error: ${count(event.payloads, 'payload')} lost (${event.reason}): acknowledged from memory, as the client asked (ack=memory)`
    case 'ledger-trouble':
      return `error: the ledger cannot be written: ${event.reason}; the segment is kept, and tried again`
    case 'delivery-crash':
      return `error: a delivery failed on this machine and is run again: ${event.reason}`
    case 'intake-failure':
      return `error: a request failed in a way it should not: ${event.reason}`
    case 'lanes-awaited':
      return 'waiting for lanes of an earlier run to end: their supervisor is gone'
    case 'lane-ended':
      return `error: lane ${event.lane} ended (${event.reason}) and is started again in ${seconds(event.pauseMs)}; the others go on`
    case 'lane-up':
      return `lane ${event.lane} is back, as process ${event.process}`
    case 'lane-cut-off':
      return `error: lane ${event.lane} ended before it had stopped (${event.reason}); what it had acknowledged is in its journal`
    case 'stopping':
      return `stopping: refusing payloads, delivering for up to ${seconds(event.graceMs)}; a second signal exits at once`
    case 'stopped':
      return `stopped; ${leftOver(event)}`
    case 'segment-sealed':
    case 'segment-stored':
      return undefined
  }
}

function count(value: number, noun: string): string {
  return `${value.toLocaleString('en')} ${noun}${value === 1 ? '' : 's'}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function leftOver({ segments, payloads, dead, silentLanes = 0 }: Extract<Event, { kind: 'stopped' }>): string {
  const lost =
    dead === 0 ? '' : `; ${count(dead, 'payload')} could not be stored: see dead/ and corrupt/ in the journal`
  const cutOff = `; ${count(silentLanes, 'lane')} did not come to a stop: what is left there is delivered after the next start`
  const silent = silentLanes === 0 ? '' : cutOff
  if (payloads === 0 && segments === 0) {
    return `everything ${dead === 0 && silentLanes === 0 ? 'accepted' : 'else'} is stored${lost}${silent}`
  }
  const where = segments === 0 ? 'the journal' : count(segments, 'segment')
  return `${count(payloads, 'payload')} in ${where} will be delivered after the next start${lost}${silent}`
}
