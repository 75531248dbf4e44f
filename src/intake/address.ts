/** Where to listen, and why that can't be. */

import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { Fault } from '../observe/errors.ts'

/** Where to listen. */
export interface Address {
  host: string
  port: number
}

const PORT_MAX = 65_535

/** Reads `[host:]port`; without a host it is `host`. Undefined when it is neither. */
export function parseAddress(text: string, host: string): Address | undefined {
  const match = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  return match && port <= PORT_MAX ? { host: match[1] ?? host, port } : undefined
}

/** As the runtime takes it: without brackets. */
export function hostnameOf({ host }: Pick<Address, 'host'>): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** As it stands before a port: an IPv6 address in brackets. */
export function urlHost(hostname: string): string {
  return hostname.includes(':') ? `[${hostname}]` : hostname
}

/** The options that an address came from, for whoever has to choose another. */
export interface AddressFlags {
  host: string
  port: string
}

const HTTP_FLAGS: AddressFlags = { host: '--host', port: '--port' }

/** Why nothing can listen there. */
export async function listenFault(address: Address, error: unknown, flags = HTTP_FLAGS): Promise<Fault> {
  const hostname = hostnameOf(address)
  const why = await whyNot(hostname, error, flags)
  return new Fault('listen_failed', `${hostname}:${address.port}: ${why}`, { cause: error })
}

/** The runtime says `EADDRINUSE` or `EINVAL` of nearly everything: what can be told apart is. */
async function whyNot(hostname: string, error: unknown, flags: AddressFlags): Promise<string> {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES') return `this user may not listen there; choose another with ${flags.port}`
  try {
    const { address } = await lookup(hostname)
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
    const isOwn = own.some((one) => one.address === address) || address === '0.0.0.0' || address === '::'
    if (!isOwn && !address.startsWith('127.')) return `no interface of this machine has that address; see ${flags.host}`
  } catch {
    return `the name has no address; see ${flags.host}`
  }
  return `something else listens there; choose another with ${flags.port}`
}
