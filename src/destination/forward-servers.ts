/** The servers that objects are forwarded to: of two that chance picks, the one that has less to do gets the next. */

import type { Platform } from '../platform/platform.ts'
import type { Throttled } from './destination.ts'
import { ForwardServer } from './forward-server.ts'

/** All of them, as one thread sees them. */
export class ForwardServers {
  readonly #platform: Platform
  readonly #all: readonly ForwardServer[]
  /** Those that objects were sent to under an earlier `--to`. */
  readonly #former = new Map<string, ForwardServer>()

  constructor(urls: readonly string[], platform: Platform) {
    this.#platform = platform
    this.#all = urls.map((url) => new ForwardServer(url, platform))
  }

  /** The server of this URL, whether objects still go there or not. */
  named(url: string): ForwardServer {
    const known = this.#all.find((server) => server.url === url) ?? this.#former.get(url)
    if (known) return known
    const former = new ForwardServer(url, this.#platform)
    this.#former.set(url, former)
    return former
  }

  /** A server that takes objects, and is none of those; undefined when there is none, as far as is known then. */
  async choose(except: ReadonlySet<ForwardServer>): Promise<ForwardServer | undefined> {
    for (;;) {
      const checks = this.#all.flatMap((server) => server.check() ?? [])
      const open = this.#all.filter((server) => server.isOpen && !except.has(server))
      if (open.length > 0 || checks.length === 0) return this.#lessBusy(open)
      await Promise.race(checks)
    }
  }

  /** Why none of them takes objects: one line. */
  get reason(): string {
    return `no server takes objects now: ${this.#all.map(({ url, reason }) => `${url}: ${reason}`).join('; ')}`
  }

  /** How long all of them ask to be left alone; undefined unless all of them do. */
  get throttled(): Throttled | undefined {
    const restMs = Math.min(...this.#all.map((server) => server.restMs))
    return restMs > 0 ? { retryAfterMs: restMs } : undefined
  }

  #lessBusy(open: readonly ForwardServer[]): ForwardServer | undefined {
    const one = Math.floor(this.#platform.random.unit() * open.length)
    const other = Math.floor(this.#platform.random.unit() * (open.length - 1))
    const [a, b] = [open[one], open[other < one ? other : other + 1]]
    return a && b && b.inFlight < a.inFlight ? b : a
  }
}
