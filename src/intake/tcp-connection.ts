/**
 * One TCP connection: its whole lines become records, one at a time, so that answers come in order. What it may hold is
 * bounded: beyond that it is not read from, and its sender waits.
 */

import type { AppendRefusal, Sender, Waiter } from '../journal/journal.ts'
import type { LineFacts } from '../json/quick-check.ts'
import type { Expiring } from './deadlines.ts'
import type { Refusal } from './problem.ts'
import { LINE_ERRORS_MAX, readGoodLines, readLines, type Shape } from './shapes.ts'
import { badLines, farewellLine, keptLine, type LineRange, problemLine, renumbered } from './tcp-answer.ts'
import type { ConnectionContext } from './tcp-context.ts'
import { LineBuffer, type Piece } from './tcp-lines.ts'
import { Outlet, type Wire } from './tcp-outlet.ts'
import type { Guest } from './tcp-room.ts'

/** Until tokens have names, everything comes from one source. */
const SOURCE = 'default'
/** A record's usual longest body: as much as the journal writes at once. */
const PIECE_BYTES_MAX = 1 << 20
/** How much longer than allowed a line may get before its connection is closed. */
export const SKIPPED_BYTES_MAX = 64 << 20
/** The line feeds of the lines that were checked last. */
const counted: LineFacts = { feeds: 0 }

/** A connection, from its first byte to its last answer. */
export class TcpConnection implements Waiter, Sender, Expiring, Guest {
  startedMs = 0
  round = 0
  readonly sender = this
  readonly #wire: Wire
  readonly #outlet: Outlet
  readonly #context: ConnectionContext
  readonly #lines: LineBuffer
  /** `ending`: no more is read, what is there is kept. `over`: the last answer is given. */
  #state: 'open' | 'ending' | 'over' | 'gone' = 'open'
  /** No more is waited for, either. */
  #isStopping = false
  /** What the client is told at the end. */
  #farewell: Refusal | undefined
  /** Being kept. */
  #kept: { piece: Piece; shape: Shape } | undefined
  #isWaiting = false
  #isReading = true
  /** Counted as memory. */
  #held = 0
  /** Lines that are settled, and those that an answer was about. */
  #line = 0
  #answeredLine = 0
  readonly #over = Promise.withResolvers<void>()

  constructor(wire: Wire, context: ConnectionContext) {
    this.#wire = wire
    this.#outlet = new Outlet(wire, context.clock)
    this.#context = context
    this.#lines = new LineBuffer(context.options.lineBytesMax, (bytes) => context.garbage.free(bytes))
    context.room.guests.add(this)
    context.idle.start(this)
    this.steer()
  }

  get isBusy(): boolean {
    return this.#kept !== undefined || this.#isWaiting || this.#outlet.isClogged
  }

  get isInLine(): boolean {
    return this.#lines.isInLine
  }

