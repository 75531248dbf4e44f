/**
 * Runs the commands for real and writes down what they say, for `docs/COMMANDS.md`: `bin/with-bun scripts/command-examples.ts`,
 * then `npm run docs`. Names and times differ from run to run, so that this is no part of the check.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { miscounted, writeSegment } from '../test/commands/damage.ts'
import { valueRecord } from '../test/journal/segment-files.ts'
import { Millrace } from '../test/millrace.ts'

const FILE = join(import.meta.dir, 'command-examples.json')
const CLI = join(import.meta.dir, '../src/cli.ts')
const home = mkdtempSync(join(tmpdir(), 'millrace-examples-'))
process.chdir(home)
const examples: Record<string, string[]> = {}

async function example(name: string, ...args: string[]): Promise<string> {
  const run = Bun.spawn([process.execPath, CLI, ...args], { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const text = (await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()])).join('')
  const code = await run.exited
  const example = `$ millrace ${args.join(' ')}\n${text}${code === 0 ? '' : `$ echo $?\n${code}\n`}`
  examples[name] = [...(examples[name] ?? []), example]
  return text
}

// Two records as only a fault of an earlier version could have left them: they hold more payloads than they say.
writeSegment('data', [valueRecord('1'), miscounted('[{"a":1},{"b":2}]'), miscounted('[{"c":3}]')])
const server = await Millrace.start(['--data', './data', '--linger', '1h'])
const post = async (path: string, body: string) =>
  ((await (await server.post(path, 'application/json', body)).json()) as { receipt: string }).receipt
const stored = await post('/payloads', '[{"click":1},{"click":2},{"click":3}]')
await post('/payloads?ack=stored', '{"click":4}')
const pending = await post('/payloads', '{"click":5}')
await example('where', 'where', pending)
await example('where', 'where', stored)
await example('where', 'where', `${stored.slice(0, -1)}9`)
await example('verify', 'verify', '--deep')
const list = await example('deadList', 'dead', 'list')
const [one = '', other = ''] = [...list.matchAll(/^(\S+-\d+) /gm)].map(([, receipt]) => receipt)
await example('deadShow', 'dead', 'show', one)
await example('deadReplay', 'dead', 'replay', one)
await server.stop()
await example('deadReplay', 'dead', 'replay', one)
await example('deadDrop', 'dead', 'drop', other)
const where = await Millrace.spawn(['where', stored, '--data', './data', '--json'])
await where.exited
const { name } = (JSON.parse(where.output) as { objects: { name: string }[] }).objects[0] ?? { name: '' }
rmSync(join('data/objects', name))
await example('verify', 'verify')
await example('benchDesigns', 'bench', 'designs', '--quiet', '--rates', '800')
writeFileSync(FILE, `${JSON.stringify(examples, null, 2)}\n`)
process.stdout.write(readFileSync(FILE))
process.chdir('/')
rmSync(home, { recursive: true })
