/** The options of the TCP intake: where it listens, and its bounds. */

import type { OptionRow } from './option-row.ts'

const MIB = 1024 ** 2

/** Those that say what TCP clients get. */
export const TCP_OPTIONS = {
  tcp: {
    kind: 'text',
    flag: 'tcp',
    env: 'MILLRACE_TCP',
    default: undefined,
    defaultMeans: 'no TCP intake',
    value: '[HOST:]PORT',
    what: 'Takes lines of JSON over TCP, too, one payload each (docs/TCP.md); without a host at --host.',
  },
  tcpTlsCert: {
    kind: 'text',
    flag: 'tcp-tls-cert',
    env: 'MILLRACE_TCP_TLS_CERT',
    default: undefined,
    value: 'FILE',
    what: 'The certificate (PEM, with its chain) for TLS on the TCP port; --tcp-tls-key goes with it.',
  },
  tcpTlsKey: {
    kind: 'text',
    flag: 'tcp-tls-key',
    env: 'MILLRACE_TCP_TLS_KEY',
    default: undefined,
    value: 'FILE',
    what: 'The certificate’s private key (PEM).',
  },
  tcpLineBytesMax: {
    kind: 'size',
    flag: 'tcp-line-bytes-max',
    env: 'MILLRACE_TCP_LINE_BYTES_MAX',
    default: '1MiB',
    min: 64,
    max: 256 * MIB,
    value: 'SIZE',
    what: 'The longest line over TCP; a longer one is skipped, and answered with its number.',
  },
  tcpInFlightBytesMax: {
    kind: 'size',
    flag: 'tcp-in-flight-bytes-max',
    env: 'MILLRACE_TCP_IN_FLIGHT_BYTES_MAX',
    default: '4MiB',
    min: 64,
    max: 256 * MIB,
    value: 'SIZE',
    what: 'How many bytes of a TCP connection may wait to be kept; past it the connection is not read from.',
  },
  tcpIdleMs: {
    kind: 'duration',
    flag: 'tcp-idle',
    env: 'MILLRACE_TCP_IDLE',
    default: '2m',
    min: 100,
    max: 86_400_000,
    value: 'TIME',
    what: 'How long a TCP connection may go without a whole line (a blank one will do); past it it is closed.',
  },
  tcpConnectionsMax: {
    kind: 'count',
    flag: 'tcp-connections-max',
    env: 'MILLRACE_TCP_CONNECTIONS_MAX',
    default: '10000',
    min: 1,
    max: 1_000_000,
    value: 'N',
    isDivided: true,
    what: 'How many TCP connections may be open at once; one more is told so and closed.',
  },
  tcpBanner: {
    kind: 'text',
    flag: 'tcp-banner',
    env: 'MILLRACE_TCP_BANNER',
    default: undefined,
    defaultMeans: 'JSON with the receipt',
    value: 'TEXT',
    what: 'The line that answers TCP clients when all their lines are kept, for those that only want a reply.',
  },
} as const satisfies Record<string, OptionRow>

/** Their values. */
export interface TcpOptions {
  tcp: string | undefined
  tcpTlsCert: string | undefined
  tcpTlsKey: string | undefined
  tcpLineBytesMax: number
  tcpInFlightBytesMax: number
  tcpIdleMs: number
  tcpConnectionsMax: number
  tcpBanner: string | undefined
}
