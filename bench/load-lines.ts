/**
 * Closed-loop load of NDJSON, the same lines over HTTP and over TCP: each connection has a fixed number of batches under way
 * and sends the next when one is answered. One generator for both, so that neither is measured with a better one.
 */

import { parseAnswer } from '../src/designs/connections.ts'
import { type Clock, systemClock } from '../src/platform/clock.ts'
import { makeBodies } from './bodies.ts'

/** What to send, where, and how hard. */
export interface LinesLoad {
  /** Over HTTP a POST each, over TCP as they are. */
  over: 'http' | 'tcp'
  port: number
  linesEach: number
  connections: number
  /** Batches of a connection that wait for their answer. Over HTTP one. */
  underWay: number
  warmupSeconds: number
  seconds: number
}

/** What came of the measured time. */
export interface LinesOutcome {
  payloadsPerSecond: number
  /** The share of one core that the generator took. */
  generatorCores: number
}

/** Batches of `linesEach` payloads, the bench's own, one a line. */
export function makeLines(linesEach: number): Buffer[] {
  return makeBodies(linesEach).map((body) => {
    const { data } = JSON.parse(body) as { data: object[] }
    return Buffer.from(`${data.map((payload) => JSON.stringify(payload)).join('\n')}\n`)
  })
}

/** Up to which line of the connection the whole answers in `bytes` go, and where what isn't whole begins. Throws when a line was not kept. */
export function parseLineAnswers(bytes: Buffer): { line: number; end: number } {
  const end = bytes.lastIndexOf(0x0a) + 1
  const answers = bytes.toString('latin1', 0, end)
  if (answers.includes('"code"')) throw new Error(`a line was not kept:\n${answers.slice(0, 1000)}`)
  const at = answers.lastIndexOf('"lines":[')
  return { line: at < 0 ? 0 : Number(/,(\d+)\]/.exec(answers.slice(at))?.[1]), end }
}

/** Sends for the whole time. Throws when something is not kept. */
export async function sendLines(load: LinesLoad, clock: Clock = systemClock): Promise<LinesOutcome> {
  const { over, port, linesEach, connections, seconds, warmupSeconds } = load
  const batches = makeLines(linesEach).map((lines) => (over === 'tcp' ? lines : postOf(lines)))
  const count = { sent: 0, answered: 0, isOver: false }
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  const open = Array.from({ length: connections }, () => Sender.open(port, load, batches, count, failed.reject))
  const all = await Promise.all(open)
  for (const sender of all) sender.begin()
  await Promise.race([clock.sleep(warmupSeconds * 1000), failed.promise])
  const [answeredBefore, cpuBefore, beganMs] = [count.answered, process.cpuUsage(), clock.monotonicMs()]
  await Promise.race([clock.sleep(seconds * 1000), failed.promise])
  const tookMs = clock.monotonicMs() - beganMs
  const { user, system } = process.cpuUsage(cpuBefore)
  const payloads = (count.answered - answeredBefore) * linesEach
  count.isOver = true
  for (const sender of all) sender.close()
  return {
    payloadsPerSecond: (payloads / tookMs) * 1000,
    generatorCores: (user + system) / 1000 / tookMs,
  }
}

interface Count {
  sent: number
  answered: number
  isOver: boolean
}

/** One connection. */
class Sender {
  #socket!: Bun.Socket<undefined>
  readonly #load: LinesLoad
  readonly #batches: readonly Buffer[]
  readonly #count: Count
  readonly #reject: (error: Error) => void
  #unsent: Buffer[] = []
  #rest: Buffer = Buffer.alloc(0)
  #answered = 0

  private constructor(load: LinesLoad, batches: readonly Buffer[], count: Count, reject: (error: Error) => void) {
    this.#load = load
    this.#batches = batches
    this.#count = count
    this.#reject = reject
  }

  static async open(
    port: number,
    load: LinesLoad,
    batches: readonly Buffer[],
    count: Count,
    reject: (error: Error) => void,
  ): Promise<Sender> {
    const sender = new Sender(load, batches, count, reject)
    sender.#socket = await Bun.connect<undefined>({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, chunk) => sender.#receive(chunk),
        drain: () => sender.#write(),
        close: () => {
          if (!count.isOver) reject(new Error('the server closed a connection'))
        },
        error: () => undefined,
      },
    })
    return sender
  }

  begin(): void {
    for (let i = 0; i < this.#load.underWay; i++) this.#send()
  }

  close(): void {
    this.#socket.terminate()
  }

  #send(): void {
    this.#unsent.push(this.#batches[this.#count.sent++ % this.#batches.length] as Buffer)
    this.#write()
  }

  #write(): void {
    for (;;) {
      const [next] = this.#unsent
      if (!next) return
      const taken = Math.max(0, this.#socket.write(next))
      if (taken < next.length) {
        this.#unsent[0] = next.subarray(taken)
        return
      }
      this.#unsent.shift()
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#count.isOver) return
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    try {
      const { batches, end } = this.#load.over === 'tcp' ? this.#linesIn(bytes) : this.#postsIn(bytes)
      this.#rest = bytes.subarray(end)
      this.#count.answered += batches
      for (let i = 0; i < batches; i++) this.#send()
    } catch (error) {
      this.#reject(error as Error)
    }
  }

  /** How many batches more are answered as a whole. */
  #linesIn(bytes: Buffer): { batches: number; end: number } {
    const { line, end } = parseLineAnswers(bytes)
    const batches = Math.max(0, Math.floor(line / this.#load.linesEach) - this.#answered)
    this.#answered += batches
    return { batches, end }
  }

  #postsIn(bytes: Buffer): { batches: number; end: number } {
    const answer = parseAnswer(bytes)
    if (!answer) return { batches: 0, end: 0 }
    if (answer.status !== 202) throw new Error(`a POST was answered with ${answer.status}`)
    return { batches: 1, end: answer.length }
  }
}

function postOf(lines: Buffer): Buffer {
  const head = `POST /payloads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${lines.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), lines])
}
