/** The TCP intake of a lane, as its options say: checked, its certificate read, and listening beside HTTP. */

import type { TcpOptions } from './config/options-tcp.ts'
import { parseAddress } from './intake/address.ts'
import { Deadlines } from './intake/deadlines.ts'
import type { ConnectionContext } from './intake/tcp-context.ts'
import { listenTcp, refuseTakenTcp, type TcpListener } from './intake/tcp-listener.ts'
import { Room } from './intake/tcp-room.ts'
import { Fault } from './observe/errors.ts'
import type { Files } from './platform/files.ts'
import type { Platform } from './platform/platform.ts'

/** The options that matter here. */
export interface TcpIntakeOptions extends TcpOptions {
  host: string
  journalBytesMax: number
}

/** Where a lane listens. */
export interface TcpPlace {
  /** Other than what the options say, where a sister has found a free one. */
  port: number | undefined
  lanes: number
  /** No sister listens there yet. */
  isFirst: boolean
}

/** A certificate with its chain is a few kilobytes. */
const PEM_BYTES_MAX = 1024 * 1024

/** What is wrong with the options together; undefined when nothing is. */
export function tcpFault(options: TcpIntakeOptions): string | undefined {
  const { tcp, tcpTlsCert, tcpTlsKey, tcpLineBytesMax, tcpInFlightBytesMax, tcpBanner } = options
  if (tcp === undefined) {
    if (tcpBanner !== undefined) return '--tcp-banner needs --tcp'
    return tcpTlsCert || tcpTlsKey ? '--tcp-tls-cert and --tcp-tls-key need --tcp' : undefined
  }
  if (!parseAddress(tcp, options.host)) {
    return `--tcp is '${tcp}'; allowed is a port, or a host and a port such as 0.0.0.0:9000 or [::1]:9000`
  }
  if ((tcpTlsCert === undefined) !== (tcpTlsKey === undefined)) {
    return 'of --tcp-tls-cert and --tcp-tls-key one is missing; TLS needs both'
  }
  if (tcpInFlightBytesMax < tcpLineBytesMax) {
    return '--tcp-in-flight-bytes-max is less than --tcp-line-bytes-max: a line of that length would never be whole'
  }
  return tcpBanner !== undefined && /[\r\n]/.test(tcpBanner) ? '--tcp-banner is more than one line' : undefined
}

/** Starts listening, or throws a `Fault`; undefined where nobody asked for TCP. */
export async function startTcp(
  options: TcpIntakeOptions,
  place: TcpPlace,
  { files, clock }: Platform,
  shared: Pick<ConnectionContext, 'journal' | 'admission' | 'garbage' | 'observe'>,
): Promise<TcpListener | undefined> {
  const address = options.tcp === undefined ? undefined : parseAddress(options.tcp, options.host)
  if (!address) return undefined
  const { tcpTlsCert: cert, tcpTlsKey: key, tcpConnectionsMax: connectionsMax } = options
  const tls =
    cert && key
      ? { cert: await pem(files, '--tcp-tls-cert', cert), key: await pem(files, '--tcp-tls-key', key) }
      : undefined
  const isShared = place.lanes > 1
  const listen = { ...address, port: place.port ?? address.port, isShared, connectionsMax, tls }
  // Who shares a port is told of nobody.
  if (isShared && place.isFirst) await refuseTakenTcp(listen)
  const connection = {
    // A line that could never fit the journal is too long, not early.
    lineBytesMax: Math.min(options.tcpLineBytesMax, options.journalBytesMax / 2),
    inFlightBytesMax: options.tcpInFlightBytesMax,
    banner: options.tcpBanner,
  }
  const room = new Room(shared.admission, clock)
  const idle = new Deadlines(options.tcpIdleMs, clock)
  return await listenTcp(listen, { ...shared, options: connection, clock, room, idle })
}

async function pem(files: Files, flag: string, path: string): Promise<string> {
  try {
    const file = await files.open(path, 'read')
    try {
      const bytes = Buffer.alloc(Math.min(PEM_BYTES_MAX, await file.size()))
      const length = await file.read(bytes, 0)
      return bytes.toString('utf8', 0, length)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw new Fault('config_invalid', `${flag} ${path} can not be read: ${(error as Error).message}`, { cause: error })
  }
}
