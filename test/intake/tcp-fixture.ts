/** TCP connections without sockets, a journal that keeps when it is told to, and a clock moved by hand. */

import { mock } from 'bun:test'
import { Admission, type AdmissionOptions } from '../../src/intake/admission.ts'
import { Deadlines } from '../../src/intake/deadlines.ts'
import { DrainRate } from '../../src/intake/drain-rate.ts'
import { TcpConnection } from '../../src/intake/tcp-connection.ts'
import type { ConnectionContext, ConnectionOptions } from '../../src/intake/tcp-context.ts'
import type { Wire } from '../../src/intake/tcp-outlet.ts'
import { Room } from '../../src/intake/tcp-room.ts'
import type { AppendRefusal, Journal, NewRecord, Waiter } from '../../src/journal/journal.ts'
import { Garbage } from '../../src/platform/garbage.ts'
import { FakeClock } from '../memory-platform.ts'
import type { TcpAnswer } from '../tcp-client.ts'

export const IDLE_MS = 60_000

/** A journal in memory. */
export class HeldJournal {
  payloads = 0
  bytes = 0
  trouble: AppendRefusal | undefined
  /** Every record, kept or not. */
  readonly records: { body: string; payloads: number }[] = []
  /** Who sent them. */
  readonly senders = new Set<unknown>()
  readonly #waiting: { record: NewRecord; waiter: Waiter }[] = []
  #next = 0

  append(record: NewRecord, waiter: Waiter): void {
    this.payloads += record.payloads
    this.bytes += record.body.length
    this.records.push({ body: Buffer.from(record.body).toString(), payloads: record.payloads })
    this.#waiting.push({ record, waiter })
    this.senders.add(waiter.sender)
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** All that waits is on the disk now. Keeping it may bring more, which waits. */
  keep(): void {
    for (const { waiter } of this.#waiting.splice(0)) waiter.kept(`r${this.#next++}`)
  }

  keepAll(): void {
    while (this.#waiting.length > 0) this.keep()
  }

  refuse(code: AppendRefusal): void {
    for (const { record, waiter } of this.#waiting.splice(0)) {
      this.payloads -= record.payloads
      waiter.refused(code)
    }
  }

  /** What is kept is stored, and gone from here. */
  drain(): void {
    this.payloads = 0
    this.bytes = 0
  }
}

/** Tells what it counts. */
class CountedAdmission extends Admission {
  held = 0

  override hold(bytes: number): boolean {
    this.held += bytes
    return super.hold(bytes)
  }

  override release(bytes: number): void {
    this.held -= bytes
    super.release(bytes)
  }
}

/** A socket's other end. */
export class Peer implements Wire {
  isReading = true
  isShut = false
  /** Closed by the server: in good order or at once. */
  ended: 'end' | 'terminate' | undefined
  /** How many bytes it takes before it has to be asked again. */
  takes = Number.POSITIVE_INFINITY
  readonly connection: TcpConnection
  #text = ''

  constructor(context: ConnectionContext) {
    this.connection = new TcpConnection(this, context)
  }

  get answers(): TcpAnswer[] {
    return this.lines.map((line) => JSON.parse(line) as TcpAnswer)
  }

  get lines(): string[] {
    return this.#text.split('\n').slice(0, -1)
  }

  send(text: string): void {
    this.connection.received(Buffer.from(text))
  }

  write(text: string | Uint8Array): number {
    const bytes = Buffer.from(text as string)
    const taken = Math.min(bytes.length, this.takes)
    this.takes -= taken
    this.#text += bytes.toString('utf8', 0, taken)
    return taken
  }

  pause(): void {
    this.isReading = false
  }

  resume(): void {
    this.isReading = true
  }

  shutdown(): void {
    this.isShut = true
  }

  end(): void {
    this.#close('end')
  }

  terminate(): void {
    this.#close('terminate')
  }

  #close(how: 'end' | 'terminate'): void {
    this.ended = how
    this.connection.closed()
  }
}

/** A lane's TCP intake without a listener. */
export class Fixture {
  readonly clock = new FakeClock()
  readonly journal = new HeldJournal()
  readonly admission: CountedAdmission
  /** Called when somebody finds no room. */
  readonly onFull = mock(() => {})
  readonly room: Room
  readonly #context: ConnectionContext

  constructor(bounds: Partial<AdmissionOptions> = {}, options: Partial<ConnectionOptions> = {}) {
    const { clock, journal } = this
    const usual = { maxQueue: undefined, journalBytesMax: 1e9, bodyBytesMax: 1e9, intakeBytesMax: 1e9 }
    const drain = new DrainRate(clock)
    this.admission = new CountedAdmission({ ...usual, ...bounds }, journal, drain, this.onFull)
    this.room = new Room(this.admission, clock)
    this.#context = {
      options: { lineBytesMax: 1000, inFlightBytesMax: 10_000, banner: undefined, ...options },
      journal: journal as unknown as Journal,
      admission: this.admission,
      clock,
      garbage: new Garbage({ bytesMax: 1e9 }, () => undefined),
      observe: () => undefined,
      room: this.room,
      idle: new Deadlines(IDLE_MS, clock),
    }
  }

  connect(): Peer {
    return new Peer(this.#context)
  }
}
