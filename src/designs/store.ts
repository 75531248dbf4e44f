/**
 * A stand-in for the store that payloads are brought to. It works on a fixed number of uploads at once, and each takes the
 * same time, however much is in it: that is what the work can take, and it is the same for every design. Objects are as at S3:
 * a name that is taken stays as it is, and what it holds can be read. It keeps count of each payload that came, by its id.
 */

import type { Clock } from '../platform/clock.ts'

const ZSTD_MAGIC = 0xfd2fb528
/** The largest object that is taken. */
const OBJECT_BYTES_MAX = 256 * 1024 * 1024

/** What the store can do. */
export interface StoreOptions {
  jobTimeMs: number
  /** How many uploads it works on at once. */
  workers: number
}

/** A running store. */
export class Store implements AsyncDisposable {
  /** How often each payload came, by its id. */
  readonly landed = new Map<number, number>()
  readonly #objects = new Map<string, Buffer>()
  readonly #clock: Clock
  readonly #jobTimeMs: number
  /** For each upload that it can work on: when the last one given to it will be done. */
  readonly #doneAtMs: number[]
  readonly #server: Bun.Server<undefined>
  #underWay = 0
  #listeners: (() => void)[] = []

  constructor({ jobTimeMs, workers }: StoreOptions, clock: Clock) {
    this.#clock = clock
    this.#jobTimeMs = jobTimeMs
    this.#doneAtMs = new Array<number>(workers).fill(Number.NEGATIVE_INFINITY)
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      maxRequestBodySize: OBJECT_BYTES_MAX,
      fetch: (request) => this.#answer(request),
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`
  }

  /** How many of these payloads came. */
  landedOf(ids: readonly number[]): number {
    return ids.reduce((sum, id) => sum + (this.landed.has(id) ? 1 : 0), 0)
  }

  /** How many payloads came more than once. */
  get twice(): number {
    return [...this.landed.values()].filter((times) => times > 1).length
  }

  /** Resolves when `isSo`, which is asked after each upload, or once `mostMs` have passed. Whether it came to be so. */
  async until(isSo: () => boolean, mostMs: number): Promise<boolean> {
    let isOver = false
    const timer = this.#clock.after(mostMs, () => {
      isOver = true
      this.#tell()
    })
    while (!isSo() && !isOver) await new Promise<void>((resolve) => this.#listeners.push(resolve))
    timer.cancel()
    return isSo()
  }

  /** Whether it works on nothing. */
  get isQuiet(): boolean {
    return this.#underWay === 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }

  async #answer(request: Request): Promise<Response> {
    const name = new URL(request.url).pathname
    if (request.method === 'GET') return this.#read(name)
    if (request.method !== 'PUT') return new Response(null, { status: 501 })
    // Whoever is gone in the middle of a body stored nothing.
    const body = await request.arrayBuffer().catch(() => undefined)
    if (!body) return new Response(null, { status: 400 })
    this.#underWay += 1
    await this.#clock.sleep(this.#turnMs())
    this.#underWay -= 1
    const isNew = this.#keep(name, Buffer.from(body))
    this.#tell()
    return isNew ? new Response(null, { headers: { etag: '"stored"' } }) : refused(412, 'PreconditionFailed')
  }

  /** How long from now until an upload that begins now is done: it may have to wait for its turn. */
  #turnMs(): number {
    const nowMs = this.#clock.monotonicMs()
    const first = this.#doneAtMs.indexOf(Math.min(...this.#doneAtMs))
    const doneAtMs = Math.max(nowMs, this.#doneAtMs[first] ?? 0) + this.#jobTimeMs
    this.#doneAtMs[first] = doneAtMs
    return doneAtMs - nowMs
  }

  #keep(name: string, body: Buffer): boolean {
    if (this.#objects.has(name)) return false
    this.#objects.set(name, body)
    for (const id of idsIn(body)) this.landed.set(id, (this.landed.get(id) ?? 0) + 1)
    return true
  }

  #read(name: string): Response {
    const body = this.#objects.get(name)
    return body ? new Response(new Uint8Array(body), { headers: { etag: '"stored"' } }) : refused(404, 'NoSuchKey')
  }

  #tell(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }
}

/** The ids of the payloads in an object: a payload by itself, or Millrace's lines, each with a payload in it. */
export function idsIn(object: Buffer): number[] {
  const isCompressed = object.length >= 4 && object.readUInt32LE(0) === ZSTD_MAGIC
  const text = (isCompressed ? Bun.zstdDecompressSync(object) : object).toString()
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const { id, payload } = JSON.parse(line) as { id?: number; payload?: { id: number } }
    return (payload?.id ?? id) as number
  })
}

function refused(status: number, code: string): Response {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`
  return new Response(body, { status, headers: { 'content-type': 'application/xml' } })
}
