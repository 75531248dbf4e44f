#!/usr/bin/env bun
/** The program: arguments to a command, or to options and a server; signals to a stop, faults to an exit code. */

import { version } from '../package.json'
import { runCommand } from './commands/run.ts'
import { processTerminal } from './commands/terminal.ts'
import { commandHelpText, helpText } from './config/help.ts'
import { loadOptions } from './config/load.ts'
import { loadCommand } from './config/load-command.ts'
import type { Options } from './config/options.ts'
import { parseAddress } from './intake/address.ts'
import { FAULTS, Fault } from './observe/errors.ts'
import { createLog } from './observe/log.ts'
import { systemPlatform } from './platform/platform.ts'
import { type Server, startServer } from './server.ts'
import { startLanes } from './supervisor.ts'

/** Signals closer together than this are one: a terminal and npm both pass on the same Ctrl-C. */
const SAME_SIGNAL_MS = 300

process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  try {
    const loaded = loadCommand(args, process.env, systemPlatform.clock.nowMs())
    if (loaded.kind === 'serve') return await serve(args)
    if (loaded.kind === 'help') return print(loaded.name ? commandHelpText(loaded.name) : helpText(version))
    if (loaded.kind === 'version') return print(`${version}\n`)
    if (loaded.kind === 'wrong') return fail('config_invalid', loaded.messages.join('\n  '))
    const surroundings = { platform: systemPlatform, env: process.env, terminal: processTerminal() }
    return await runCommand(loaded.command, surroundings)
  } catch (error) {
    if (error instanceof Fault) return fail(error.code, error.message)
    throw error
  }
}

async function serve(args: readonly string[]): Promise<number> {
  const loaded = loadOptions(args, process.env)
  if (loaded.kind === 'help') return print(helpText(version))
  if (loaded.kind === 'version') return print(`${version}\n`)
  if (loaded.kind === 'wrong') return fail('config_invalid', loaded.messages.join('\n  '))

  // Heard from the first moment: a stop that comes during the start follows right after it.
  const stopWanted = firstSignal()
  const log = createLog(systemPlatform.clock, (line) => console.log(line))
  const server =
    loaded.options.lanes === 1
      ? await startServer(loaded.options, process.env, systemPlatform, log.observe)
      : await startLanes(loaded.options, args, process.env, systemPlatform, log.observe)
  print(banner(loaded.options, server))
  await stopWanted
  log.observe({ kind: 'stopping', graceMs: loaded.options.stopGraceMs })
  await server.stop(loaded.options.stopGraceMs)
  log.flush()
  log.observe({ kind: 'stopped', ...server.backlog() })
  return 0
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once: what was acked is in the journal. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined
    const hear = (signal: NodeJS.Signals) => {
      const nowMs = systemPlatform.clock.monotonicMs()
      firstAtMs ??= nowMs
      if (nowMs - firstAtMs > SAME_SIGNAL_MS) process.exit(signal === 'SIGINT' ? 130 : 143)
      resolve()
    }
    process.on('SIGTERM', hear)
    process.on('SIGINT', hear)
  })
}

function banner(options: Options, server: Server): string {
  return `millrace ${version} listens on ${server.url}
${tcpLine(options, server)}  journal   ${options.data}
  objects   ${server.destination}
${lanesLine(server)}  access    ${access(options)}
Try:
  curl -H 'Content-Type: application/json' -d '{"hello":"world"}' ${server.url}/payloads
`
}

function tcpLine({ tcpTlsCert }: Options, { tcp }: Server): string {
  return tcp === undefined ? '' : `  tcp       ${tcpTlsCert === undefined ? '' : 'tls '}${tcp}\n`
}

function lanesLine({ processes }: Server): string {
  return processes.length === 0 ? '' : `  lanes     ${processes.length}: processes ${processes.join(', ')}\n`
}

function access({ host, tcp, tcpTlsCert }: Options): string {
  const hosts = [host, tcp === undefined ? host : (parseAddress(tcp, host)?.host ?? host)]
  const local = hosts.every((one) => ['127.0.0.1', 'localhost', '::1', '[::1]'].includes(one))
  const tls = tcpTlsCert === undefined ? 'no TLS yet' : 'TLS on the TCP port only'
  if (local) return `this machine only (--host 0.0.0.0 opens it); no tokens, ${tls}`
  return `ANYBODY who reaches this address can post: there are no tokens, ${tls}; put a proxy in front`
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function fail(code: keyof typeof FAULTS, message: string): number {
  process.stderr.write(`millrace: ${FAULTS[code].title} (${code}):\n  ${message}\n`)
  return FAULTS[code].exitCode
}
