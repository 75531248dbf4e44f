/** Joins a connection to another server: bytes both ways, as they are, and neither end is read faster than the other takes. */

/** As much of a socket as is needed here. */
export interface Pipe {
  /** How many bytes it took: fewer than there are when the other end doesn't read. */
  write(bytes: Uint8Array): number
  pause(): void
  resume(): void
  /** Sends what it took, and closes. */
  end(): void
}

/** What the other server's connection tells. */
export interface PipeEvents {
  opened(server: Pipe): void
  data(bytes: Uint8Array): void
  drained(): void
  /** It is closed, or never was open. */
  closed(): void
}

/** Both directions. */
export class PassThrough implements PipeEvents {
  readonly #client: Pipe
  #server: Pipe | undefined
  /** What one end has sent and the other didn't take yet: while there is any, the first is not read. */
  #toServer: Uint8Array
  #toClient: Uint8Array = new Uint8Array()
  #isOver = false
  #hasClientEnded = false

  /** Opens the other connection, and begins with `bytes`. */
  constructor(client: Pipe, connect: (events: PipeEvents) => void, bytes: Uint8Array) {
    this.#client = client
    this.#toServer = bytes
    client.pause()
    connect(this)
  }

  opened(server: Pipe): void {
    this.#server = server
    if (this.#isOver) return server.end()
    this.drained()
  }

  /** The server takes more. */
  drained(): void {
    const server = this.#server
    if (server === undefined || this.#isOver) return
    if (this.#toServer.length > 0) {
      this.#toServer = this.#toServer.subarray(Math.max(0, server.write(this.#toServer)))
      if (this.#toServer.length > 0) return
    }
    if (this.#hasClientEnded) return server.end()
    this.#client.resume()
  }

  data(bytes: Uint8Array): void {
    if (this.#isOver) return
    const taken = this.#toClient.length > 0 ? 0 : Math.max(0, this.#client.write(bytes))
    if (taken === bytes.length) return
    this.#toClient = joined(this.#toClient, bytes.subarray(taken))
    this.#server?.pause()
  }

  closed(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#toClient.length === 0) this.#client.end()
  }

  fromClient(bytes: Uint8Array): void {
    const taken = this.#toServer.length > 0 ? 0 : Math.max(0, this.#server?.write(bytes) ?? 0)
    if (taken === bytes.length) return
    this.#toServer = joined(this.#toServer, bytes.subarray(taken))
    this.#client.pause()
  }

  clientDrained(): void {
    if (this.#toClient.length === 0) return
    this.#toClient = this.#toClient.subarray(Math.max(0, this.#client.write(this.#toClient)))
    if (this.#toClient.length > 0) return
    if (this.#isOver) this.#client.end()
    else this.#server?.resume()
  }

  /** Nobody is there to be answered: what wasn't taken yet goes nowhere. */
  clientGone(): void {
    this.#isOver = true
    this.#server?.end()
  }

  /** The client sends no more. */
  clientEnded(): void {
    this.#hasClientEnded = true
    if (this.#toServer.length === 0) this.#server?.end()
  }
}

/** Of an end that isn't read something may come all the same: when it breaks, the runtime gives what the kernel still had. */
function joined(before: Uint8Array, more: Uint8Array): Uint8Array {
  return Buffer.concat([before, more])
}