  /** Bytes have come. */
  received(chunk: Uint8Array): void {
    // What comes after the last answer is thrown away. What comes while it is not read from was on its way.
    if (this.#state === 'over' || this.#state === 'gone') return
    this.#lines.add(chunk)
    if (this.#lines.skippedBytes > SKIPPED_BYTES_MAX) this.#end()
    this.#go()
  }

  /** The client sends no more, and may still read. */
  finished(): void {
    this.#outlet.finished()
    if (this.#state !== 'open') return
    this.#end()
    this.#go()
  }

  /** The socket takes more. */
  drained(): void {
    if (!this.#outlet.isClogged) return
    this.#outlet.drained()
    if (this.#outlet.isClogged) return
    this.#rest()
    this.#go()
  }

  /** The socket is gone. What is not with the journal by now is not kept: the last line may be half a line. */
  closed(): void {
    this.#state = 'gone'
    this.#outlet.closed()
    const { room, idle } = this.#context
    idle.stop(this)
    room.leave(this)
    room.guests.delete(this)
    this.#isWaiting = false
    if (!this.#kept) this.#forget()
    this.#over.resolve()
  }

  /** Keeps the whole lines that are here and have room, and ends. Resolves when that's done. */
  stop(): Promise<void> {
    if (this.#state === 'open' || this.#state === 'ending') {
      this.#endStopping()
      if (this.#isWaiting) this.#sayFarewell()
      else this.#go()
    }
    return this.#over.promise
  }

  /** It took too long to stop. */
  cut(): void {
    this.#wire.terminate()
  }

  /** No whole line came in time, or an answer wasn't read. */
  expire(): void {
    if (this.#outlet.isClogged) return this.#wire.terminate()
    // Where memory is short, it is not the client that is late.
    if (!this.#isReading) return this.#context.idle.start(this)
    this.#farewell = { code: 'idle_timeout', detail: `no whole line came for ${this.#context.idle.limitMs} ms` }
    this.#sayFarewell()
  }

  roomAgain(): boolean {
    this.#isWaiting = false
    this.#rest()
    this.#go()
    return !this.#isWaiting
  }

  steer(): void {
    const { room, options } = this.#context
    const isFull = this.isBusy && this.#lines.bytes >= options.inFlightBytesMax
    const wanted = this.#state === 'over' || (this.#state === 'open' && !isFull && room.mayRead(this))
    if (wanted === this.#isReading || this.#state === 'gone') return
    this.#isReading = wanted
    if (wanted) this.#wire.resume()
    else this.#wire.pause()
  }

  kept(receipt: string): void {
    if (!this.#kept) return
    const { shape } = this.#kept
    const range = this.#settled()
    const { banner } = this.#context.options
    this.#outlet.write(banner !== undefined && !shape.rejected ? `${banner}\n` : keptLine(receipt, shape, range))
    this.#go()
  }

  refused(code: AppendRefusal): void {
    if (code === 'stopping' && this.#state !== 'gone') this.#endStopping()
    // The same lines are not tried again: what of them had reached the disk would be stored twice.
    const detail = code === 'stopping' ? 'the server is stopping' : 'send these lines again; the log says more'
    this.#outlet.write(problemLine({ code, detail }, this.#settled()))
    this.#go()
  }

  /** Goes on with what is here, as far as it goes. */
  #go(): void {
    while (this.#state !== 'gone' && this.#state !== 'over' && !this.isBusy) {
      if (!this.#lines.hasLine) {
        if (this.#state === 'ending') this.#sayFarewell()
        break
      }
      this.#next()
    }
    this.#count()
    this.steer()
  }

  /** Takes the next piece: keeps it, answers it, or waits for room. */
  #next(): void {
    const { admission, room } = this.#context
    const { payloads, bytes } = admission.room()
    if (payloads === 0 || room.isBehind(this)) return this.#wait()
    const bytesMax = Math.min(bytes, PIECE_BYTES_MAX)
    let piece = this.#lines.peek(payloads, bytesMax) as Piece
    if (piece.kind === 'too-long') return this.#tooLong(piece)
    let shape = readGoodLines(piece.bytes, counted)
    if (!shape) {
      // No more lines than an answer lists errors: so it tells of each line whether it is kept.
      piece = this.#lines.peek(Math.min(payloads, LINE_ERRORS_MAX), bytesMax) as Piece
      shape = readLines(piece.bytes)
    } else {
      piece.lines = counted.feeds
    }
    if ('code' in shape) return this.#answer(piece, badLines(shape, this.#line))
    if (shape.payloads === 0 && !shape.rejected) return this.#blank(piece)
    if (admission.keep(shape.payloads, shape.body.length)) return this.#wait()
    this.#keep(piece, renumbered(shape, this.#line))
  }

  #keep(piece: Piece, shape: Shape): void {
    const { journal, clock, idle } = this.#context
    idle.stop(this)
    this.#kept = { piece, shape }
    const { kind, body, payloads } = shape
    journal.append({ kind, body, payloads, receivedAtMs: clock.nowMs(), source: SOURCE }, this)
  }

  #tooLong(piece: Piece): void {
    const { lineBytesMax } = this.#context.options
    this.#answer(piece, { code: 'line_too_long', detail: `the line is longer than ${lineBytesMax} bytes` })
  }

  /** Answers a piece of which nothing is kept. */
  #answer(piece: Piece, refusal: Refusal): void {
    this.#outlet.write(problemLine(refusal, this.#passed(piece)))
    this.#rest()
  }

  /** Nothing but blank lines: they count, and show that the client lives. */
  #blank(piece: Piece): void {
    this.#lines.settle(piece)
    this.#line += piece.lines as number
    this.#rest()
  }

  #wait(): void {
    if (this.#isStopping) return this.#sayFarewell()
    this.#isWaiting = true
    this.#context.idle.stop(this)
    this.#context.room.wait(this)
  }

  #settled(): LineRange {
    const { piece } = this.#kept as { piece: Piece }
    this.#kept = undefined
    const range = this.#passed(piece)
    if (this.#state === 'gone') this.#forget()
    else this.#rest()
    return range
  }

  /** The piece is done with: the lines that its answer is about, blank ones before it included. */
  #passed(piece: Piece): LineRange {
    this.#lines.settle(piece)
    this.#line += piece.lines as number
    const from = this.#answeredLine + 1
    this.#answeredLine = this.#line
    return { from, to: this.#line }
  }

  /** From now on it is for the client to do something. */
  #rest(): void {
    const { idle } = this.#context
    idle.stop(this)
    if (this.#state === 'open' || this.#state === 'ending') idle.start(this)
  }

  /** No more is read. */
  #end(): void {
    this.#state = 'ending'
    if (this.#lines.end()) return
    this.#farewell = { code: 'line_unfinished', detail: 'a number without its line feed may have lost its end' }
  }

  #endStopping(): void {
    this.#state = 'ending'
    this.#isStopping = true
    this.#farewell = { code: 'stopping', detail: 'the server is stopping' }
  }

  #sayFarewell(): void {
    const { room, idle } = this.#context
    idle.stop(this)
    room.leave(this)
    this.#state = 'over'
    this.#isWaiting = false
    this.#forget()
    if (this.#farewell) this.#outlet.write(farewellLine(this.#farewell, this.#line + 1))
    this.#outlet.end()
    this.steer()
    this.#over.resolve()
  }

  /** Tells how much memory it holds. */
  #count(): void {
    const { room } = this.#context
    const more = this.#lines.bytes - this.#held
    this.#held += more
    if (more > 0) room.hold(more)
    else if (more < 0) room.release(-more)
  }

  #forget(): void {
    this.#lines.clear()
    this.#count()
  }
}
