/** Starts all of the peer below one process: Redis on a socket of its own, the worker and the server. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const { DATA: data = '.' } = process.env
const socket = join(data, 'redis.sock')
const env = { ...process.env, REDIS_SOCKET: socket }
// What Redis's own documentation advises where data matters: the append-only file, synced every second.
const redis = ['--port', '0', '--unixsocket', socket, '--dir', data, '--appendonly', 'yes', '--appendfsync', 'everysec']

start('redis-server', [...redis, '--save', ''], 'ignore')
while (!existsSync(socket)) await pause(10)
start(process.execPath, [join(import.meta.dirname, 'worker.mjs')], 'inherit')
start(process.execPath, [join(import.meta.dirname, 'server.mjs')], 'inherit')

function start(command, args, stdout) {
  const child = spawn(command, args, { env, stdio: ['ignore', stdout, 'inherit'] })
  child.on('exit', (code) => process.exit(code ?? 1))
}
